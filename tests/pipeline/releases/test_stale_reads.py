"""ECS and Step Functions are eventually consistent: an answer may be behind, and nothing comes of that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest
from botocore.exceptions import ClientError

from localaws.ecs import stale_answers
from localaws.faults import faults
from tests.support.account import ENDED_SECONDS, Account, Shop
from tests.support.stories import a_shop, has_ended
from tests.support.waiting import wait_for

DESCRIBE = "states:DescribeExecution"
BEHIND_SECONDS = 3
"""Longer than poll_seconds, so that whole checks see nothing of the change before them."""


@contextmanager
def behind(shop: Shop, function: str | None = None) -> Iterator[dict[str, str]]:
    """Every read of the shop by a function, or by any, is as of before the latest change; the faults."""
    aimed = {"function": shop.account.functions()[function]} if function else {}
    added = {
        action: faults.add(
            action=f"ecs:{action}",
            how="stale",
            seconds=BEHIND_SECONDS,
            containing=shop.name,
            **aimed,
        )
        for action in stale_answers.ACTIONS
    }
    try:
        wait_for(lambda: not hits_now(shop, added), "what made the shop to be visible")
        yield added
    finally:
        for fault in added.values():
            faults.remove(fault)


def hits_now(shop: Shop, added: dict[str, str]) -> bool:
    """Whether a read of the service or of its task definition is still behind."""
    before = {fault: faults.get(fault)["hits"] for fault in added.values()}
    ecs = shop.account.aws.client("ecs")
    with suppress(ClientError):
        ecs.describe_task_definition(taskDefinition=f"{shop.service.replace('/', '-')}:1")
        ecs.describe_services(cluster=shop.cluster, services=[shop.name])
    return any(faults.get(fault)["hits"] > count for fault, count in before.items())


def end(shop: Shop) -> dict[str, str]:
    wait_for(lambda: has_ended(shop), f"{shop.service} to end", 5 * ENDED_SECONDS)
    return shop.outcomes()


def hits(added: dict[str, str]) -> set[str]:
    return {action for action, fault in added.items() if faults.get(fault)["hits"]}


def test_a_good_image_is_deployed_though_every_read_of_ecs_is_behind(account: Account) -> None:
    with closing(a_shop(account)) as shop, behind(shop) as added:
        digest = shop.push("v2")

        assert end(shop) == {"v2": "SUCCEEDED"}
        assert "DescribeServices" in hits(added)
    assert shop.running() == digest
    assert shop.revisions() == 2


def test_a_bad_image_is_rolled_back_and_quarantined_though_every_read_of_ecs_is_behind(
    account: Account,
) -> None:
    with closing(a_shop(account)) as shop, behind(shop) as added:
        digest = shop.push("v2", behaviour="crash")

        assert end(shop) == {"v2": "ROLLED_BACK"}
        assert "DescribeServices" in hits(added)
        assert hits(added) & {
            "ListTasks",
            "DescribeTasks",
        }  # it depends on the moment which of them
        assert shop.record().quarantined.keys() == {digest}
    assert shop.running() == shop.v1


@pytest.mark.parametrize("function", ["UpdateService", "RollBack"])
def test_a_service_that_is_described_as_it_was_after_a_lost_answer_is_asked_for_again(
    account: Account, function: str
) -> None:
    """Only what the service runs tells whether the update was done."""
    how = {"behaviour": "crash"} if function == "RollBack" else {}
    with closing(a_shop(account)) as shop, behind(shop, function):
        lost = faults.add(
            action="ecs:UpdateService",
            how="lose",
            function=account.functions()[function],
            containing=shop.name,
        )
        shop.push("v2", **how)
        outcomes = end(shop)

        assert faults.remove(lost)["hits"] == 1
        assert outcomes == {"v2": "ROLLED_BACK" if how else "SUCCEEDED"}
        assert shop.revisions() == 2


def test_a_manual_rollback_arrives_though_every_read_of_ecs_is_behind(account: Account) -> None:
    with closing(a_shop(account)) as shop:
        shop.push("v2")
        assert end(shop) == {"v2": "SUCCEEDED"}
        with behind(shop) as added:
            back = shop.roll_back(to=f"{shop.service.replace('/', '-')}:1", by="ada")
            assert "DescribeServices" in hits(added)
        assert back.outcome == "ROLLED_BACK"
        assert shop.running() == shop.v1


def test_a_deployment_whose_executions_are_described_late_begins_and_is_recovered(
    account: Account,
) -> None:
    functions = account.functions()
    with closing(account.shop(tasks=1)) as shop:
        not_yet = faults.add(
            action=DESCRIBE, how="stale", function=functions["BeginDeployment"], times=2
        )
        still_running = faults.add(
            action=DESCRIBE, how="stale", function=functions["Recover"], times=2
        )
        stopped = faults.add(state="WaitForTasks", how="stop", containing=shop.service)
        shop.push("v2")
        wait_for(shop.mails, "people to be notified of the recovery's end", 3 * ENDED_SECONDS)
        hits = [faults.remove(fault)["hits"] for fault in (not_yet, still_running, stopped)]
        assert hits == [2, 2, 1]
        assert shop.running() == shop.v1
        assert shop.outcomes() == {"v2": "ROLLED_BACK"}
