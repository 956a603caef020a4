"""Deployments to measure: one service on the local AWS, and pushes of good and bad images."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from localaws import aws, seed
from localaws.lambda_ import awslambda
from localaws.lambda_.awslambda import Invocation
from tools.bench import UnexpectedError, history, ledger, reading
from tools.bench.reading import CLUSTER, SERVICE, wait_for

REPOSITORY, ALARM = "bench/api", "api-5xx"
NAME = f"{CLUSTER}/{SERVICE}"
POLL_SECONDS = 1
SHORT, LONG = 3, 60  # seconds of bake
CRASH = {"localaws.behaviour": "crash"}


@dataclass
class Run:
    """One push and how its deployment went."""

    histories: tuple[list[history.Event], list[history.Event]]
    """The histories of the release and of its deployment."""
    invocations: list[Invocation]
    ledger: ledger.Use
    seconds: dict[str, float] = field(default_factory=dict)
    """The seconds between two events, by their names."""

    @property
    def counts(self) -> history.Counts:
        """What AWS would bill."""
        return history.count(*self.histories)


@dataclass
class Account:
    """An account with Slipway and one service."""

    outputs: dict[str, str]
    """The stack's outputs."""
    _pushes: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def ledger(self) -> ledger.Ledger:
        """The ledger."""
        return ledger.Ledger(self.outputs["LedgerTable"])

    def prepare(self) -> None:
        """Make the service, its alarm and its plan, and wait until it runs v1."""
        uri = seed.repository(REPOSITORY)
        # without a tag, so that no release starts
        digest = seed.push(REPOSITORY, None, seed.manifest("v1"))
        group = seed.target_group(SERVICE)
        seed.service(NAME, f"{uri}@{digest}", behind=[group])
        seed.alarm(ALARM)
        routes = [route(f"bake{n}-*", NAME, n, ALARM) for n in (0, SHORT, LONG)]
        seed.plan(REPOSITORY, {"routes": routes})
        wait_for(lambda: reading.primary()["rolloutState"] == "COMPLETED", "the service runs v1")

    def healthy(self) -> Run:
        """Push an image that is good."""
        run, pushed = self._run(0, {}, "SUCCEEDED")
        release, deployment = run.histories
        updated = reading.primary()["createdAt"]
        steps = {
            "delivery of the event": history.began(release),
            "ResolveRelease": history.began(deployment),
            "BeginDeployment": history.entered(deployment, "NotifyStart"),
            "NotifyStart": history.entered(deployment, "RegisterTaskDefinition"),
            "RegisterTaskDefinition": history.entered(deployment, "UpdateService"),
            "UpdateService": updated,
        }
        run.seconds["PutImage to UpdateService"] = between(pushed, updated)
        since = pushed
        for step, until in steps.items():
            run.seconds[f"  of it {step}"] = between(since, until)
            since = until
        run.seconds["PutImage to SUCCEEDED"] = between(pushed, release[-1]["timestamp"])
        return run

    def baking(self) -> Run:
        """Push an image that is good and bakes for several polls."""
        run, _ = self._run(SHORT, {}, "SUCCEEDED")
        return run

    def crashing(self) -> Run:
        """Push an image whose containers exit."""
        run, pushed = self._run(0, CRASH, "ROLLED_BACK")
        failed, updated = reading.first_failure(pushed), reading.primary()["createdAt"]
        run.seconds["first failed task to rollback's UpdateService"] = between(failed, updated)
        return run

    def alarmed(self, share_of_poll: float) -> Run:
        """Push an image that is good, and let its alarm fire after this part of a poll of its bake."""
        fired: list[datetime] = []

        def fire(deployment: str) -> None:
            bake(deployment, share_of_poll)
            _set_alarm("ALARM")
            (alarm,) = aws.client("cloudwatch").describe_alarms(AlarmNames=[ALARM])["MetricAlarms"]
            fired.append(alarm["StateTransitionedTimestamp"])

        run, _ = self._run(LONG, {}, "ROLLED_BACK", meanwhile=fire)
        _set_alarm("OK")
        updated = reading.primary()["createdAt"]
        run.seconds["alarm to rollback's UpdateService"] = between(fired[0], updated)
        return run

    def cooled(self) -> Run:
        """Push an image that needs every function, and whose first invocation of each one is cold."""
        awslambda.cool()
        return self.crashing()

    def push(self, bake_seconds: int, behaviour: dict[str, str]) -> tuple[str, datetime]:
        """Push an image that bakes for this long; return its tag and the time of the push."""
        tag = f"bake{bake_seconds}-{next(self._pushes)}"
        pushed = datetime.now(UTC)
        seed.push(REPOSITORY, tag, seed.manifest(tag, behaviour))
        return tag, pushed

    def executions(self, tag: str) -> tuple[str, str]:
        """The executions of the release that the push of this tag starts, and of its deployment."""
        machine = self.outputs["ReleaseStateMachineArn"]
        release = wait_for(lambda: reading.release_of(machine, tag), f"the release of {tag}")
        return release, wait_for(lambda: reading.deployment_of(release), f"a deployment of {tag}")

    def idle(self) -> None:
        """Wait until no execution is running."""
        machine = self.outputs["ReleaseStateMachineArn"]
        wait_for(lambda: not reading.running(machine), "the end of every release")

    def _run(
        self,
        bake_seconds: int,
        behaviour: dict[str, str],
        expected: str,
        meanwhile: Callable[[str], None] = lambda _deployment: None,
    ) -> tuple[Run, datetime]:
        invoked, called = len(awslambda.invocations()), len(ledger.calls())
        tag, pushed = self.push(bake_seconds, behaviour)
        release, deployment = self.executions(tag)
        held = wait_for(lambda: self.ledger.held(NAME), f"{tag} to hold the service")
        meanwhile(deployment)
        wait_for(lambda: reading.describe(release)["status"] != "RUNNING", f"the end of {tag}")
        ended = reading.describe(deployment)
        outcome = json.loads(ended.get("output", "{}")).get("outcome") or ended.get("error")
        if outcome != expected:
            raise UnexpectedError(f"{tag} ended {outcome}, not {expected}: {ended}")
        if ended["status"] == "FAILED":
            reading.recovered(invoked, 1)
        item = wait_for(lambda: self.ledger.ended(NAME, tag), f"{tag} in the ledger")
        versions = self.ledger.versions(NAME)
        use = ledger.use(ledger.calls()[called:], held, versions, item)
        histories = reading.history(release), reading.history(deployment)
        run = Run(histories, awslambda.invocations()[invoked:], use)
        if run.counts.invocations != len(run.invocations):
            raise UnexpectedError(f"{tag}: {run.counts} but {len(run.invocations)} invocations")
        return run, pushed


def route(tags: str, service: str, bake_seconds: int, *alarms: str) -> dict[str, Any]:
    """A plan's route to one service."""
    planned = {
        "service": service,
        "alarms": alarms,
        "bake_seconds": bake_seconds,
        "timeout_seconds": 60,
        "poll_seconds": POLL_SECONDS,
    }
    return {"tags": [tags], "stages": [{"name": "production", "services": [planned]}]}


def bake(deployment: str, share_of_poll: float) -> None:
    """Wait until the execution bakes, and then for this part of a poll."""
    wait_for(lambda: reading.has_entered(deployment, "Bake"), "the bake")
    time.sleep(share_of_poll * POLL_SECONDS)


def between(since: datetime, until: datetime) -> float:
    """The seconds between two moments."""
    return (until - since).total_seconds()


def _set_alarm(state: str) -> None:
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName=ALARM, StateValue=state, StateReason="the benchmark")
