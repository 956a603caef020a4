"""Four stories in which every fault is injected, and the checks at the end of each.

Many shops run in parallel. A fault is injected into the calls of one shop, whose name they contain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import requests

from localaws.aws import ACCOUNT, REGION
from localaws.faults import faults
from localaws.lambda_ import awslambda
from localaws.sns import sns
from tests.support.account import ENDED_SECONDS, Account, Shop
from tests.support.waiting import wait_for

PATIENCE_SECONDS = 5 * ENDED_SECONDS  # ten stories run at once
HONEST = {"SUCCEEDED", "NO_CHANGE", "ROLLED_BACK", "ROLLBACK_FAILED", "REJECTED", "FAILED"}
# How often one check of CheckDeployment calls an action, if more than once. Every check makes the same calls,
# so that faults in the calls of one check are enough.
IN_ONE_CHECK = {"ecs:ListTasks": 2}
# But for these: it depends on the moment whether a check makes them, so that a fault might never be met. To
# their failure applies what applies to the others.
IN_SOME_CHECKS = {
    "ecs:GetTaskProtection",
    "ecs:ListServiceDeployments",
    "ecs:DescribeServiceDeployments",
    "ecs:DescribeServiceRevisions",
    "cloudwatch:DescribeAlarmHistory",
}


@dataclass(frozen=True)
class Call:
    """One of the calls of an action that a function makes in a story; the first has the number 1."""

    function: str
    action: str
    number: int

    def __str__(self) -> str:
        return f"{self.function}'s {self.action} ({self.number})"


@dataclass(frozen=True)
class Story:
    """How a deployment of a shop starts and ends, and the functions into whose calls faults are injected."""

    functions: frozenset[str]
    start: Callable[[Shop], None]
    outcome: str
    """The outcome if no fault is injected, or if the fault is temporary."""
    forth: bool = True
    """Whether the service runs the old image at the start."""
    recoveries: int = 0
    """How often Recover is invoked: once for each execution that ends badly."""


def _push(shop: Shop, **behaviour: str) -> None:
    """Push while no rule is enabled, and send the event with the shop's name in the ids.

    So every call of the functions has the shop's name in its parameters, and a fault can be aimed at it.
    """
    digest = shop.push("v2", **behaviour)
    event = event_of(shop, "v2", digest)
    shop.account.start("ReleaseStateMachineArn", event, f"{shop.name}-v2")


def _push_good(shop: Shop) -> None:
    _push(shop)


def _push_bad(shop: Shop) -> None:
    _push(shop, behaviour="crash")


def _roll_back_manually(shop: Shop) -> None:
    """Put a second revision on the service without Slipway, and roll back to the first manually."""
    ecs, family = shop.account.aws.client("ecs"), shop.service.replace("/", "-")
    first = ecs.describe_task_definition(taskDefinition=f"{family}:1")["taskDefinition"]
    kept = ("networkMode", "cpu", "memory", "requiresCompatibilities", "containerDefinitions")
    digest = shop.push("by-hand")
    container = {**first["containerDefinitions"][0], "image": f"{shop.uri}@{digest}"}
    second = {**{name: first[name] for name in kept}, "containerDefinitions": [container]}
    arn = ecs.register_task_definition(family=family, **second)["taskDefinition"]
    cluster, _, name = shop.service.partition("/")
    ecs.update_service(cluster=cluster, service=name, taskDefinition=arn["taskDefinitionArn"])
    shop.running()
    start = {"service": shop.service, "to": f"{family}:1"}
    shop.account.start("RollbackStateMachineArn", start, f"{shop.name}-back")


def _stop(shop: Shop) -> None:
    faults.add(state="WaitForTasks", how="stop", containing=shop.service, cause="by the test")
    _push(shop)


STORIES = {
    "forth": Story(
        frozenset(
            {
                "ResolveRelease",
                "BeginDeployment",
                "RegisterTaskDefinition",
                "UpdateService",
                "CheckDeployment",
                "FinishDeployment",
                "Notify",
            }
        ),
        _push_good,
        "SUCCEEDED",
    ),
    "back": Story(frozenset({"RollBack"}), _push_bad, "ROLLED_BACK"),
    "manually": Story(
        frozenset({"ResolveRollback", "BeginDeployment", "RollBack"}),
        _roll_back_manually,
        "ROLLED_BACK",
        False,
    ),
    "recovered": Story(frozenset({"Recover"}), _stop, "ROLLED_BACK", recoveries=2),
}


def event_of(shop: Shop, tag: str, digest: str) -> dict[str, Any]:
    """The event that EventBridge would have delivered of a push."""
    found = shop.account.aws.client("ecr").describe_images(
        repositoryName=shop.repository, imageIds=[{"imageTag": tag}]
    )["imageDetails"][0]
    return {
        "id": f"{shop.name}-{tag}",
        "source": "aws.ecr",
        "account": ACCOUNT,
        "region": REGION,
        "detail-type": "ECR Image Action",
        "time": found["imagePushedAt"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "detail": {
            "result": "SUCCESS",
            "action-type": "PUSH",
            "repository-name": shop.repository,
            "image-tag": tag,
            "image-digest": digest,
        },
    }


def a_shop(account: Account) -> Shop:
    """A small shop whose name is in the parameters of every call that its deployments make."""
    return account.shop(tagged=False, tasks=1, cluster="in-{name}", alarms=("errors-of-{name}",))


def calls_in(account: Account, story: Story) -> list[Call]:
    """Run a story without a fault, and return the calls of its functions."""
    wait_for(
        lambda: not _running(account), "the executions of other tests to end", PATIENCE_SECONDS
    )
    before, recoveries = len(_calls(account)), _recoveries(account)
    with closing(a_shop(account)) as shop:
        story.start(shop)
        wait_for_end(shop)
    # The last one is about the execution that has just ended.
    wait_for(
        lambda: _recoveries(account) - recoveries >= story.recoveries,
        f"{story.recoveries} invocations of Recover",
        PATIENCE_SECONDS,
    )
    names = {name: logical_id for logical_id, name in account.functions().items()}
    counts: Counter[tuple[str, str]] = Counter()
    for call in _calls(account)[before:]:
        if names.get(call["function"]) in story.functions:
            action = f"{call['service']}:{call['action']}"
            if names[call["function"]] != "CheckDeployment" or action not in IN_SOME_CHECKS:
                counts[names[call["function"]], action] += 1
    for function, action in counts:
        if function == "CheckDeployment":
            counts[function, action] = IN_ONE_CHECK.get(action, 1)
    return [Call(*which, number + 1) for which, count in counts.items() for number in range(count)]


def _recoveries(account: Account) -> int:
    """How often Recover was invoked so far."""
    recover = account.functions()["Recover"]
    return sum(invocation.function == recover for invocation in awslambda.invocations())


def _calls(account: Account) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.get(
        f"{account.aws.url}/_localaws/calls", timeout=60
    ).json()
    return found


def wait_for_end(shop: Shop) -> None:
    """Wait for the end of the story."""
    wait_for(lambda: has_ended(shop), f"{shop.service} to end", PATIENCE_SECONDS, every=0.2)


def has_ended(shop: Shop) -> bool:
    """Whether people were notified, the service is free, and none of the shop's executions is running."""
    account = shop.account
    if not (shop.mails() or notified_of_release(shop)) or shop.record().claim:
        return False
    return (
        not any(shop.name in str(given) for given in _running(account))
        and all("outcome" in item for item in shop.history())
        and shop.settled()
    )


