"""Two releases on one service: the newer one wins, whichever comes first, and never in mid-change."""

from __future__ import annotations

from typing import Any

from localaws.faults import faults
from tests.support.account import Account, Shop
from tests.support.stories import PATIENCE_SECONDS, has_ended
from tests.support.waiting import wait_for


def claim_of(shop: Shop, tag: str) -> bool:
    record = shop.record()
    return record.claim is not None and f":{tag} (" in str(record.last_claimed)


def baking(account: Account, **settings: Any) -> Shop:
    """A shop whose deployments bake for long."""
    shop = account.shop(tasks=1, **settings)
    planned = shop.planned(shop.service, bake_seconds=600)
    shop.plan([{"name": "production", "services": [planned]}])
    return shop


def baking_v2(account: Account) -> Shop:
    """A shop whose v2 is healthy, and bakes for long."""
    shop = baking(account)
    shop.push("v2")
    wait_for(lambda: "HEALTHY" in str(shop.history()), "v2 to bake")
    return shop


def short_bake(shop: Shop) -> None:
    shop.plan([{"name": "production", "services": [shop.planned(shop.service)]}])


def end(shop: Shop) -> dict[str, str]:
    """The outcomes by tag, once nothing is at work any more."""
    wait_for(lambda: has_ended(shop), f"{shop.service} to end", PATIENCE_SECONDS)
    return shop.outcomes()


def test_a_newer_release_takes_over_from_one_that_bakes(account: Account) -> None:
    shop = baking_v2(account)
    short_bake(shop)
    digest = shop.push("v3")
    assert end(shop) == {"v2": "SUPERSEDED", "v3": "SUCCEEDED"}
    assert shop.running() == digest
    (mail,) = (m for m in shop.mails() if m["attributes"]["outcome"] == "SUPERSEDED")
    assert "v3" in mail["text"]


def test_an_event_that_comes_hours_late_takes_nothing_backwards(account: Account) -> None:
    shop = account.shop(tasks=1)
    with account.disabled("aws.ecr"):
        late = shop.push("v2")
    digest = shop.push("v3")
    assert shop.released("v3").outcome == "SUCCEEDED"
    (release,) = account.releases_of(shop.repository, "v3")
    event = {**release.input, "id": "late", "time": "2020-01-01T00:00:00Z"}
    event["detail"] = {**event["detail"], "image-tag": "v2", "image-digest": late}
    assert account.start_release(event).outcome == "SUPERSEDED"
    assert shop.outcomes() == {"v2": "SUPERSEDED", "v3": "SUCCEEDED"}
    assert shop.running() == digest


def test_a_newer_deployment_does_not_take_over_from_one_that_is_changing_the_service(
    account: Account,
) -> None:
    shop = account.shop(tasks=1)
    hung = faults.add(action="ecs:UpdateService", how="hang", containing=shop.name)
    shop.push("v2")
    wait_for(lambda: faults.get(hung)["hits"], "v2 to be in the middle of its change")
    digest = shop.push("v3")
    wait_for(lambda: entered(account, shop, "v3", "WaitToBegin"), "v3 to wait")
    assert claim_of(shop, "v2")
    faults.remove(hung)
    assert end(shop) == {"v2": "SUPERSEDED", "v3": "SUCCEEDED"}
    assert shop.running() == digest


def test_a_deployment_that_is_stopped_while_it_waits_leaves_the_older_one_alone(
    account: Account,
) -> None:
    shop = account.shop(tasks=1)
    hung = faults.add(action="ecs:UpdateService", how="hang", containing=shop.name)
    digest = shop.push("v2")
    wait_for(lambda: faults.get(hung)["hits"], "v2 to be in the middle of its change")
    stopped = faults.add(state="WaitToBegin", how="stop", containing="-v3-")
    shop.push("v3")
    wait_for(lambda: shop.outcomes().get("v3"), "v3 to end")
    assert faults.remove(stopped)["hits"] == 1
    assert claim_of(shop, "v2")
    faults.remove(hung)
    assert end(shop) == {"v2": "SUCCEEDED", "v3": "FAILED"}
    assert shop.running() == digest


