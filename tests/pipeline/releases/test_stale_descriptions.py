"""DescribeExecution is eventually consistent: what it shows may be behind, and nothing comes of that."""

from __future__ import annotations

from contextlib import closing

from localaws.faults import faults
from tests.support.account import ENDED_SECONDS, Account
from tests.support.waiting import wait_for

DESCRIBE = "states:DescribeExecution"


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
