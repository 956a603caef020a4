"""Deployments to measure: one service on the local AWS, and pushes that end well or badly."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bench import UnexpectedError, history, looking
from bench.looking import CLUSTER, SERVICE, wait_for
from localaws import aws, awslambda, seed
from localaws.awslambda import Invocation

REPOSITORY, ALARM = "bench/api", "api-5xx"
POLL_SECONDS = 1
SHORT, LONG = 3, 60  # seconds of bake
CRASH = {"localaws.behaviour": "crash"}


@dataclass
class Run:
    """One push and what became of it."""

    histories: tuple[list[history.Event], list[history.Event]]
    """Of the release and of its deployment."""
    invocations: list[Invocation]
    seconds: dict[str, float] = field(default_factory=dict)
    """By what they lie between."""

    @property
    def counts(self) -> history.Counts:
        """What AWS would bill for."""
        return history.count(self.histories)


@dataclass
class Account:
    """An account with Slipway and one service."""

    release_state_machine: str
    _pushes: itertools.count[int] = field(default_factory=itertools.count)

    def prepare(self) -> None:
        """Make the service, its alarm and its plan, and let it run v1."""
        uri = seed.repository(REPOSITORY)
        digest = seed.push(REPOSITORY, "v1", seed.manifest("v1"))
        group = seed.target_group(SERVICE)
        seed.service(f"{CLUSTER}/{SERVICE}", f"{uri}@{digest}", behind=[group])
        seed.alarm(ALARM)
        seed.plan(REPOSITORY, {"routes": [_route(f"bake{n}-*", n) for n in (0, SHORT, LONG)]})
        wait_for(lambda: looking.primary()["rolloutState"] == "COMPLETED", "the service runs v1")
        ignored = wait_for(lambda: self._release("v1"), "the release of v1, which has no route")
        wait_for(lambda: looking.describe(ignored)["status"] != "RUNNING", "the end of v1")

    def healthy(self) -> Run:
        """Push an image that is good."""
        run, pushed = self._run(0, {}, "SUCCEEDED")
        release, deployment = run.histories
        updated = looking.primary()["createdAt"]
        steps = {
            "delivery of the event": history.began(release),
            "ResolveRelease": history.began(deployment),
            "BeginDeployment": history.entered(deployment, "RegisterTaskDefinition"),
            "RegisterTaskDefinition": history.entered(deployment, "UpdateService"),
            "UpdateService": updated,
        }
        run.seconds["PutImage to UpdateService"] = _between(pushed, updated)
        since = pushed
        for step, until in steps.items():
            run.seconds[f"  of it {step}"] = _between(since, until)
            since = until
        run.seconds["PutImage to SUCCEEDED"] = _between(pushed, release[-1]["timestamp"])
        return run

    def baking(self) -> Run:
        """Push an image that is good and has to stay so for several polls."""
        run, _ = self._run(SHORT, {}, "SUCCEEDED")
        return run

    def crashing(self) -> Run:
        """Push an image whose containers exit."""
        run, pushed = self._run(0, CRASH, "ROLLED_BACK")
        failed, updated = looking.first_failure(pushed), looking.primary()["createdAt"]
        run.seconds["first failed task to rollback's UpdateService"] = _between(failed, updated)
        return run

    def alarmed(self, share_of_poll: float) -> Run:
        """Push an image that is good, and let its alarm fire so far into a poll of its bake."""
        fired: list[datetime] = []

        def fire(deployment: str) -> None:
            wait_for(lambda: looking.has_entered(deployment, "Bake"), "the bake")
            time.sleep(share_of_poll * POLL_SECONDS)
            _set_alarm("ALARM")
            (alarm,) = aws.client("cloudwatch").describe_alarms(AlarmNames=[ALARM])["MetricAlarms"]
            fired.append(alarm["StateTransitionedTimestamp"])

        run, _ = self._run(LONG, {}, "ROLLED_BACK", meanwhile=fire)
        _set_alarm("OK")
        updated = looking.primary()["createdAt"]
        run.seconds["alarm to rollback's UpdateService"] = _between(fired[0], updated)
        return run

    def cooled(self) -> Run:
        """Push an image that needs every function, each of them cold at its first invocation."""
        client, change = aws.client("lambda"), str(next(self._pushes))
        for function in client.list_functions()["Functions"]:
            variables = {**function["Environment"]["Variables"], "BENCH_COOLED": change}
            client.update_function_configuration(
                FunctionName=function["FunctionName"], Environment={"Variables": variables}
            )
        return self.crashing()

    def memory_mb(self) -> int:
        """What every function has."""
        functions = aws.client("lambda").list_functions()["Functions"]
        (memory,) = {function["MemorySize"] for function in functions}
        return int(memory)

    def _run(
        self,
        bake_seconds: int,
        behaviour: dict[str, str],
        expected: str,
        meanwhile: Callable[[str], None] = lambda _deployment: None,
    ) -> tuple[Run, datetime]:
        tag = f"bake{bake_seconds}-{next(self._pushes)}"
        invoked = len(awslambda.invocations())
        pushed = datetime.now(UTC)
        seed.push(REPOSITORY, tag, seed.manifest(tag, behaviour))
        release = wait_for(lambda: self._release(tag), f"the release of {tag}")
        deployment = wait_for(lambda: looking.deployment_of(release), f"the deployment of {tag}")
        meanwhile(deployment)
        wait_for(lambda: looking.describe(release)["status"] != "RUNNING", f"the end of {tag}")
        ended = looking.describe(deployment)
        outcome = json.loads(ended.get("output", "{}")).get("outcome") or ended.get("error")
        if outcome != expected:
            raise UnexpectedError(f"{tag} ended {outcome}, not {expected}: {ended}")
        histories = looking.history(release), looking.history(deployment)
        run = Run(histories, awslambda.invocations()[invoked:])
        if run.counts.invocations != len(run.invocations):
            raise UnexpectedError(f"{tag}: {run.counts} but {len(run.invocations)} invocations")
        return run, pushed

    def _release(self, tag: str) -> str | None:
        return looking.release_of(self.release_state_machine, tag)


def _set_alarm(state: str) -> None:
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName=ALARM, StateValue=state, StateReason="the benchmark")


def _route(tags: str, bake_seconds: int) -> dict[str, Any]:
    service = {
        "service": f"{CLUSTER}/{SERVICE}",
        "alarms": [ALARM],
        "bake_seconds": bake_seconds,
        "timeout_seconds": 60,
        "poll_seconds": POLL_SECONDS,
    }
    return {"tags": [tags], "stages": [{"name": "production", "services": [service]}]}


def _between(since: datetime, until: datetime) -> float:
    return (until - since).total_seconds()
