"""The events in the order in which they are told, each function's good path and its most telling bad one.

One deployment of v1 that goes well, each step invoked with its recorded event, so that each finds what
those before it have left. Then one of v2, which crashes: its execution is stopped once v2 is on the
service, and the steps that end it are invoked. Then one of v3, whose execution dies, for Recover.
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
"""Function (logical id) and event to answer."""


def _nothing(_account: Account) -> None:
    pass


@dataclass(frozen=True)
class Told:
    """An event that is told, and what has to be there for it besides what the events before it left."""

    name: str
    """As its file has it: ``roll_back``, ``bad/roll_back``."""
    prepare: Callable[[Account], None] = _nothing

    @property
    def function(self) -> str:
        """The logical id of the function that it is told to."""
        return "".join(word.capitalize() for word in self.name.removeprefix("bad/").split("_"))


def answers(account: Account, invoke: Invoke) -> Iterator[tuple[str, Any]]:
    """Each event's name, and the answer to it, in the order of PATH."""
    with ThreadPoolExecutor() as pool:
        for line in PATH:
            for told in line:
                told.prepare(account)
            yield from pool.map(lambda told: _answer(account, invoke, told), line)


def _answer(account: Account, invoke: Invoke, told: Told) -> tuple[str, Any]:
    event = account.event(told.name)
    answer = invoke(told.function, event)
    if told.function == "PutFirstImage":  # which answers CloudFormation
        answer = {"answer": answer, "told": custom.take_answer(event["RequestId"])}
    return told.name, answer


def event_name(function: str) -> str:
    """The name of a function's event, and of its file: CheckDeployment's is check_deployment."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in function).lstrip("_")


def _without_the_first_image(account: Account) -> None:
    account.aws.client("ssm").delete_parameter(Name=f"/slipway/images/{story.SERVICE}")


def _v1_on_the_service(account: Account) -> None:
    account.anew[recorded("check_deployment")["watch"]["deployment_id"]] = account.settled()


def _v2_on_the_service(account: Account) -> None:
    hold, ending = recorded("bad/check_deployment")["hold"], recorded("bad/finish_deployment")
    account.died(hold["execution"], json.dumps(ending["deployment"]), "CheckDeployment")
    account.anew[hold["deployment"]] = account.deployment_of(hold["execution"])
    account.anew[ending["update"]["deployment_id"]] = account.settled()


def _a_dead_execution(account: Account) -> None:
    detail = recorded("recover")["detail"]
    account.died(detail["executionArn"], detail["input"], "CheckDeployment")
    last = json.loads(recorded("bad/recover")["detail"]["input"])
    account.anew[last["deployment"]] = account.deployment_of(detail["executionArn"])
    faults.add(state="BeginDeployment", how="stop")  # of what Recover starts


def _a_third_dead_recovery(account: Account) -> None:
    detail = account.event("bad/recover")["detail"]
    account.died(detail["executionArn"], detail["input"], "BeginDeployment")


def _a_push_that_nobody_told_of(_account: Account) -> None:
    seed.push(story.REPOSITORY, "v4", seed.manifest("v4"))
    faults.add(state="ResolveRelease", how="stop")  # of what Sweep starts


def _a_plan_that_is_not_json(_account: Account) -> None:
    seed.plan(story.REPOSITORY, "{'routes': []}")


def _a_secret(account: Account) -> None:
    account.aws.client("ssm").put_parameter(
        Name=SLACK_SECRET, Type="SecureString", Value=slack.TOKEN, Overwrite=True
    )


def _a_revoked_token(account: Account) -> None:
    account.slack.revoked = True


PATH = (
    (Told("put_first_image", _without_the_first_image),),
    (Told("bad/put_first_image"), Told("resolve_release")),
    (Told("bad/resolve_release"), Told("begin_deployment")),
    (Told("bad/register_task_definition"), Told("register_task_definition")),
    (Told("bad/update_service"), Told("update_service")),
    (Told("check_deployment", _v1_on_the_service), Told("tell_slack", _a_secret)),
    (Told("finish_deployment"), Told("bad/tell_slack", _a_revoked_token)),
    (Told("notify"),),
    (Told("bad/check_deployment", _v2_on_the_service), Told("bad/roll_back")),
    (Told("roll_back"),),
    (Told("bad/finish_deployment"),),
    (Told("bad/notify"), Told("bad/begin_deployment")),
    (Told("recover", _a_dead_execution),),
    (Told("bad/recover", _a_third_dead_recovery), Told("sweep", _a_push_that_nobody_told_of)),
    (Told("bad/sweep", _a_plan_that_is_not_json),),
)
"""Those of one line are told at the same time: none makes a difference to the other."""
NAMES = sorted(told.name for line in PATH for told in line)
