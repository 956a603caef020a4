"""The size of the data of an execution: 262,144 bytes of UTF-8.

moto compares results and outputs with it, but counts other bytes: escapes for characters beyond ASCII, and
spaces. It does not look at the arguments of a Task, nor at the input of an execution.
"""

from __future__ import annotations

import json
from typing import Any

from moto.stepfunctions.parser import quotas
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
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
from moto.stepfunctions.parser.asl.component.state import state
from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task_lambda
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

from localaws.stepfunctions import sdk_integration

DATA_BYTES = 262_144


class _Encoder(json.JSONEncoder):
    def default(self, o: Any) -> Any:
        return sdk_integration.response(o, None)


def fits(value: Any) -> bool:
    """Whether a value is small enough, as compact JSON."""
    text = json.dumps(value, cls=_Encoder, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode(errors="surrogatepass")) <= DATA_BYTES


def _refusing(eval_parameters: Any) -> Any:
    def parameters_of(self: StateTask, env: Environment) -> Any:
        parameters = eval_parameters(self, env)
        if not fits(parameters):
            raise _too_large(self, env)
        return parameters

    return parameters_of


def _too_large(task: StateTask, env: Environment) -> FailureEventException:
    name = StatesErrorName(typ=StatesErrorNameType.StatesStatesDataLimitExceeded)
    details = TaskFailedEventDetails(
        error=name.error_name,
        cause=f"The arguments of the state/task '{task.name}' have more than {DATA_BYTES} bytes.",
        resource=task.resource.resource_arn,
        resourceType="states",
    )
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=name,
            event_type=HistoryEventType.TaskFailed,
            event_details=EventDetails(taskFailedEventDetails=details),  # type: ignore[typeddict-item]
        )
    )


def install() -> None:
    """Compare everything with the limit. This wraps the arguments of tasks, so it is installed after them."""
    StateTask._eval_parameters = _refusing(StateTask._eval_parameters)  # type: ignore[method-assign]
    for module in (quotas, state, state_task_lambda, state_task_service):
        module.is_within_size_quota = fits  # type: ignore[attr-defined]
