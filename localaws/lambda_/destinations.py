"""The destinations of an EventInvokeConfig, and dead-letter queues.

moto accepts every configuration and never sends anything. Here messages are sent to SQS queues, and
all other targets (topics, functions, event buses, buckets, FIFO queues) are NotImplemented when they
are put. As on AWS the function's role has to allow it, when the configuration is put and when a message
is sent. moto also keeps the first configuration for ever, and applies that of a version to the function
itself.
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

QUEUE = re.compile(rf"arn:aws:sqs:{aws.REGION}:{aws.ACCOUNT}:([A-Za-z0-9_-]+)")


def event_invoke_config(function: LambdaFunction) -> dict[str, Any]:
    """The EventInvokeConfig of a function, which is empty if there is none."""
    return function.event_invoke_config[-1].config if function.event_invoke_config else {}


def destination(function: LambdaFunction, kind: str) -> str | None:
    """The ARN of the destination OnSuccess or OnFailure."""
    return _destinations(event_invoke_config(function)).get(kind)


def dead_letter_queue(function: LambdaFunction) -> str | None:
    """The ARN of the dead-letter queue."""
    return _dead_letter_queue(function.get_configuration())


def send(
    function: LambdaFunction, arn: str, text: str, attributes: dict[str, dict[str, str]]
) -> None:
    """Send a message to a queue on behalf of the function. The loss of a message is logged."""
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


# --- configurations ------------------------------------------------------------------------------

_put_config = LambdaBackend.put_function_event_invoke_config
_create = LambdaBackend.create_function
_configure = LambdaBackend.update_function_configuration


def _check_kind(what: str, arn: str | None) -> None:
    if arn is not None and not QUEUE.fullmatch(arn):
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
    self.get_function_event_invoke_config(function_name)  # raises an error if there is none
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
        _check_dead_letters(function, arn)  # the role is looked up by the function
    except Exception:
        self.delete_function(function.function_name)
        raise
    return function


def _update_function_configuration(
    self: LambdaBackend, function_name: str, qualifier: str, body: dict[str, Any]
) -> dict[str, Any] | None:
    arn = _dead_letter_queue(body)
    _check_kind("Lambda UpdateFunctionConfiguration: DeadLetterConfig", arn)
    if "Role" not in body:  # a new role is checked when a message is sent
        _check_dead_letters(self.get_function(function_name, qualifier), arn)
    return _configure(self, function_name, qualifier, body)


def install() -> None:
    """Accept the configurations that are simulated, and refuse the rest."""
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
