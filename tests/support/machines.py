"""The state machines on a local AWS, run with scripted functions and without waiting."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from moto.stepfunctions.parser.asl.eval.environment import Environment

from localaws.aws import ACCOUNT
from localaws.server import LocalAws
from localaws.stepfunctions import stop
from tests.support import definitions, executions
from tests.support.definitions import Transition
from tests.support.scripted_functions import Functions

SETTLE_SECONDS = 5
ROLE = f"arn:aws:iam::{ACCOUNT}:role/states"

NOT_ASKED = {"NotifyNoChange": "false"}

Change = Callable[[dict[str, Any]], None]

_pause = stop.pause


@dataclass
class Clock:
    """Replaces the pauses of executions: a Wait or the pause before a retry is noted and takes no time.

    The execution sees the time as if it had waited.
    """

    pauses: list[tuple[str, float]] = field(default_factory=list)

    def now(self) -> datetime:
        """Replaces ``localaws.stepfunctions.states.now``."""
        return datetime.now(UTC) + timedelta(seconds=sum(seconds for _, seconds in self.pauses))

    def pause(self, env: Environment, seconds: float) -> None:
        """Replaces ``localaws.stepfunctions.stop.pause``."""
        context: Any = env.states.context_object.context_object_data
        self.pauses.append((context["State"]["Name"], seconds))
        _pause(env, 0)


@dataclass(frozen=True)
class Run:
    """An execution that has ended."""

    arn: str
    status: str
    error: str | None
    cause: str | None
    output: Any
    states: list[str]
    """The names of the entered states, in order."""
    calls: dict[str, list[Any]]
    """The inputs of each function's calls, including those of child executions."""
    pauses: list[tuple[str, float]]
    """The state and the seconds of each pause: of a Wait, or before a retry."""

    def called(self, function: str) -> Any:
        """The input of a function that must have been called exactly once."""
        (event,) = self.calls[function]
        return event


@dataclass
class Machine:
    """A state machine on the local AWS, and the transitions that its executions took."""

    arn: str
    definition: dict[str, Any]
    client: Any
    functions: Functions
    clock: Clock
    taken: set[Transition] = field(default_factory=set)
    """The transitions of its executions that have ended."""

    def run(self, given: Any, **script: Any) -> Run:
        """Run an execution to its end, with functions that answer by the script."""
        self.functions.play(script)
        self.clock.pauses.clear()
        run = self.ended(self.start(given))
        self.functions.check()
        return run

    def start(self, given: Any) -> str:
        """Start an execution; its ARN."""
        started = self.client.start_execution(stateMachineArn=self.arn, input=json.dumps(given))
        return str(started["executionArn"])

    def ended(self, arn: str) -> Run:
        """Wait for the end of an execution, and note the transitions that it took."""
        found = executions.ended(arn)
        history = self.history(arn)
        self.taken |= definitions.taken(self.definition, history)
        return Run(
            arn=arn,
            status=found["status"],
            error=found["error"],
            cause=found["cause"],
            output=json.loads(found["output"] or "null"),
            states=[
                event["stateEnteredEventDetails"]["name"]
                for event in history
                if "stateEnteredEventDetails" in event
            ],
            calls={
                name: [call.event for call in calls] for name, calls in self.functions.calls.items()
            },
            pauses=list(self.clock.pauses),
        )

    def history(self, arn: str) -> list[dict[str, Any]]:
        """The events of an execution so far."""
        return list(executions.backend().get_execution_history(arn)["events"])

    def executions(self) -> list[str]:
        """The ARNs of its executions so far, newest first."""
        return [each.arn for each in executions.listed(self.arn)]


class Machines:
    """The state machines as they are, and copies that tests have changed."""

    def __init__(self, aws: LocalAws, functions: Functions, clock: Clock) -> None:
        self._aws, self._functions, self._clock = aws, functions, clock
        self.made: list[Machine] = []
        self.deployment = self.deployment_but()
        self.release = self.release_but()
        self.rollback = self.rollback_but()

    def deployment_but(self, change: Change = lambda _: None) -> Machine:
        """A copy of the deployment state machine with a changed definition."""
        return self._make("deployment", change, NOT_ASKED)

    @cached_property
    def notifying_no_change(self) -> tuple[Machine, Machine]:
        """Release and deployment state machine with the parameter NotifyNoChange set to true."""
        asked = {"NotifyNoChange": "true"}
        deployment = self._make("deployment", lambda _: None, asked)
        return self._make_release(lambda _: None, deployment.arn, asked), deployment

    def release_but(self, change: Change = lambda _: None, of: str | None = None) -> Machine:
        """A copy of the release state machine with a changed definition.

        Args:
            of: the deployment state machine that it starts, if not the unchanged one.
        """
        return self._make_release(change, of or self.deployment.arn, NOT_ASKED)

    def rollback_but(self, change: Change = lambda _: None, of: str | None = None) -> Machine:
        """A copy of the rollback state machine with a changed definition.

        Args:
            of: the deployment state machine that it starts, if not the unchanged one.
        """
        child = {"DeploymentStateMachine": of or self.deployment.arn}
        return self._make("rollback", change, child)

    def _make_release(self, change: Change, child: str, asked: dict[str, str]) -> Machine:
        values = {"SettleSeconds": str(SETTLE_SECONDS), "DeploymentStateMachine": child}
        return self._make("release", change, values | asked)

    def _make(self, name: str, change: Change, values: dict[str, str]) -> Machine:
        all_values = {"Partition": "aws", **self._functions.arns, **values}
        definition = definitions.load(name, all_values)
        definitions.mark(definition)
        change(definition)
        client = self._aws.client("stepfunctions")
        made = client.create_state_machine(
            name=f"{name}-{len(self.made)}", definition=json.dumps(definition), roleArn=ROLE
        )
        machine = Machine(made["stateMachineArn"], definition, client, self._functions, self._clock)
        self.made.append(machine)
        return machine

    def transitions(self, name: str) -> set[Transition]:
        """The transitions that executions of this state machine and its copies took so far."""
        return {
            transition
            for machine in self.made
            if machine.arn.rpartition(":")[2].startswith(name)
            for transition in machine.taken
        }
