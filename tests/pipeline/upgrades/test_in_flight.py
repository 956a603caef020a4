"""Slipway is upgraded and downgraded while deployments run: each ends as ever, and is notified.

They run with the versions of state machines and functions that they began with. One other version proves
that: it and this one misunderstand each other. With the version before this one, they have to share the
ledger, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from localaws.faults import faults
from localaws.server import LocalAws
from tests.support import other_versions
from tests.support.account import STACK, Account, Shop
from tests.support.deployed import TEMPLATE, deploy, package, packaged
from tests.support.executions import ENDED_SECONDS
from tests.support.stories import has_ended
from tests.support.waiting import wait_for

OTHER = "other.yaml"
PARAMETERS = {"SweepMinutes": "480", "SweepMaturitySeconds": "0"}


def versions(account: Account) -> set[str]:
    """The ARNs of the published versions in the stack."""
    found = account.aws.client("cloudformation").describe_stack_resources(StackName=STACK)
    return {
        resource["PhysicalResourceId"]
        for resource in found["StackResources"]
        if resource["ResourceType"] == "AWS::Lambda::Version"
    }


def invoked(shop: Shop) -> set[str]:
    """The ARNs that the executions about a shop have invoked."""
    states, arns = shop.account.aws.client("stepfunctions"), set()
    for output in ("ReleaseStateMachineArn", "DeploymentStateMachineArn"):
        for execution in shop.account.executions(output):
            if shop.name in str(execution.input):
                history = states.get_execution_history(executionArn=execution.arn)["events"]
                tasks = [each.get("taskScheduledEventDetails", {}) for each in history]
                arns |= {
                    json.loads(task["parameters"])["FunctionName"]
                    for task in tasks
                    if task.get("resourceType") == "lambda"
                }
    return arns


@contextmanager
def hung(shop: Shop, action: str) -> Iterator[None]:
    """Keep the next such call for the shop from being answered within the context."""
    fault = faults.add(action=action, how="hang", containing=shop.name)
    try:
        yield
    finally:
        assert faults.remove(fault)["hits"] == 1


@contextmanager
def in_flight(account: Account) -> Iterator[dict[str, tuple[Shop, str]]]:
    """Let a healthy, a crashing and a baking deployment be in the middle of a step within the context.

    They go on at its end, and are waited for. Yields the shops, each with the digest that it is to run.
    """
    healthy, crashing, baking = (account.shop(tasks=1, tagged=False) for _ in range(3))
    bake = baking.planned(baking.service, bake_seconds=20)
    baking.plan([{"name": "production", "services": [bake]}])
    baked = baking.push("v2")
    wait_for(lambda: "HEALTHY" in str(baking.history()), f"{baking.service} to bake")
    with (
        hung(baking, "ecs:DescribeServices"),
        hung(healthy, "ecs:RegisterTaskDefinition"),
        hung(crashing, "ecs:RegisterTaskDefinition"),
    ):
        good = healthy.push("v2")
        crashing.push("v2", behaviour="crash")
        wait_for(lambda: all(each["hits"] for each in faults.everything()), "all three to hang")
        yield {
            "healthy": (healthy, good),
            "crashing": (crashing, crashing.v1),
            "baking": (baking, baked),
        }
    for shop in (healthy, crashing, baking):
        wait_for(lambda shop=shop: has_ended(shop), f"{shop.service} to end", ENDED_SECONDS)


def endings(shops: dict[str, tuple[Shop, str]]) -> dict[str, list[object]]:
    """How the deployments ended: the outcomes, the ends in emails, what runs, and what is quarantined."""
    return {
        name: [
            list(shop.outcomes().values()),
            [mail["attributes"]["outcome"] for mail in shop.mails()],
            len(shop.mails(kind="start")),
            shop.running() == digest,
            len(shop.record().quarantined),
        ]
        for name, (shop, digest) in shops.items()
    }


AS_EVER = {
    "healthy": [["SUCCEEDED"], ["SUCCEEDED"], 1, True, 0],
    "crashing": [["ROLLED_BACK"], ["ROLLED_BACK"], 1, True, 1],
    "baking": [["SUCCEEDED"], ["SUCCEEDED"], 1, True, 0],
}


def upgrade_and_downgrade(other: Path) -> list[set[str]]:
    """Deploy another version, this one and the other one again; the functions' versions of each time.

    Each time, deployments are in flight, and have to end as ever, with the versions they began with.
    """
    with LocalAws(saved=packaged()) as aws:
        package(aws, other, OTHER)
        account = Account(aws, deploy(aws, PARAMETERS, template=OTHER))
        published = [versions(account)]
        for template in (TEMPLATE, OTHER):
            with in_flight(account) as shops:
                deploy(aws, PARAMETERS, template=template)
            assert endings(shops) == AS_EVER
            for shop, _ in shops.values():
                assert invoked(shop) <= published[-1]
            published.append(versions(account))
        return published


def test_deployments_end_as_ever_if_the_versions_misunderstand_each_other(tmp_path: Path) -> None:
    other = other_versions.speaking_differently(tmp_path / "other")
    first, second, third = upgrade_and_downgrade(other)
    assert len(first | second | third) == len(first) + len(second) + len(third)


def test_deployments_end_as_ever_between_this_version_and_the_one_before() -> None:
    try:
        other = other_versions.previous()
    except other_versions.NoHistoryError as reason:
        pytest.skip(str(reason))
    upgrade_and_downgrade(other)
