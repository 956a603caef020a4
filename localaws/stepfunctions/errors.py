"""The names of errors in Tasks that call Lambda and Step Functions, and the length of every Cause.

An error in the SDK's model of the call has its own name, any other error the service's general name
(``Lambda.AWSLambdaException``), and a call without an answer is an ``SdkClientException``. moto has a
name for each code, and reports a lost connection as States.Runtime, which nothing can catch.

A Cause has 32,768 characters at most (SensitiveCause in botocore's model); Step Functions cuts a longer one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_aws_sdk as aws_sdk,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_lambda as lambda_invoke,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_sfn as sfn,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

from localaws.stepfunctions import sdk_integration

_CAUSE_LENGTH = 32_768
_OURS = 501  # an error of the local AWS itself keeps its name
_Original = Callable[[Any, Environment, Exception], FailureEvent]
_begin = FailureEvent.__init__


def _named(original: _Original, service: str | None, general: str | None) -> _Original:
    def from_error(self: Any, env: Environment, ex: Exception) -> FailureEvent:
        prefix = service or sdk_integration.service(self.resource.api_name)[1]
        if isinstance(ex, (HTTPClientError, NoConnectionError)):
            cause = f"Unable to execute HTTP request: {ex}"
            return _failure(self, env, f"{prefix}.SdkClientException", cause)
        failure = original(self, env, ex)
        if general and isinstance(ex, ClientError) and _status(ex) != _OURS:
            details: Any = failure.event_details
            cause = details["taskFailedEventDetails"]["cause"]
            return _failure(self, env, f"{prefix}.{_name(self, ex, general)}", cause)
        return failure

    return from_error


def _begin_with_cut_cause(self: FailureEvent, *args: Any, **kwargs: Any) -> None:
    _begin(self, *args, **kwargs)
    details: Any = self.event_details or {}
    for detail in details.values():
        if detail.get("cause"):
            detail["cause"] = detail["cause"][:_CAUSE_LENGTH]


def _status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def _name(task: Any, error: ClientError, general: str) -> str:
    operation = sdk_integration.operation(task._get_boto_service_name(), task.resource.api_action)
    code = error.response["Error"]["Code"]
    if code not in {shape.name for shape in operation.error_shapes}:
        return general
    return code if code.endswith("Exception") else f"{code}Exception"


def _failure(task: Any, env: Environment, error: str, cause: str) -> FailureEvent:
    details = TaskFailedEventDetails(
        error=error,
        cause=cause,
        resource=task._get_sfn_resource(),
        resourceType=task._get_sfn_resource_type(),
    )
    return FailureEvent(
        env=env,
        error_name=CustomErrorName(error),
        event_type=HistoryEventType.TaskFailed,
        event_details=EventDetails(taskFailedEventDetails=details),  # type: ignore[typeddict-item]
    )


def install() -> None:
    """Name errors and cut their causes as AWS does."""
    FailureEvent.__init__ = _begin_with_cut_cause  # type: ignore[method-assign]
    kinds: tuple[tuple[Any, str | None, str | None], ...] = (
        (lambda_invoke.StateTaskServiceLambda, "Lambda", "AWSLambdaException"),
        (sfn.StateTaskServiceSfn, "StepFunctions", "AWSStepFunctionsException"),
        (aws_sdk.StateTaskServiceAwsSdk, None, None),  # moto's other names for these are right
    )
    for kind, service, general in kinds:
        kind._from_error = _named(kind._from_error, service, general)
