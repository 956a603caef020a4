"""The order of the events: each function's good path, and its most telling bad one.

First comes a deployment of v1 that goes well. Each step is invoked with its recorded event, so that it
finds what those before it have recorded. Then comes one of v2, which crashes: its execution is stopped
when v2 is on the service, and the steps that end it are invoked. The last one is of v3, whose execution
dies, for Recover.

A deployment begins only while the execution of its release is running. So before it, such an execution is
started, which waits for its push to settle.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from localaws import seed
from localaws.cloudformation.types import custom
from localaws.faults import faults
from tools.demo import story
from tools.samlocal import slack
from tools.samlocal.account import SLACK_SECRET, Account, recorded

Invoke = Callable[[str, Any], Any]
"""Invokes a function (its logical ID) with an event; returns the answer."""


def _nothing(_account: Account) -> None:
    pass


@dataclass(frozen=True)
class Sent:
    """An event, and what it needs in addition to what the events before it have recorded."""

    name: str
    """The name of its file: ``roll_back``, ``bad/roll_back``."""
    prepare: Callable[[Account], None] = _nothing

    @property
    def function(self) -> str:
        """The logical ID of the function that gets it."""
        return "".join(word.capitalize() for word in self.name.removeprefix("bad/").split("_"))


def answers(account: Account, invoke: Invoke) -> Iterator[tuple[str, Any]]:
    """Each event's name and answer, in the order of PATH."""
    with ThreadPoolExecutor() as pool:
        for line in PATH:
            for sent in line:
                sent.prepare(account)
            yield from pool.map(lambda sent: _answer(account, invoke, sent), line)


def _answer(account: Account, invoke: Invoke, sent: Sent) -> tuple[str, Any]:
    event = account.event(sent.name)
    answer = invoke(sent.function, event)
    if sent.function in ("PutFirstImage", "ReservePrefix"):  # they answer CloudFormation
        answer = {"answer": answer, "sent": custom.take_answer(event["RequestId"])}
    return sent.name, answer


def event_name(function: str) -> str:
    """The name of a function's event, and of its file: CheckDeployment's is check_deployment."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in function).lstrip("_")


def _without_the_reservation(account: Account) -> None:
    account.aws.client("ssm").delete_parameter(Name="/slipway/slipway-stack")


def _without_the_first_image(account: Account) -> None:
    account.aws.client("ssm").delete_parameter(Name=f"/slipway/images/{story.SERVICE}")


def _the_release_of_v1(account: Account) -> None:
    account.wait_for_push(recorded("resolve_release")["execution"].rpartition(":")[2])


def _push(release: str, tag: str, at: str) -> Any:
    """The push that leads to this release: v1's, with another tag."""
    push = recorded("ecr_push")
    detail = {key: value for key, value in push["detail"].items() if key != "image-digest"}
    return {**push, "id": release, "time": at, "detail": {**detail, "image-tag": tag}}


def _v1_on_the_service(account: Account) -> None:
    account.anew[recorded("check_deployment")["watch"]["update"]["deployment_id"]] = (
        account.settled()
    )


def _v2_on_the_service(account: Account) -> None:
    claim, ending = recorded("bad/check_deployment")["claim"], recorded("bad/finish_deployment")
    release = ending["deployment"]["release"]
    push = _push(release["id"], "v2", release["released_at"])
    account.anew[release["id"]] = account.release(release["id"], push, release["released_at"])
    start = account.event("bad/finish_deployment")["start"]
    account.died(claim["execution"], json.dumps(start), "CheckDeployment")
    account.anew[claim["deployment"]] = account.deployment_of(claim["execution"])
    account.anew[ending["update"]["deployment_id"]] = account.settled()


def _v2_started_again(account: Account) -> None:
    given = recorded("bad/begin_deployment")
    start, release = {**recorded("manual_start"), "tag": "v2"}, given["start"]["release"]
    account.anew[release] = account.release(release, start, given["started_at"])


def _a_dead_execution(account: Account) -> None:
    event = recorded("recover")
    detail, release = event["detail"], json.loads(event["detail"]["input"])["release"]
    push = _push(release, "v3", event["time"])
    account.anew[release] = account.release(release, push, event["time"])
    given = account.event("recover")["detail"]["input"]
    account.died(detail["executionArn"], given, "CheckDeployment")
    last = json.loads(recorded("bad/recover")["detail"]["input"])
    account.anew[last["recover"]] = account.deployment_of(detail["executionArn"])
    faults.add(state="BeginDeployment", how="stop")  # for executions that Recover starts


def _a_third_dead_recovery(account: Account) -> None:
    detail = account.event("bad/recover")["detail"]
    account.recovered_thrice(json.loads(detail["input"])["recover"], detail["executionArn"])
    account.died(detail["executionArn"], detail["input"], "BeginDeployment")


def _a_push_whose_event_was_lost(_account: Account) -> None:
    seed.push(story.REPOSITORY, "v4", seed.manifest("v4"))


def _a_plan_that_is_not_json(_account: Account) -> None:
    seed.plan(story.REPOSITORY, "{'routes': []}")


def _a_secret(account: Account) -> None:
    account.aws.client("ssm").put_parameter(
        Name=SLACK_SECRET, Type="SecureString", Value=slack.TOKEN, Overwrite=True
    )


def _a_revoked_token(account: Account) -> None:
    account.slack.revoked = True


PATH = (
    (Sent("put_first_image", _without_the_first_image),),
    (Sent("reserve_prefix", _without_the_reservation),),
    (Sent("bad/reserve_prefix"),),
    (Sent("bad/put_first_image"), Sent("resolve_release")),
    (Sent("bad/resolve_release"), Sent("begin_deployment", _the_release_of_v1)),
    (Sent("bad/register_task_definition"), Sent("register_task_definition")),
    (Sent("bad/update_service"), Sent("update_service")),
    (Sent("check_deployment", _v1_on_the_service), Sent("notify_slack", _a_secret)),
    (Sent("finish_deployment"), Sent("bad/notify_slack", _a_revoked_token)),
    (Sent("notify"), Sent("resolve_rollback"), Sent("bad/resolve_rollback")),
    (Sent("bad/check_deployment", _v2_on_the_service), Sent("bad/roll_back")),
    (Sent("roll_back"),),
    (Sent("bad/finish_deployment"),),
    (Sent("bad/notify"), Sent("bad/begin_deployment", _v2_started_again)),
    (Sent("recover", _a_dead_execution), Sent("operate"), Sent("bad/operate")),
    (Sent("bad/recover", _a_third_dead_recovery), Sent("sweep", _a_push_whose_event_was_lost)),
    (Sent("bad/sweep", _a_plan_that_is_not_json),),
)
"""The events of one line are sent at the same time, because they don't affect each other."""
NAMES = sorted(sent.name for line in PATH for sent in line)
