"""Deployments that something interrupts during their bake: a newer image, or the end of the execution."""

from __future__ import annotations

from datetime import datetime

from localaws import aws
from localaws.lambda_ import awslambda
from tools.bench import UnexpectedError, reading
from tools.bench.ledger import Item, ended_at
from tools.bench.reading import wait_for
from tools.bench.runs import LONG, NAME, Account, bake, between


def taken_over(account: Account, share_of_poll: float) -> dict[str, float]:
    """Push a newer image after this part of a poll of a bake."""
    older, _ = account.push(LONG, {})
    _, deployment = account.executions(older)
    bake(deployment, share_of_poll)
    newer, pushed = account.push(0, {})
    held = wait_for(lambda: _held(account, deployment), f"{newer} to hold the service")
    taken = datetime.fromisoformat(held["claim"]["claimed_at"])
    superseded = _ended(account, older, "SUPERSEDED")
    _ended(account, newer, "SUCCEEDED")
    updated = reading.primary()["createdAt"]
    account.idle()
    return {
        "PutImage to holding the service of one that bakes": between(pushed, taken),
        "PutImage to UpdateService there": between(pushed, updated),
        "holding to the older one's end": between(taken, superseded),
    }


def stopped(account: Account, share_of_poll: float) -> dict[str, float]:
    """Stop the execution of a deployment after this part of a poll of its bake."""
    invoked = len(awslambda.invocations())
    tag, _ = account.push(LONG, {})
    _, deployment = account.executions(tag)
    bake(deployment, share_of_poll)
    aws.client("stepfunctions").stop_execution(executionArn=deployment)
    moment = reading.describe(deployment)["stopDate"]
    ended = _ended(account, tag, "ROLLED_BACK")
    # once for the stopped execution, once for the recovery, which fails
    reading.recovered(invoked, 2)
    account.idle()
    return {"StopExecution to ROLLED_BACK": between(moment, ended)}


def _held(account: Account, former: str) -> Item | None:
    """The item of the claim, after an execution other than the former one has claimed it."""
    item = account.ledger.held(NAME)
    return item if item and item["claim"]["execution"] != former else None


def _ended(account: Account, tag: str, expected: str) -> datetime:
    item = wait_for(lambda: account.ledger.ended(NAME, tag), f"the end of {tag}")
    if item["outcome"] != expected:
        raise UnexpectedError(f"{tag} ended {item['outcome']}, not {expected}: {item['reason']}")
    return ended_at(item)