def test_a_deployment_that_took_over_and_fails_leaves_nothing_unproven_behind(
    account: Account,
) -> None:
    shop = baking_v2(account)
    denied = faults.add(
        action="ecs:RegisterTaskDefinition", how="deny", containing=shop.name, times=9
    )
    shop.push("v3")
    assert end(shop) == {"v2": "SUPERSEDED", "v3": "ROLLED_BACK"}
    faults.remove(denied)
    assert shop.running() == shop.v1
    assert shop.record().quarantined == {}  # of v2 nobody knows, and v3 was never tried


def test_a_deployment_that_took_over_and_dies_leaves_nothing_unproven_behind(
    account: Account,
) -> None:
    shop = baking_v2(account)
    stopped = faults.add(state="RegisterTaskDefinition", how="stop", containing="-v3-")
    shop.push("v3")
    assert end(shop) == {"v2": "SUPERSEDED", "v3": "ROLLED_BACK"}
    assert faults.remove(stopped)["hits"] == 1
    assert shop.running() == shop.v1


def opening_v3(account: Account) -> dict[str, str]:
    """The call with which BeginDeployment opens the history of v3, after it has claimed the service."""
    begin = account.functions()["BeginDeployment"]
    return {"action": "dynamodb:UpdateItem", "function": begin, "containing": '"v3"'}


def test_a_deployment_that_cannot_record_its_takeover_leaves_nothing_unproven_behind(
    account: Account,
) -> None:
    shop = baking_v2(account)
    denied = faults.add(**opening_v3(account), how="deny")
    shop.push("v3")
    assert end(shop) == {"v2": "SUPERSEDED", "v3": "ROLLED_BACK"}
    assert faults.remove(denied)["hits"] == 1
    assert shop.running() == shop.v1
    (mail,) = (m for m in shop.mails() if "v3" in m["subject"] + m["text"].split("Why")[0])
    assert mail["attributes"]["outcome"] == "ROLLED_BACK"
    assert "dynamodb:UpdateItem" in mail["text"]


def test_a_deployment_that_is_stopped_before_it_records_its_takeover_leaves_nothing_unproven_behind(
    account: Account,
) -> None:
    shop = baking_v2(account)
    hung = faults.add(**opening_v3(account), how="hang")
    shop.push("v3")
    wait_for(lambda: faults.get(hung)["hits"], "v3 to have taken the service")
    claim = shop.record().claim
    assert claim is not None
    account.aws.client("stepfunctions").stop_execution(executionArn=claim.execution)
    assert end(shop) == {"v2": "SUPERSEDED", "v3": "ROLLED_BACK"}
    assert shop.running() == shop.v1


def test_a_deployment_that_took_over_and_dies_after_a_refused_update_leaves_nothing_unproven_behind(
    account: Account,
) -> None:
    shop = baking_v2(account)
    denied = faults.add(action="ecs:UpdateService", how="deny", containing=shop.name)
    stopped = faults.add(state="RollBack", how="stop", containing="-v3-")
    shop.push("v3")
    assert end(shop) == {"v2": "SUPERSEDED", "v3": "ROLLED_BACK"}
    assert (faults.remove(denied)["hits"], faults.remove(stopped)["hits"]) == (1, 1)
    assert shop.running() == shop.v1


def test_a_deployment_that_is_stopped_as_it_rolls_back_the_one_it_took_over_from_is_recovered(
    account: Account,
) -> None:
    shop = baking_v2(account)
    faults.add(action="ecs:RegisterTaskDefinition", how="deny", containing=shop.name)
    stopped = faults.add(state="DecideUndo", how="stop", containing="-v3-")
    shop.push("v3")
    assert end(shop) == {"v2": "SUPERSEDED", "v3": "ROLLED_BACK"}
    assert faults.remove(stopped)["hits"] == 1
    assert shop.running() == shop.v1


def entered(account: Account, shop: Shop, tag: str, state: str) -> bool:
    """Whether the deployment of this tag has come to a state."""
    client = account.aws.client("stepfunctions")
    for each in account.executions("DeploymentStateMachineArn"):
        name = each.arn.rpartition(":")[2]
        if name.startswith(f"{shop.service.replace('/', '-')}-{tag}-"):
            events = client.get_execution_history(executionArn=each.arn)["events"]
            return any(e.get("stateEnteredEventDetails", {}).get("name") == state for e in events)
    return False
