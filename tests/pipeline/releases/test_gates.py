"""What keeps a release from a service before anything is changed."""

from __future__ import annotations

import pytest

from localaws import seed
from localaws.faults import faults
from tests.support.account import Account, Shop

FOREVER = {"from": "2020-01-01T00:00:00Z", "until": "2999-01-01T00:00:00Z"}


def end(shop: Shop, tag: str) -> tuple[str, str]:
    """Outcome and reason of the one deployment of the tag."""
    deployment = shop.deployed(tag)
    return deployment.outcome, deployment.reason


def test_a_quarantined_image_is_rejected_on_this_service_only(account: Account) -> None:
    shop = account.shop(tasks=1)
    shop.add_service(f"staging/{shop.name}")
    shop.push("v2", behaviour="crash")
    assert end(shop, "v2")[0] == "ROLLED_BACK"
    again = account.start_release({"repository": shop.repository, "tag": "v2"})
    assert again.outcome == "ReleaseFailed"
    assert f"is quarantined on service {shop.service} since" in again.reason
    assert [mail["attributes"]["outcome"] for mail in shop.mails()] == ["ROLLED_BACK", "REJECTED"]
    shop.plan([{"name": "staging", "services": [shop.planned(f"staging/{shop.name}")]}])
    elsewhere = account.start_release({"repository": shop.repository, "tag": "v2"})
    assert "ROLLED_BACK" in elsewhere.reason


def test_a_service_behind_a_gateway_is_refused_by_name_until_its_connector_is_removed(
    account: Account,
) -> None:
    shop = account.shop(tasks=1)
    ecs = account.aws.client("ecs")
    connect = {"cluster": shop.cluster, "service": shop.name}
    ecs.update_service(**connect, gatewayConnectors=[{"portName": "http"}])
    shop.push("v2")
    outcome, reason = end(shop, "v2")
    assert outcome == "FAILED"
    assert f"service {shop.service} has a gateway connector" in reason
    back = shop.roll_back()
    assert f"service {shop.service} has a gateway connector" in back.reason
    assert shop.running() == shop.v1
    ecs.update_service(**connect, gatewayConnectors=[])
    again = account.start_release({"repository": shop.repository, "tag": "v2"})
    assert again.outcome == "SUCCEEDED"


def test_force_is_recorded_and_a_second_failure_keeps_the_quarantine(account: Account) -> None:
    shop = account.shop(tasks=1)
    digest = shop.push("v2", behaviour="crash")
    assert end(shop, "v2")[0] == "ROLLED_BACK"
    start = {"repository": shop.repository, "tag": "v2", "force": True, "by": "jo"}
    assert "ROLLED_BACK" in account.start_release(start).reason
    release = shop.history()[-1]["deployment"]["release"]
    assert (release["force"], release["by"]) == (True, "jo")
    assert digest in shop.record().quarantined


def test_a_frozen_pipeline_rejects_until_the_windows_end(account: Account) -> None:
    shop = account.shop(tasks=1)
    ssm = account.aws.client("ssm")
    ssm.put_parameter(Name="/slipway/freeze", Type="String", Value=str([FOREVER]).replace("'", '"'))
    try:
        shop.push("v2")
        outcome, reason = end(shop, "v2")
    finally:
        ssm.delete_parameter(Name="/slipway/freeze")
    assert outcome == "REJECTED"
    assert "are frozen until 2999-01-01T00:00:00" in reason
    assert shop.running() == shop.v1
    assert shop.record().newest == {}  # it may come again


def test_a_wrong_freeze_is_named_and_nothing_is_deployed(account: Account) -> None:
    shop = account.shop(tasks=1)
    ssm = account.aws.client("ssm")
    ssm.put_parameter(Name="/slipway/freeze", Type="String", Value='[{"cron": "every day"}]')
    try:
        shop.push("v2")
        outcome, reason = end(shop, "v2")
    finally:
        ssm.delete_parameter(Name="/slipway/freeze")
    assert outcome == "FAILED"
    assert "/slipway/freeze" in reason
    assert shop.running() == shop.v1


def test_a_service_can_be_frozen_by_its_plan(account: Account) -> None:
    shop = account.shop(tasks=1)
    frozen = shop.planned(shop.service, freeze=[{"cron": "* * * * *", "hours": 1}])
    shop.plan([{"name": "production", "services": [frozen]}])
    shop.push("v2")
    assert end(shop, "v2")[0] == "REJECTED"


@pytest.mark.parametrize(
    ("when_firing", "outcome"), [("ignore", "SUCCEEDED"), ("block", "REJECTED")]
)
def test_an_alarm_that_fires_already(account: Account, when_firing: str, outcome: str) -> None:
    shop = account.shop(tasks=1)
    name = f"errors-of-{shop.name}"
    seed.alarm(name)
    account.aws.client("cloudwatch").set_alarm_state(
        AlarmName=name, StateValue="ALARM", StateReason="as ever"
    )
    alarm = {"name": name, "when_firing": when_firing}
    planned = shop.planned(shop.service, alarms=[alarm])
    shop.plan([{"name": "production", "services": [planned]}])
    shop.push("v2")
    found, reason = end(shop, "v2")
    assert found == outcome
    if outcome == "REJECTED":
        assert name in reason
    else:
        (start,) = shop.mails(kind="start")
        assert f"alarm {name}: it was in ALARM before this began" in start["text"]


def test_an_earlier_alarm_does_not_fail_a_release_of_the_image_that_runs_already(
    account: Account,
) -> None:
    """It changes nothing, so there is no ECS deployment of its own to count from."""
    shop = account.shop(tasks=1, tagged=False, alarms=("errors-of-{name}",))
    account.aws.client("cloudwatch").set_alarm_state(
        AlarmName=shop.alarms[0], StateValue="ALARM", StateReason="an hour ago"
    )
    seed.push(shop.repository, "v2", seed.manifest(f"{shop.name} v1"))
    assert end(shop, "v2")[0] == "SUCCEEDED"
    assert shop.running() == shop.v1


def test_an_alarm_that_cannot_be_read_is_waited_for(account: Account) -> None:
    shop = account.shop(tasks=1, alarms=("errors-of-{name}",))
    denied = faults.add(
        action="cloudwatch:DescribeAlarms", how="deny", containing=shop.name, times=3
    )
    shop.push("v2")
    assert end(shop, "v2")[0] == "SUCCEEDED"
    assert faults.remove(denied)["hits"] == 3


def test_an_alarm_that_cannot_be_read_for_too_long_ends_it_before_it_begins(
    account: Account,
) -> None:
    shop = account.shop(tasks=1, alarms=("errors-of-{name}",))
    planned = shop.planned(shop.service, timeout_seconds=2)
    shop.plan([{"name": "production", "services": [planned]}])
    denied = faults.add(
        action="cloudwatch:DescribeAlarms", how="deny", containing=shop.name, times=100
    )
    shop.push("v2")
    outcome, reason = end(shop, "v2")
    faults.remove(denied)
    assert outcome == "FAILED"
    assert "it could not begin within 2 seconds" in reason
    assert shop.revisions() == 1