def _running(account: Account) -> list[dict[str, Any]]:
    """The inputs of the running executions."""
    return [
        each.input
        for output in (
            "ReleaseStateMachineArn",
            "RollbackStateMachineArn",
            "DeploymentStateMachineArn",
        )
        for each in account.executions(output)
        if each.status == "RUNNING"
    ]


def notified_of_release(shop: Shop) -> list[dict[str, Any]]:
    """The emails about the shop's releases that failed before their first deployment."""
    return [
        mail
        for mail in sns.mails()
        if mail["attributes"].get("repository") == shop.repository
        and "service" not in mail["attributes"]
    ]


def problems_of(shop: Shop, how: str, story: Story, fault: dict[str, Any]) -> list[str]:
    """The problems at the end of a story in which a fault was injected; empty if there are none."""
    outcomes = [item["outcome"] for item in shop.history()]
    runs_old = shop.running() == shop.v1
    wrong = []
    if fault["hits"] == 0:
        wrong.append("the fault was never met")
    if not set(outcomes) <= HONEST or len(outcomes) > 1:
        wrong.append(f"its outcomes are {outcomes}")
    if how != "deny" and outcomes != [story.outcome]:
        wrong.append(f"what passes changed the outcome to {outcomes}")
    # A story that starts on the new image ends on the old one only if it was rolled back; every other story
    # ends on the old one unless it succeeded.
    if runs_old is not (outcomes == ["ROLLED_BACK"] or (story.forth and outcomes != ["SUCCEEDED"])):
        wrong.append(f"it ended {outcomes} on the {'old' if runs_old else 'new'} image")
    # The ledger does not know a release or a manual rollback that could not be resolved.
    notified = outcomes or ["FAILED"]
    mails = shop.mails() or notified_of_release(shop)
    if [mail["attributes"]["outcome"] for mail in mails] not in (notified, notified * 2):
        wrong.append(f"people were notified of {[mail['subject'] for mail in shop.mails()]}")
    if shop.revisions() > 2:
        wrong.append(f"it has {shop.revisions()} revisions")
    return wrong
