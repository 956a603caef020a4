"""A service says by its policy which repositories may deploy to it, and adds gates to their plans."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localaws import seed
from localaws.sns import sns
from tests.support.account import Account, Shop
from tests.support.sweeps import sweep
from tests.support.waiting import wait_for

ALARM = "guard-of-the-service"


@pytest.fixture(scope="module")
def shop(account: Account) -> Shop:
    """A team whose service admits its own repository only, and is guarded by an alarm."""
    shop = account.shop(tasks=1)
    seed.alarm(ALARM)
    policy = {
        "repositories": [shop.repository],
        "alarms": [{"name": ALARM, "when_firing": "block"}],
    }
    account.aws.client("ssm").put_parameter(
        Name=f"/slipway/services/{shop.service}", Type="String", Value=json.dumps(policy)
    )
    return shop


def swept(account: Account, repository: str) -> list[Any]:
    """The releases of the repository that a sweep has started."""
    return [
        each
        for each in account.executions("ReleaseStateMachineArn")
        if repository in str(each.input) and each.input.get("source") == "slipway.sweep"
    ]


def test_an_image_of_a_repository_that_the_service_does_not_admit_never_runs_there(
    account: Account, shop: Shop
) -> None:
    other = account.shop(tasks=1)
    other.plan(
        [
            {"name": "own", "services": [other.planned(other.service)]},
            {"name": "theirs", "services": [other.planned(shop.service)]},
        ]
    )
    other.push("v2")

    release = other.released("v2")
    assert release.outcome == "ReleaseFailed"
    refusal = f"service {shop.service} does not admit repository {other.repository}"
    assert refusal in release.reason
    assert f"SSM parameter /slipway/services/{shop.service}" in release.reason
    by_hand = account.start_release({"repository": other.repository, "tag": "v2", "force": True})
    assert refusal in by_hand.reason
    assert (shop.history(), other.history()) == ([], [])
    assert (shop.running(), other.running()) == (shop.v1, other.v1)
    mails = [mail for mail in sns.mails() if other.repository in mail["subject"]]
    assert refusal in " ".join(mails[0]["text"].split())

    # Nothing in the ledger says that the push was refused, so the sweep starts it again, but once only.
    sweep(account)
    wait_for(lambda: swept(account, other.repository), "the sweep to start the release")
    sweep(account)
    (again,) = swept(account, other.repository)
    assert refusal in account.ended(again.arn).reason


def test_a_gate_that_only_the_policy_has_keeps_the_services_own_repository_away(
    account: Account, shop: Shop
) -> None:
    cloudwatch = account.aws.client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName=ALARM, StateValue="ALARM", StateReason="5xx")
    shop.push("v2")
    rejected = shop.deployed("v2")
    assert rejected.outcome == "REJECTED"
    assert f"while {ALARM} is in ALARM" in rejected.reason
    cloudwatch.set_alarm_state(AlarmName=ALARM, StateValue="OK", StateReason="none")
    shop.push("v3")
    assert shop.deployed("v3").outcome == "SUCCEEDED"


def test_a_policy_that_is_invalid_lets_nothing_be_deployed(account: Account, shop: Shop) -> None:
    name = f"/slipway/services/{shop.service}"
    account.aws.client("ssm").put_parameter(Name=name, Value='{"repository": "a"}', Overwrite=True)
    shop.push("v4")
    release = shop.released("v4")
    assert release.outcome == "ReleaseFailed"
    assert f"the policy of service {shop.service} (SSM parameter {name}) is not valid" in (
        release.reason
    )
    assert "v4" not in shop.outcomes()
