"""Both state machines on a local AWS, to be run with scripted functions and without waiting."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from localaws.aws import ACCOUNT, REGION
from localaws.server import LocalAws
from localaws.stepfunctions import stop
from tests.support import definitions
from tests.support.definitions import Transition
from tests.support.scripted_functions import Functions

SETTLE_SECONDS = 5
PATIENCE_SECONDS = 60  # with an execution on a slow machine; none takes a second on a fast one
ROLE = f"arn:aws:iam::{ACCOUNT}:role/states"

NOT_ASKED = {"NotifyNoChange": "false"}

Change = Callable[[dict[str, Any]], None]

_pause = stop.pause


@dataclass
class Clock:
    """Where a Wait or the pause before a retry takes no time; what it would have taken is noted."""

    pauses: list[tuple[str, float]] = field(default_factory=list)

    def pause(self, env: Environment, seconds: float) -> None:
        """In the place of ``stepfunctions_stop.pause``."""
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
    """In the order they were entered."""
    calls: dict[str, list[Any]]
    """What each function was given, child executions included."""
    pauses: list[tuple[str, float]]
    """The state, and the seconds that it waited: a Wait, or before a retry."""

    def called(self, function: str) -> Any:
        """What a function was given that was called once."""
        (event,) = self.calls[function]
        return event


@dataclass
class Machine:
    """One state machine."""

    arn: str
    definition: dict[str, Any]
    client: Any
    functions: Functions
    clock: Clock
    taken: set[Transition] = field(default_factory=set)
    """What its executions that have ended took."""

    def run(self, given: Any, **script: Any) -> Run:
        """Run it to its end with the functions answering by the script."""
        self.functions.play(script)
        self.clock.pauses.clear()
        run = self.ended(self.start(given))
        self.functions.check()
        return run

    def start(self, given: Any) -> str:
        """Start it; the execution's ARN."""
        started = self.client.start_execution(stateMachineArn=self.arn, input=json.dumps(given))
        return str(started["executionArn"])

    def ended(self, arn: str) -> Run:
        """Wait for the end of an execution, and note what ways it took."""
        # Not through the API: asking would be most of what these tests do.
        execution: Any = stepfunctions_parser_backends[ACCOUNT][REGION].describe_execution(arn)
        assert execution.ended.wait(PATIENCE_SECONDS), f"{arn} does not end"
        found = execution.describe()
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
        backend: Any = stepfunctions_parser_backends[ACCOUNT][REGION]
        return list(backend.get_execution_history(arn)["events"])

    def executions(self) -> list[str]:
        """Its executions so far, the newest first."""
        pages = self.client.get_paginator("list_executions").paginate(stateMachineArn=self.arn)
        return [execution["executionArn"] for page in pages for execution in page["executions"]]


class Machines:
    """Both state machines as they are, and such as a test has changed for its purpose."""

    def __init__(self, aws: LocalAws, functions: Functions, clock: Clock) -> None:
        self._aws, self._functions, self._clock = aws, functions, clock
        self.made: list[Machine] = []
        self.deployment = self.deployment_but()
        self.release = self.release_but()

    def deployment_but(self, change: Change = lambda _: None) -> Machine:
        """The deployment state machine, its definition changed."""
        return self._make("deployment", change, NOT_ASKED)

    @cached_property
    def notifying_no_change(self) -> tuple[Machine, Machine]:
        """Both, release and deployment, as the parameter NotifyNoChange makes them."""
        asked = {"NotifyNoChange": "true"}
        deployment = self._make("deployment", lambda _: None, asked)
        return self._make_release(lambda _: None, deployment.arn, asked), deployment

    def release_but(self, change: Change = lambda _: None, of: str | None = None) -> Machine:
        """The release state machine, its definition changed, or with deployments of another one."""
        return self._make_release(change, of or self.deployment.arn, NOT_ASKED)

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
        """What the executions of this state machine, and of the changed ones, took so far."""
        return {
            transition
            for machine in self.made
            if machine.arn.rpartition(":")[2].startswith(name)
            for transition in machine.taken
        }
