"""Child executions: ``states:startExecution.sync`` and ``.sync:2``.

moto polls the child over HTTP twice a second. Here the task ends at the moment that the child ends, and
the child is stopped with the task. A child that does not succeed fails the task with
States.TaskFailed, with the child's description as the Cause, as on AWS.
"""

from __future__ import annotations

import json
import threading
from typing import Any

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
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_sfn as sfn,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import (
    ResourceCondition,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from localaws import aws
from localaws.stepfunctions.sdk_integration import pascal
from localaws.stepfunctions.stop import StoppedError, woken

_eval_integration_pattern = sfn.StateTaskServiceSfn._eval_integration_pattern


def _await_child(
    self: sfn.StateTaskServiceSfn,
    env: Environment,
    resource_runtime_part: Any,
    normalised_parameters: Any,
    state_credentials: Any,
) -> None:
    if self.resource.condition == ResourceCondition.WaitForTaskToken:
        _eval_integration_pattern(
            self, env, resource_runtime_part, normalised_parameters, state_credentials
        )
        return
    backend = stepfunctions_parser_backends[aws.ACCOUNT][aws.REGION]
    child: Any = backend.describe_execution(env.stack.pop()["ExecutionArn"])
    wake = threading.Event()
    child.wakers.add(wake)
    if child.ended.is_set():
        wake.set()
    with woken(env, wake):
        wake.wait()
    if not env.is_running():
        child.stop(error=None, cause="The task that waits for it was stopped.")
        raise StoppedError
    description = _description(child.describe(), self.resource.condition)
    if description["Status"] == "SUCCEEDED":
        env.stack.append(description)
        return
    name = StatesErrorName(typ=StatesErrorNameType.StatesTaskFailed)
    details = TaskFailedEventDetails(
        resource=self._get_sfn_resource(),
        resourceType=self._get_sfn_resource_type(),
        error=name.error_name,
        cause=json.dumps(description, ensure_ascii=False, separators=(",", ":")),
    )
    raise FailureEventException(
        FailureEvent(
            env=env,
            error_name=name,
            event_type=HistoryEventType.TaskFailed,
            event_details=EventDetails(taskFailedEventDetails=details),  # type: ignore[typeddict-item]
        )
    )


def _description(execution: dict[str, Any], condition: str | None) -> dict[str, Any]:
    """DescribeExecution in PascalCase, with times in milliseconds. For .sync:2 input and output
    are JSON.
    """
    described = {pascal(field): value for field, value in execution.items() if value is not None}
    for field in ("StartDate", "StopDate"):
        described[field] = int(described[field].timestamp() * 1000)
    for field in ("InputDetails", "OutputDetails"):
        if field in described:
            described[field] = {"Included": True}
    if condition == ResourceCondition.Sync2:
        for field in ("Input", "Output"):
            if field in described:
                described[field] = json.loads(described[field])
    return described


def install() -> None:
    """Make a task wait for its child execution."""
    sfn.StateTaskServiceSfn._eval_integration_pattern = _await_child  # type: ignore[assignment,method-assign]
