"""What the docs say that the environment costs is what its prices come to."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from samcli.yamlhelper import yaml_parse as parse

from tests.support.paths import REPO
from tools import environment_costs

LIST: dict[str, Any] = json.loads(environment_costs.PRICES.read_text())
PRICES: dict[str, dict[str, Any]] = LIST["prices"]


DOCS = (REPO / "docs" / "environment.md").read_text()


def test_the_docs_show_what_the_tool_prints() -> None:
    assert environment_costs.render() in DOCS


def test_the_docs_say_how_many_metrics_are_counted() -> None:
    fargate, ec2 = map(environment_costs.container_insights_metrics, (False, True))
    assert f"{fargate} metrics ({ec2} on EC2)" in DOCS


@pytest.mark.parametrize("column", range(len(environment_costs.SETUPS)))
def test_a_total_is_the_sum_of_its_rows(column: int) -> None:
    table = environment_costs.render().split("\n\n")[0].splitlines()[2:]
    cells = [line.split("|")[column + 2].strip(" *") for line in table]
    *amounts, total = (Decimal(cell or 0) for cell in cells)
    assert sum(amounts) == total


def resources(template: str, kind: str) -> dict[str, dict[str, Any]]:
    """The resources of a type, by logical id."""
    found = parse((REPO / "environment" / template).read_text())["Resources"]
    return {name: r for name, r in found.items() if r["Type"] == kind}


def test_every_metric_that_an_alarm_reads_is_counted() -> None:
    counted = {False: 0, True: 0}  # by whether they are of instances
    for template in ("cluster.yaml", "service.yaml"):
        for alarm in resources(template, "AWS::CloudWatch::Alarm").values():
            of_instances = alarm.get("Condition") == "WithInstances"
            metrics = alarm["Properties"].get("Metrics", [{"MetricStat": {}}])
            counted[of_instances] += sum("MetricStat" in metric for metric in metrics)
    assert counted[False] == environment_costs.ALARM_METRICS
    of_the_capacity_provider = 2  # AWS makes those
    on_ec2 = environment_costs.ALARM_METRICS_OF_INSTANCES
    assert counted[True] + of_the_capacity_provider == on_ec2


def test_every_rule_of_the_web_acl_and_every_endpoint_is_counted() -> None:
    (acl,) = resources("cluster.yaml", "AWS::WAFv2::WebACL").values()
    assert len(acl["Properties"]["Rules"]) == environment_costs.WEB_ACL_RULES
    endpoints = resources("network.yaml", "AWS::EC2::VPCEndpoint").values()
    paid = [e for e in endpoints if e["Properties"]["VpcEndpointType"] == "Interface"]
    assert len(paid) == environment_costs.ENDPOINTS


def test_the_parameters_of_a_setup_change_only_the_rows_that_they_cost() -> None:
    tryout, production, guarded, _ = (environment_costs.rows(s) for s in environment_costs.SETUPS)
    differing = {name for name in tryout if tryout[name] != production[name]}
    assert differing == {"NAT gateways", "public addresses"}
    assert {name for name in production if production[name] != guarded[name]} == {
        "interface endpoints",
        "WAF",
    }
    assert guarded["interface endpoints"] == Decimal("43.80")  # 3 endpoints in 2 zones
    assert guarded["WAF"] == 7


def test_the_price_of_instances_takes_the_place_of_fargates() -> None:
    _, production, _, on_ec2 = (environment_costs.rows(s) for s in environment_costs.SETUPS)
    assert production["compute"] == Decimal("18.02")
    assert on_ec2["compute"] == Decimal("39.37")  # with their disks and detailed monitoring


@pytest.mark.parametrize("name", PRICES)
def test_every_price_has_its_source(name: str) -> None:
    price = PRICES[name]
    assert price["price"] >= 0
    assert price["unit"]
    assert price["source"].startswith("https://aws.amazon.com/")
    for copy in price.get("seen in", []):
        assert copy.startswith("http") or copy.partition(":")[0] in LIST["copies"]
