"""Runs the sweep, and makes leases expire for it."""

from __future__ import annotations

import requests

from localaws.lambda_ import awslambda
from tests.support.account import Account, Shop
from tests.support.stories import PATIENCE_SECONDS, has_ended
from tests.support.waiting import wait_for


def sweep(account: Account) -> None:
    """Fire the schedule of the sweep, and wait until the function has run."""
    function = account.functions()["Sweep"]
    rules = account.aws.client("events").list_rule_names_by_target(
        TargetArn=account.aws.client("lambda").get_function(FunctionName=function)["Configuration"][
            "FunctionArn"
        ]
    )["RuleNames"]
    before = runs(function)
    fired = requests.post(f"{account.aws.url}/_localaws/schedules/{rules[0]}", timeout=60)
    fired.raise_for_status()
    wait_for(lambda: runs(function) > before, "the sweep to run", PATIENCE_SECONDS)


def let_the_lease_run_out(shop: Shop) -> None:
    shop.account.table.update_item(
        Key={"pk": shop.service, "sk": "state#claim"},
        UpdateExpression="SET claim.lease_until = :past",
        ExpressionAttributeValues={":past": "2020-01-01T00:00:00.000000Z"},
    )


def ended(shop: Shop) -> dict[str, str]:
    wait_for(lambda: has_ended(shop), f"{shop.service} to end", PATIENCE_SECONDS, every=0.5)
    return shop.outcomes()


def runs(function: str) -> int:
    """The number of finished runs of the function."""
    return sum(each.function == function for each in awslambda.invocations())
