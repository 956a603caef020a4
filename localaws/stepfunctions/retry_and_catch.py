"""The attempts of a Task, Map or Parallel, with Retry and Catch.

moto's interpreter differs from AWS Step Functions in these points:

- A failed attempt ends everything that belongs to it: the other branches of a Parallel and iterations
  of a Map, and child executions.
- An error in Output or Assign is an error of the attempt, so it can be retried and caught.
- States.ALL catches neither States.Runtime nor States.DataLimitExceeded. States.TaskFailed catches
  everything else except States.Timeout.
- The names of AWS's own errors (States.TaskFailed) leave a Map, a Parallel and a Fail unchanged.
"""

from __future__ import annotations

import copy
import threading
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.catch.catch_outcome import CatchOutcome
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import (
    ErrorEqualsDecl,
)
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.retry.retry_outcome import RetryOutcome
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import EvalTimeoutError
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import iteration_worker
from moto.stepfunctions.parser.asl.component.state.exec.state_map.state_map import StateMap
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel import branches_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel.state_parallel import (
    StateParallel,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
from moto.stepfunctions.parser.asl.component.state.fail import state_fail
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

from localaws.stepfunctions.stop import StoppedError, cancel, woken

# The key of an environment's heap for the result of Assign, until the state exits.
ASSIGNED = "localaws.assigned"

_UNCATCHABLE = {"States.Runtime", "States.DataLimitExceeded"}
_FAILED = {
    StateMap: HistoryEventType.MapStateFailed,
    StateParallel: HistoryEventType.ParallelStateFailed,
}


def _eval_execution_state(self: ExecutionState, env: Environment) -> None:
    env.states.context_object.context_object_data["State"]["RetryCount"] = 0  # type: ignore[index]
    while env.is_running():
        try:
            _finish(self, env, _attempt(self, env))
        except Exception as error:  # noqa: BLE001 - every error is one of the state machine
            if not env.is_running():
                return
            if _handled(self, env, self._from_error(env=env, ex=error)):
                continue
        return


def _attempt(self: ExecutionState, env: Environment) -> Any:
    """Do the work of the state in a frame and a thread of its own, and return the result."""
    self.timeout.eval(env=env)
    timeout_seconds = env.stack.pop()
    frame = env.open_frame()
    frame.states.reset(input_value=env.states.get_input())
    frame.stack = copy.deepcopy(env.stack)
    results: list[Any] = []
    errors: list[Exception] = []
    done = threading.Event()

    def work() -> None:
        try:
            self._eval_execution(frame)
            results.append(frame.stack[-1])
        except Exception as error:  # noqa: BLE001 - raised again by who waits
            errors.append(error)
        done.set()

    try:
        with woken(env, done):
            threading.Thread(target=work, daemon=True).start()
            in_time = done.wait(timeout_seconds)
        if not env.is_running():
            raise StoppedError
        if errors:
            raise errors[0]
        if not in_time:
            raise EvalTimeoutError
        frame.set_ended()
        return results[0]
    finally:
        if frame.is_running():
            cancel(frame)
        env.close_frame(frame)


def _finish(self: ExecutionState, env: Environment, result: Any) -> None:
    env.stack.append(result)
    jsonpath = self._is_language_query_jsonpath()
    if not jsonpath:
        env.states.set_result(result)
    if self.assign_decl:
        self.assign_decl.eval(env=env)
    if jsonpath and self.result_selector:
        self.result_selector.eval(env=env)
    if jsonpath and self.result_path:
        self.result_path.eval(env)
    CommonStateField._eval_state_output(self, env)


def _handled(self: ExecutionState, env: Environment, failure: FailureEvent) -> bool:
    """Record a failed attempt. Returns True for a retry and False for a Catch, and raises the
    error otherwise.
    """
    if isinstance(self, StateTask) or failure.event_type == HistoryEventType.EvaluationFailed:
        record(env, failure.event_type, failure.event_details)
    error_output = self._construct_error_output_value(failure_event=failure)
    env.states.set_error_output(error_output)
    if self._is_language_query_jsonpath():
        env.states.set_result(error_output)
    if self.retry and self._handle_retry(env, failure) == RetryOutcome.CanRetry:
        return True
    if not env.is_running():
        raise StoppedError
    for kind, event_type in _FAILED.items():
        if isinstance(self, kind):
            record(env, event_type)
    if self.catch:
        env.heap.pop(ASSIGNED, None)  # Assign may have succeeded before Output failed
        self._handle_catch(env=env, failure_event=failure)
        if env.stack[-1] == CatchOutcome.Caught:
            return False
    raise FailureEventException(failure_event=failure)


def record(
    env: Environment, event_type: HistoryEventType, details: EventDetails | None = None
) -> None:
    """Add an event to the execution's history."""
    env.event_manager.add_event(
        context=env.event_history_context, event_type=event_type, event_details=details
    )


def _no_output(self: ExecutionState, env: Environment) -> None:
    """Nothing: the successful attempt or the Catch has already evaluated Output."""


_eval_branches = StateParallel._eval_execution


def _eval_parallel(self: StateParallel, env: Environment) -> None:
    if self.parargs is not None:
        self.parargs.eval(env=env)
    _eval_branches(self, env)


def _error_equals(self: ErrorEqualsDecl, env: Environment) -> None:
    error: str | None = env.stack.pop().error_name
    names = {name.error_name for name in self.error_names}
    wildcard = error not in _UNCATCHABLE and (
        "States.ALL" in names or ("States.TaskFailed" in names and error != "States.Timeout")
    )
    env.stack.append(error in names or wildcard)


def _error_name(error_name: str | None) -> ErrorName:
    return ErrorName(error_name)


def install() -> None:
    """Attempt, retry and catch as AWS does."""
    for kind in (ExecutionState, StateMap, StateParallel):
        kind._eval_state = _eval_execution_state  # type: ignore[method-assign]
    ExecutionState._eval_state_output = _no_output  # type: ignore[method-assign]
    StateParallel._eval_execution = _eval_parallel  # type: ignore[method-assign]
    ErrorEqualsDecl._eval_body = _error_equals  # type: ignore[method-assign]
    for module in (branches_decl, iteration_worker, state_fail):
        module.CustomErrorName = _error_name  # type: ignore[attr-defined]
