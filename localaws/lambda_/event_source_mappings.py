"""The API of event source mappings: what Lambda accepts and refuses, before event_sources.py polls.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
"""

from __future__ import annotations

from typing import Any

from moto.awslambda.exceptions import (
    InvalidParameterValueException,
    LambdaClientError,
)
from moto.awslambda.models import EventSourceMapping, LambdaBackend, LambdaFunction, lambda_backends
from moto.sqs.models import Queue

from localaws import aws
from localaws.iam import iam
from localaws.lambda_.destinations import QUEUE
from localaws.lambda_.event_sources import ACTIONS, Pollers, check_role, queue_of

_SIMULATED = {
    *("BatchSize", "Enabled", "EventSourceArn", "FunctionName", "FunctionResponseTypes"),
    *("ScalingConfig", "Tags"),
}
_LARGEST_BATCH = 10

_update = LambdaBackend.update_event_source_mapping
_delete = LambdaBackend.delete_event_source_mapping

_pollers = Pollers()


def install() -> None:
    """Accept the mappings that are simulated, and refuse the rest."""
    backend = LambdaBackend
    backend.create_event_source_mapping = _create  # type: ignore[method-assign]
    backend.update_event_source_mapping = _update_or_fail  # type: ignore[method-assign]
    backend.delete_event_source_mapping = _delete_or_fail  # type: ignore[method-assign]


def start() -> None:
    """Poll for the mappings that a saved state has; a new local AWS has none."""
    global _pollers
    _pollers = Pollers()
    for mapping in lambda_backends[aws.ACCOUNT][aws.REGION]._event_source_mappings.values():
        _pollers.start(mapping)


def stop() -> None:
    """Receive no more messages."""
    _pollers.stop()


def join() -> None:
    """Wait for the invocations that were in progress at the stop."""
    _pollers.join()


def _create(self: LambdaBackend, spec: dict[str, Any]) -> EventSourceMapping:
    _check_settings("CreateEventSourceMapping", spec)
    arn = spec.get("EventSourceArn", "")
    if not QUEUE.fullmatch(arn):
        raise NotImplementedError(
            f"Lambda CreateEventSourceMapping: EventSourceArn {arn}, which is no standard SQS queue of"
            " this account"
        )
    function = self.get_function(spec["FunctionName"])
    _check_source(function, _queue(arn))
    for known in self._event_source_mappings.values():
        if (known.event_source_arn, known.function_arn) == (arn, function.function_arn):
            raise _ConflictError(arn, function.function_name, known.uuid)
    where = {"RegionName": self.region_name, "AccountId": self.account_id}
    spec = {**spec, **where, "FunctionArn": function.function_arn}
    mapping = EventSourceMapping(spec)  # type: ignore[abstract]
    self._event_source_mappings[mapping.uuid] = mapping
    _pollers.start(mapping)
    return mapping


def _update_or_fail(self: LambdaBackend, uuid: str, spec: dict[str, Any]) -> EventSourceMapping:
    mapping = _known(self, uuid)
    _check_settings("UpdateEventSourceMapping", spec)
    function = self.get_function(spec.get("FunctionName") or mapping.function_arn)
    _check_source(function, _queue(mapping.event_source_arn))
    _update(self, uuid, spec)
    mapping.scaling_config = mapping.scaling_config or None  # an empty one removes the limit
    _pollers.update(mapping)
    return mapping


def _delete_or_fail(self: LambdaBackend, uuid: str) -> EventSourceMapping:
    mapping = _known(self, uuid)
    _delete(self, uuid)
    _pollers.delete(mapping)
    return mapping


def _known(backend: LambdaBackend, uuid: str) -> EventSourceMapping:
    mapping = backend.get_event_source_mapping(uuid)
    if mapping is None:
        raise _MissingError
    return mapping


def _queue(arn: str) -> Queue:
    try:
        return queue_of(arn)
    except KeyError:
        raise InvalidParameterValueException(
            "Error occurred while ReceiveMessage. SQS Error Code:"
            " AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does"
            " not exist."
        ) from None


def _check_settings(action: str, spec: dict[str, Any]) -> None:
    given = {name for name, value in spec.items() if value not in (None, {}, [])}
    for name in sorted(given - _SIMULATED):
        raise NotImplementedError(f"Lambda {action}: {name}")
    batch = spec.get("BatchSize")
    if batch is not None and batch > _LARGEST_BATCH:
        raise NotImplementedError(
            f"Lambda {action}: BatchSize {batch}; one above {_LARGEST_BATCH} needs"
            " MaximumBatchingWindowInSeconds"
        )
    _check_range("batchSize", batch, 1, _LARGEST_BATCH)
    concurrency = (spec.get("ScalingConfig") or {}).get("MaximumConcurrency")
    _check_range("scalingConfig.maximumConcurrency", concurrency, 2, 1000)


def _check_range(field: str, value: int | None, least: int, most: int) -> None:
    if value is None or least <= value <= most:
        return
    bound = (
        f"greater than or equal to {least}" if value < least else f"less than or equal to {most}"
    )
    raise LambdaClientError(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint:"
        f" Member must have value {bound}",
    )


def _check_source(function: LambdaFunction, queue: Queue) -> None:
    visibility_timeout = int(queue.attributes["VisibilityTimeout"])
    if visibility_timeout < int(function.timeout):
        raise InvalidParameterValueException(
            f"Queue visibility timeout: {visibility_timeout} seconds is less than Function"
            f" timeout: {function.timeout} seconds"
        )
    for action in ACTIONS:
        try:
            check_role(function, queue.queue_arn, [action])
        except iam.AccessDeniedError:
            raise InvalidParameterValueException(
                "The provided execution role does not have permissions to call"
                f" {action.partition(':')[2]} on SQS"
            ) from None


class _MissingError(LambdaClientError):
    code = 404

    def __init__(self) -> None:
        super().__init__("ResourceNotFoundException", "The resource you requested does not exist.")


class _ConflictError(LambdaClientError):
    code = 409

    def __init__(self, arn: str, function: str, uuid: str) -> None:
        super().__init__(
            "ResourceConflictException",
            f'An event source mapping with SQS arn (" {arn} ") and function (" {function} ") already'
            f" exists. Please update or delete the existing mapping with UUID {uuid}",
        )
