"""Variables, the context object and Choice, where moto's interpreter differs from AWS.

- Output and Assign both see the variables as they were when the state was entered.
- ``$states.result`` and ``$states.errorOutput`` exist only if there is one; every state within a Map
  has ``$states.context.Map``; EnteredTime has AWS's format.
- A Pass has no result in JSONata.
- A Choice without a match fails with States.NoChoiceMatched. Its own Assign and Output apply to its
  Default. A Condition that is neither true nor false fails it.
- A failed evaluation is in the history for every type of state.
"""

from __future__ import annotations

import copy
import datetime
import json
from typing import Any

from moto.stepfunctions.parser.api import ExecutionFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.assign.assign_decl import AssignDecl
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.state import state as state_module
from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison import (
    ConditionStringJSONata,
)
from moto.stepfunctions.parser.asl.component.state.choice.state_choice import StateChoice
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.component.state.state_pass.state_pass import StatePass
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.states import States
from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore

from localaws.stepfunctions.jsonata import iso, query_evaluation_error
from localaws.stepfunctions.retry_and_catch import ASSIGNED, record

_MATCHED = "localaws.matched"  # in an environment's heap: whether a rule of the Choice matched


def _assign(self: AssignDecl, env: Environment) -> None:
    values: dict[str, Any] = {}
    for binding in self.declaration_bindings:
        binding.eval(env=env)
        values.update(env.stack.pop())
    env.heap[ASSIGNED] = values


_exited_event_details = CommonStateField._get_state_exited_event_details


def _exit(self: CommonStateField, env: Environment) -> Any:
    for name, value in env.heap.pop(ASSIGNED, {}).items():
        env.variable_store.set(variable_identifier=name, variable_value=value)
    return _exited_event_details(self, env)


def _assigned_variables(self: VariableStore) -> dict[str, str]:
    return {name: json.dumps(self.get(name)) for name in self._declaration_tracing}


def _reset(self: States, input_value: Any) -> None:
    self._states_data["input"] = copy.deepcopy(input_value)
    for key in ("result", "errorOutput"):
        self._states_data.pop(key, None)  # type: ignore[misc]


_inner_frame = Environment.as_inner_frame_of.__func__  # type: ignore[attr-defined]


def _frame_with_map(cls: type[Environment], env: Environment, *args: Any, **kwargs: Any) -> Any:
    frame = _inner_frame(cls, env, *args, **kwargs)
    context = env.states.context_object.context_object_data
    if "Map" in context:
        frame.states.context_object.context_object_data["Map"] = context["Map"]
    return frame


def now() -> datetime.datetime:
    """The time that an execution sees."""
    return datetime.datetime.now(datetime.UTC)


def _state_data(**fields: Any) -> dict[str, Any]:
    return {**fields, "EnteredTime": iso(now())}


def _choose(self: StateChoice, env: Environment) -> None:
    for rule in self.choices_decl.rules:
        rule.eval(env)
        if env.stack.pop() is True and rule.next_stmt:
            env.heap[_MATCHED] = True
            env.stack.append(rule.next_stmt.name)
            return
    if self.default_state is None:
        name = StatesErrorName(typ=StatesErrorNameType.StatesNoChoiceMatched)
        details = ExecutionFailedEventDetails(
            error=name.error_name, cause=f"No choice of the state '{self.name}' matched."
        )
        raise FailureEventException(
            FailureEvent(
                env=env,
                error_name=name,
                event_type=HistoryEventType.ExecutionFailed,
                event_details=EventDetails(executionFailedEventDetails=details),  # type: ignore[typeddict-item]
            )
        )
    env.stack.append(self.default_state.state_name)


def _choice_output(self: StateChoice, env: Environment) -> None:
    next_state_name = env.stack.pop()
    if not env.heap.get(_MATCHED):
        if self.assign_decl:
            self.assign_decl.eval(env=env)
        if self.output:
            self.output.eval(env=env)
    if self.output_path:
        self.output_path.eval(env=env)
    env.next_state_name = next_state_name


def _condition(self: ConditionStringJSONata, env: Environment) -> None:
    self.string_jsonata.eval(env=env)
    if not isinstance(env.stack[-1], bool):
        raise query_evaluation_error(
            env, f"Condition must be true or false, but is {json.dumps(env.stack[-1])}"
        )


_eval_pass = StatePass._eval_state


def _pass(self: StatePass, env: Environment) -> None:
    if self._is_language_query_jsonpath():
        _eval_pass(self, env)
    elif self.assign_decl:
        self.assign_decl.eval(env=env)


_eval_state_body = CommonStateField._eval_body


def _eval_state(self: CommonStateField, env: Environment) -> None:
    try:
        _eval_state_body(self, env)
    except FailureEventException as error:
        failure = error.failure_event
        evaluation = failure.event_type == HistoryEventType.EvaluationFailed
        if evaluation and not isinstance(self, ExecutionState):
            record(env, failure.event_type, failure.event_details)
        raise


def install() -> None:
    """Make the states work as on AWS."""
    AssignDecl._eval_body = _assign  # type: ignore[method-assign]
    CommonStateField._get_state_exited_event_details = _exit  # type: ignore[method-assign]
    VariableStore.get_assigned_variables = _assigned_variables  # type: ignore[method-assign]
    States.reset = _reset  # type: ignore[method-assign]
    Environment.as_inner_frame_of = classmethod(_frame_with_map)  # type: ignore[assignment,method-assign]
    state_module.StateData = _state_data  # type: ignore[attr-defined,assignment]
    StateChoice._eval_state = _choose  # type: ignore[method-assign]
    StateChoice._eval_state_output = _choice_output  # type: ignore[method-assign]
    ConditionStringJSONata._eval_body = _condition  # type: ignore[method-assign]
    StatePass._eval_state = _pass  # type: ignore[method-assign]
    CommonStateField._eval_body = _eval_state  # type: ignore[method-assign]
