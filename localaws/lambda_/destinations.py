"""Where Lambda reports to: the destinations of an EventInvokeConfig, and dead-letter queues.

moto takes every configuration and never sends. Here SQS queues get what is sent to them, and all
others (topics, functions, event buses, buckets, FIFO queues) are NotImplemented when they are put.
As on AWS the function's role has to allow it, when it is put and again when something is sent. moto
also keeps the first configuration for ever, and takes that of a version for the function's own.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.awslambda.exceptions import InvalidParameterValueException
from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.awslambda.responses import LambdaResponse

from localaws import aws
from localaws.iam import iam
from localaws.iam.access import Access

_log = logging.getLogger(__name__)

_QUEUE = re.compile(rf"arn:aws:sqs:{aws.REGION}:{aws.ACCOUNT}:([A-Za-z0-9_-]+)")


def event_invoke_config(function: LambdaFunction) -> dict[str, Any]:
    """The function's EventInvokeConfig; empty where none was put."""
    return function.event_invoke_config[-1].config if function.event_invoke_config else {}


def destination(function: LambdaFunction, kind: str) -> str | None:
    """The ARN where OnSuccess or OnFailure leads."""
    return _destinations(event_invoke_config(function)).get(kind)


def dead_letter_queue(function: LambdaFunction) -> str | None:
    """The ARN of the function's dead-letter queue."""
    return _dead_letter_queue(function.get_configuration())


def send(
    function: LambdaFunction, arn: str, text: str, attributes: dict[str, dict[str, str]]
) -> None:
    """Send a message to a queue as the function; what can't be sent is lost, and that is logged."""
    sqs = aws.client("sqs")
    try:
        iam.check(function.function_name, "sqs", [Access("sqs:SendMessage", arn)])
        url = sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=text, MessageAttributes=attributes)
    except (iam.AccessDeniedError, ClientError, BotoCoreError):
        _log.exception("%s: %s is lost to %s", function.function_arn, text, arn)


def _destinations(config: dict[str, Any]) -> dict[str, str]:
    given = (config.get("DestinationConfig") or {}).items()
    return {kind: each["Destination"] for kind, each in given if (each or {}).get("Destination")}


def _dead_letter_queue(configuration: dict[str, Any]) -> str | None:
    return (configuration.get("DeadLetterConfig") or {}).get("TargetArn") or None


# --- what can be put ------------------------------------------------------------------------------

_put_config = LambdaBackend.put_function_event_invoke_config
_create = LambdaBackend.create_function
_configure = LambdaBackend.update_function_configuration


def _check_kind(what: str, arn: str | None) -> None:
    if arn is not None and not _QUEUE.fullmatch(arn):
        raise NotImplementedError(
            f"{what} to {arn}, which is no standard SQS queue of this account"
        )


def _may_send(function: LambdaFunction, arn: str) -> bool:
    try:
        iam.check(function.function_name, "sqs", [Access("sqs:SendMessage", arn)])
    except iam.AccessDeniedError:
        return False
    return True


def _check_dead_letters(function: LambdaFunction, arn: str | None) -> None:
    if arn is not None and not _may_send(function, arn):
        raise InvalidParameterValueException(
            "The provided execution role does not have permissions to call SendMessage on SQS"
        )


def _put_event_invoke_config(
    self: LambdaBackend, function_name: str, config: dict[str, Any]
) -> dict[str, Any]:
    function = self.get_function(function_name)
    for kind, arn in _destinations(config).items():
        _check_kind(f"Lambda EventInvokeConfig: {kind}", arn)
        if not _may_send(function, arn):
            raise InvalidParameterValueException(
                f"The provided destination config is invalid. Reason: The function's execution role"
                f" does not have permissions to call SendMessage on {arn}"
            )
    answer = _put_config(self, function_name, config)
    del function.event_invoke_config[:-1]
    return answer


def _update_event_invoke_config(
    self: LambdaBackend, function_name: str, config: dict[str, Any]
) -> dict[str, Any]:
    self.get_function_event_invoke_config(function_name)  # refuses where there is none
    known = event_invoke_config(self.get_function(function_name))
    return _put_event_invoke_config(self, function_name, {**known, **config})


def _of_the_function_itself(original: Any) -> Any:
    def checked(self: LambdaResponse) -> Any:
        qualifier = self._get_param("Qualifier", "$LATEST")
        if qualifier != "$LATEST":
            raise NotImplementedError(f"Lambda EventInvokeConfig: Qualifier {qualifier}")
        return original(self)

    return checked


def _create_function(self: LambdaBackend, spec: dict[str, Any]) -> LambdaFunction:
    arn = _dead_letter_queue(spec)
    _check_kind("Lambda CreateFunction: DeadLetterConfig", arn)
    function = _create(self, spec)
    try:
        _check_dead_letters(function, arn)  # IAM asks the function for its role
    except Exception:
        self.delete_function(function.function_name)
        raise
    return function


def _update_function_configuration(
    self: LambdaBackend, function_name: str, qualifier: str, body: dict[str, Any]
) -> dict[str, Any] | None:
    arn = _dead_letter_queue(body)
    _check_kind("Lambda UpdateFunctionConfiguration: DeadLetterConfig", arn)
    if "Role" not in body:  # a new role is asked when something is sent
        _check_dead_letters(self.get_function(function_name, qualifier), arn)
    return _configure(self, function_name, qualifier, body)


def install() -> None:
    """Take what can be sent to, and refuse the rest."""
    backend, api = LambdaBackend, LambdaResponse
    backend.put_function_event_invoke_config = _put_event_invoke_config  # type: ignore[method-assign]
    backend.update_function_event_invoke_config = _update_event_invoke_config  # type: ignore[method-assign]
    backend.create_function = _create_function  # type: ignore[method-assign]
    backend.update_function_configuration = _update_function_configuration  # type: ignore[method-assign]
    for name in (
        "put_function_event_invoke_config",
        "update_function_event_invoke_config",
        "get_function_event_invoke_config",
        "delete_function_event_invoke_config",
    ):
        setattr(api, name, _of_the_function_itself(getattr(api, name)))
