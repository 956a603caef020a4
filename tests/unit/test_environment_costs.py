"""What the docs say that the environment costs is what its prices come to."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tools import environment_costs

ROOT = Path(__file__).parent.parent.parent
LIST: dict[str, Any] = json.loads(environment_costs.PRICES.read_text())
PRICES: dict[str, dict[str, Any]] = LIST["prices"]


DOCS = (ROOT / "docs" / "environment.md").read_text()


def test_the_docs_show_what_the_tool_prints() -> None:
    assert environment_costs.render() in DOCS


def test_the_docs_tell_how_many_metrics_are_counted() -> None:
    fargate, ec2 = map(environment_costs.container_insights_metrics, (False, True))
    assert f"{fargate} metrics ({ec2} on EC2)" in DOCS


@pytest.mark.parametrize("column", range(len(environment_costs.SETUPS)))
def test_a_total_is_the_sum_of_its_rows(column: int) -> None:
    table = environment_costs.render().split("\n\n")[0].splitlines()[2:]
    cells = [line.split("|")[column + 2].strip(" *") for line in table]
    *amounts, total = (Decimal(cell or 0) for cell in cells)
    assert sum(amounts) == total


def test_parameters_add_up() -> None:
    tryout, production, guarded, _ = (environment_costs.rows(s) for s in environment_costs.SETUPS)
    differing = {name for name in tryout if tryout[name] != production[name]}
    assert differing == {"NAT gateways", "public addresses"}
    assert {name for name in production if production[name] != guarded[name]} == {
        "interface endpoints",
        "WAF",
    }
    assert guarded["interface endpoints"] == Decimal("43.80")  # 3 endpoints in 2 zones
    assert guarded["WAF"] == 6


def test_instances_take_the_place_of_fargate() -> None:
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
