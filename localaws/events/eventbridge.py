"""EventBridge: rules deliver events to Step Functions, Lambda, SNS and SQS.

moto delivers to SQS only, and supports neither Input, InputPath, disabled rules, retries nor
dead-letter queues. Here every delivery is asynchronous and retried according to its RetryPolicy, up to
MaximumRetryAttempts (185) and MaximumEventAgeInSeconds (a day), but with pauses from 0.1 to 5 seconds,
where AWS takes minutes. As on AWS, only throttling and errors on the side of the target are retried, and a
function is invoked only if the policy of what the target names allows it: the function, a version, an alias.
An event that can't be delivered goes to the dead-letter queue; without one its loss is logged.

Rules with a rate fire (events/schedules.py). Targets of other services are NotImplemented when they
are put.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable
from copy import copy
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import lambda_backends
from moto.events.models import EventPattern, EventPatternParser, EventsBackend, Rule

from localaws import aws
from localaws.events import input_transformation, patterns, schedules
from localaws.iam import iam
from localaws.iam.access import Access
from localaws.lambda_ import versions

_log = logging.getLogger(__name__)

_MAXIMUM_RETRY_ATTEMPTS = 185
_MAXIMUM_EVENT_AGE_SECONDS = 24 * 60 * 60
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5

# The ERROR_CODE of a dead letter: that of the first text which the target's error code contains.
_ERROR_CODES = {
    "DoesNotExist": "NO_RESOURCE",
    "NotFound": "NO_RESOURCE",
    "NonExistent": "NO_RESOURCE",
    "AccessDenied": "NO_PERMISSIONS",
    "Throttl": "THROTTLING",
    "TooManyRequests": "THROTTLING",
    "AlreadyExists": "RESOURCE_ALREADY_EXISTS",
    "InvalidExecutionInput": "INVALID_JSON",
    "InvalidRequestContent": "INVALID_JSON",
    "InvalidParameter": "INVALID_PARAMETER",
}
_Refusal = ClientError | BotoCoreError
_NOT_IMPLEMENTED = 501  # an error of the local AWS, which is not retried


def _queue_url(arn: str) -> str:
    queue: str = aws.client("sqs").get_queue_url(QueueName=arn.rsplit(":", 1)[1])["QueueUrl"]
    return queue


def _to_state_machine(target: dict[str, Any], text: str, delivery: str) -> None:
    aws.client("stepfunctions").start_execution(
        stateMachineArn=target["Arn"], name=delivery, input=text
    )


def _to_function(target: dict[str, Any], text: str, _delivery: str) -> None:
    aws.client("lambda").invoke(
        FunctionName=target["Arn"], InvocationType="Event", Payload=text.encode()
    )


def _to_topic(target: dict[str, Any], text: str, _delivery: str) -> None:
    aws.client("sns").publish(TopicArn=target["Arn"], Message=text)


def _to_queue(target: dict[str, Any], text: str, _delivery: str) -> None:
    group = target.get("SqsParameters") or {}
    aws.client("sqs").send_message(QueueUrl=_queue_url(target["Arn"]), MessageBody=text, **group)


_DELIVERIES: dict[str, Callable[[dict[str, Any], str, str], None]] = {
    "states": _to_state_machine,
    "lambda": _to_function,
    "sns": _to_topic,
    "sqs": _to_queue,
}
_MOTO_DELIVERS = re.compile(r"arn:aws:(logs:.*:log-group:|events:.*:event-bus/|events:[^:]*::*$)")


def _service(arn: str) -> str:
    return arn.split(":")[2]


# --- delivery -------------------------------------------------------------------------------------

_moto_sends = Rule.send_to_targets


def _send_to_targets(self: Rule, original_event: Any, transform_input: bool = True) -> None:
    if not str(self.state).startswith("ENABLED") or self.event_pattern.dump() is None:
        return  # a rule with only a schedule matches no event
    if self.event_pattern.matches_event(input_transformation.published(original_event)):  # type: ignore[arg-type]
        _to_targets(self, original_event, transform_input)


def _to_targets(rule: Rule, original_event: Any, transform_input: bool = True) -> None:
    event = input_transformation.published(original_event)
    for target in list(rule.targets):
        if _service(target["Arn"]) in _DELIVERIES:
            threading.Thread(target=_deliver, args=(rule, target, event), daemon=True).start()
        else:
            single = copy(rule)
            single.targets = [target]
            single.event_pattern = EventPattern.load(None)  # already matched, or need not match
            _moto_sends(single, copy(original_event), transform_input)


def _deliver(rule: Rule, target: dict[str, Any], event: dict[str, Any]) -> None:
    policy = target.get("RetryPolicy") or {}
    attempts = policy.get("MaximumRetryAttempts", _MAXIMUM_RETRY_ATTEMPTS)
    age = policy.get("MaximumEventAgeInSeconds", _MAXIMUM_EVENT_AGE_SECONDS)
    deadline = time.monotonic() + age
    delivery = f"{event['id']}_{uuid.uuid4()}"  # the same in all attempts: it names an execution
    text = input_transformation.text(rule, target, event)
    retries = 0
    while (error := _refusal(rule, target, text, delivery)) is not None:
        pause = min(_FIRST_PAUSE_SECONDS * 2**retries, _LONGEST_PAUSE_SECONDS)
        retry = {"RETRY_ATTEMPTS": str(retries)}
        if _retriable(error):
            if retries < attempts and time.monotonic() + pause < deadline:
                time.sleep(pause)
                retries += 1
                continue
            limit = "MaximumEventAgeInSeconds" if retries < attempts else "MaximumRetryAttempts"
            retry["EXHAUSTED_RETRY_CONDITION"] = limit
        _give_up(rule, target, event, error, retry)
        return


def _refusal(rule: Rule, target: dict[str, Any], text: str, delivery: str) -> _Refusal | None:
    try:
        if _service(target["Arn"]) == "lambda":
            _check_permission(rule, target["Arn"])
        _DELIVERIES[_service(target["Arn"])](target, text, delivery)
    except (ClientError, BotoCoreError) as error:
        return error
    return None


def _check_permission(rule: Rule, arn: str) -> None:
    """Raise the error of an invocation that the policy of a function, version or alias does not allow."""
    backend = lambda_backends[aws.ACCOUNT][aws.REGION]
    try:
        statements = versions.policy_statements(backend, arn)
    except UnknownFunctionException:
        return  # for the invocation to say
    source = {"aws:SourceArn": str(rule.arn), "aws:SourceAccount": aws.ACCOUNT}
    access = Access("lambda:InvokeFunction", arn, source)
    if not iam.resource_allows(statements, "events.amazonaws.com", access):
        message = f"no resource-based policy allows {rule.arn} to invoke {arn}"
        error: Any = {
            "Error": {"Code": "AccessDeniedException", "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": 403},
        }
        raise ClientError(error, "Invoke")


def _retriable(error: _Refusal) -> bool:
    if isinstance(error, BotoCoreError):
        return True  # no connection
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return status != _NOT_IMPLEMENTED and (status >= 500 or _error_code(error) == "THROTTLING")


def _error_code(error: _Refusal) -> str:
    if isinstance(error, BotoCoreError):
        return "CONNECTION_FAILURE"
    code = error.response["Error"]["Code"]
    known = (value for part, value in _ERROR_CODES.items() if part in code)
    return next(known, "ERROR_FROM_TARGET")


def _give_up(
    rule: Rule,
    target: dict[str, Any],
    event: dict[str, Any],
    error: _Refusal,
    retry: dict[str, str],
) -> None:
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if queue is None:
        _log.error("%s: the event %s is lost to %s: %s", rule.arn, event, target["Arn"], error)
        return
    attributes = {
        "RULE_ARN": rule.arn,
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": _error_code(error),
        "ERROR_MESSAGE": str(error),
        **retry,
    }
    try:
        aws.client("sqs").send_message(
            QueueUrl=_queue_url(queue),
            MessageBody=json.dumps(event),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in attributes.items()
            },
        )
    except (ClientError, BotoCoreError):
        _log.exception("%s: the event %s is lost to %s", rule.arn, event, queue)


# --- rules and targets ------------------------------------------------------------------------------

_put_targets = EventsBackend.put_targets


def _put_known_targets(
    self: EventsBackend, name: str, event_bus_arn: str | None, targets: list[dict[str, Any]]
) -> None:
    for target in targets:
        arn = target["Arn"]
        if _service(arn) in _DELIVERIES:
            continue
        if not _MOTO_DELIVERS.match(arn) or "Input" in target or "InputPath" in target:
            raise NotImplementedError(f"EventBridge: PutTargets with the target {target}")
    _put_targets(self, name, event_bus_arn, targets)


def _matches_event(self: EventPattern, event: Any) -> bool:
    return patterns.matches(self.get_pattern(), event)


def _validate_event_pattern(_self: EventPatternParser, pattern: dict[str, Any]) -> None:
    patterns.validate(pattern)


def install() -> None:
    """Deliver events, and check rules and targets when they are put."""
    Rule.send_to_targets = _send_to_targets  # type: ignore[method-assign]
    EventsBackend.put_targets = _put_known_targets  # type: ignore[method-assign]
    EventPattern.matches_event = _matches_event  # type: ignore[method-assign]
    EventPatternParser._validate_event_pattern = _validate_event_pattern  # type: ignore[assignment,method-assign]
    schedules.install(_to_targets)
