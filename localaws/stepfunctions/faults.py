"""Faults that stop an execution of a state machine at a certain moment, as StopExecution does.

The execution stops either as it enters a state, which is in the history, before the state does
anything; or once a process runs the invocation of a Task. The function then goes on, as on AWS.
"""

from __future__ import annotations

import datetime
import json
import threading
from typing import Any

from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_lambda import (
    StateTaskServiceLambda,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_lambda import (
    StateTaskLambda,
)
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.environment import Environment

from localaws import aws
from localaws.faults import faults
from localaws.stepfunctions import lambda_permissions
from localaws.stepfunctions.stop import StoppedError

_INVOKE = (StateTaskServiceLambda, StateTaskLambda)
_SPACINGS = ((",", ":"), (", ", ": "))  # the two common ways to write JSON

_calling = threading.local()  # .task: the mark of this thread's next invocation


def _entry(env: Environment, state: str, when: str) -> faults.Entry:
    context: Any = env.states.context_object.context_object_data
    given = context["Execution"]["Input"]
    texts = [json.dumps(given, ensure_ascii=False, separators=each) for each in _SPACINGS]
    texts.append(context["Execution"]["Name"])
    return faults.Entry(state, context["StateMachine"]["Id"], when, tuple(texts))


def _stop(env: Environment, fault: faults.Fault) -> None:
    root = getattr(env, "root", env)
    now = datetime.datetime.now(datetime.UTC)
    root.set_stop(stop_date=now, error=fault.error, cause=fault.cause)


_eval_state_input = CommonStateField._eval_state_input


def _enter(self: CommonStateField, env: Environment) -> None:
    if faults.concern_state(self.name):
        fault = faults.meet(_entry(env, self.name, "entered"))
        if fault is not None:
            _stop(env, fault)
            raise StoppedError
        if not isinstance(self, _INVOKE) and faults.expect(_entry(env, self.name, "running")):
            raise NotImplementedError(f"a fault on '{self.name}' running: it is no Lambda Task")
    _eval_state_input(self, env)


def _invoke(env: Environment, **call: Any) -> None:
    context: Any = env.states.context_object.context_object_data
    state = context["State"]["Name"]
    if not faults.concern_state(state):
        lambda_permissions.invoke(env, **call)
        return
    entry = _entry(env, state, "running")

    def in_flight() -> None:
        fault = faults.meet(entry)
        if fault is not None:
            _stop(env, fault)

    with faults.flight(in_flight) as task:
        _calling.task = task
        try:
            lambda_permissions.invoke(env, **call)
        finally:
            del _calling.task


def _marking(client_for: Any) -> Any:
    """Mark the invocation on which there is a fault, by a header."""

    def client(**wanted: Any) -> Any:
        task = getattr(_calling, "task", None)
        if task is None:
            return client_for(**wanted)
        own = aws.new_client("lambda")  # a handler stays with its client

        def mark(request: Any, **_: Any) -> None:
            request.headers[faults.TASK_HEADER] = task

        own.meta.events.register("before-send.lambda.Invoke", mark)
        return own

    return client


def _with_root(as_inner_frame_of: Any) -> Any:
    """Let a frame know the environment of its execution."""

    def frame_of(cls: type[Environment], env: Environment, *args: Any, **kwargs: Any) -> Any:
        frame = as_inner_frame_of(cls, env, *args, **kwargs)
        frame.root = getattr(env, "root", env)
        return frame

    return classmethod(frame_of)


def install() -> None:
    """Apply faults to executions. This wraps the other modules' replacements, so it is installed
    last.
    """
    CommonStateField._eval_state_input = _enter  # type: ignore[method-assign]
    calls: Any = lambda_eval_utils
    calls.execute_lambda_function_integration = _invoke
    calls.boto_client_for = _marking(calls.boto_client_for)
    frame = Environment.as_inner_frame_of.__func__  # type: ignore[attr-defined]
    Environment.as_inner_frame_of = _with_root(frame)  # type: ignore[method-assign]
