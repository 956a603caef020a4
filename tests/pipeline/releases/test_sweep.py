"""What nobody announced is found, once; and who no longer lives is ended."""

from __future__ import annotations

from typing import Any

import requests

from localaws.faults import faults
from tests.support.account import Account, Shop
from tests.support.stories import PATIENCE_SECONDS, has_ended
from tests.support.waiting import wait_for


def sweep(account: Account) -> None:
    """Fire the schedule, and wait until the function has run."""
    function = account.functions()["Sweep"]
    rules = account.aws.client("events").list_rule_names_by_target(
        TargetArn=account.aws.client("lambda").get_function(FunctionName=function)["Configuration"][
            "FunctionArn"
        ]
    )["RuleNames"]
    before = calls(account, function)
    fired = requests.post(f"{account.aws.url}/_localaws/schedules/{rules[0]}", timeout=60)
    fired.raise_for_status()
    wait_for(lambda: calls(account, function) > before, "the sweep to run", PATIENCE_SECONDS)


def calls(account: Account, function: str) -> int:
    """How often the sweep has come to its last call, the reading of the plans."""
    made: list[dict[str, Any]] = requests.get(
        f"{account.aws.url}/_localaws/calls", timeout=60
    ).json()
    return sum(
        call["function"] == function and call["action"] == "GetParametersByPath" for call in made
    )


def let_the_lease_run_out(shop: Shop) -> None:
    shop.account.table.update_item(
        Key={"pk": "service", "sk": shop.service},
        UpdateExpression="SET claim.lease_until = :past",
        ExpressionAttributeValues={":past": "2020-01-01T00:00:00.000000Z"},
    )


def ended(shop: Shop) -> dict[str, str]:
    wait_for(lambda: has_ended(shop), f"{shop.service} to end", PATIENCE_SECONDS, every=0.5)
    return shop.outcomes()


def test_a_push_whose_event_was_lost_is_released_once(account: Account) -> None:
    shop = account.shop(tasks=1)
    with account.disabled("aws.ecr"):
        digest = shop.push("v2")
    sweep(account)
    assert ended(shop) == {"v2": "SUCCEEDED"}
    assert shop.running() == digest
    assert shop.history()[0]["deployment"]["release"]["started_by"] == "sweep"
    sweep(account)
    assert len(shop.history()) == 1


def test_what_was_announced_or_is_older_than_the_plan_is_left_alone(account: Account) -> None:
    shop = account.shop(tasks=1)
    shop.push("v2")
    assert shop.deployed("v2").outcome == "SUCCEEDED"
    with account.disabled("aws.ecr"):
        shop.push("v3")
    shop.plan([{"name": "production", "services": [shop.planned(shop.service)]}])
    sweep(account)
    releases = [
        given
        for _, given in account.executions("ReleaseStateMachineArn")
        if shop.repository in str(given) and given.get("source") == "slipway.sweep"
    ]
    assert releases == []


def test_a_wrong_plan_does_not_keep_the_others_from_being_swept(account: Account) -> None:
    broken, shop = account.shop(tasks=1), account.shop(tasks=1)
    account.aws.client("ssm").put_parameter(
        Name=f"/slipway/repositories/{broken.repository}", Value="{", Overwrite=True
    )
    with account.disabled("aws.ecr"):
        shop.push("v2")
    sweep(account)
    assert ended(shop) == {"v2": "SUCCEEDED"}
    account.aws.client("ssm").delete_parameter(Name=f"/slipway/repositories/{broken.repository}")


def test_a_deployment_that_nobody_recovered_is_recovered_when_its_lease_ran_out(
    account: Account,
) -> None:
    shop = account.shop(tasks=1)
    with account.disabled("aws.states"):
        faults.add(state="CheckDeployment", how="stop", containing=shop.service)
        shop.push("v2")
        assert shop.released("v2").outcome == "ReleaseFailed"
    sweep(account)
    assert shop.record().claim is not None  # its lease has not run out
    let_the_lease_run_out(shop)
    sweep(account)
    assert ended(shop) == {"v2": "ROLLED_BACK"}
    assert shop.running() == shop.v1
