"""Asynchronous invocations of Lambda, with retries and destinations.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html

An error of the function is retried twice, or as often as the EventInvokeConfig says; throttles and
errors of Lambda itself are retried until the event is too old. The result goes to the destinations
(lambda_/destinations.py), and a failed event to the dead-letter queue as well. Without either, its loss
is logged.

Pauses are a six-hundredth of AWS's: 0.1 and 0.2 s after errors of the function, where AWS waits one and
two minutes, and up to 0.5 s after a throttle. The age of an event counts in real seconds.
"""

from __future__ import annotations

import datetime
import json
import logging
import threading
import time
import uuid
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import LambdaFunction

from localaws.lambda_ import destinations, versions
from localaws.lambda_.pool import TooManyRequestsError

_log = logging.getLogger(__name__)

_ERROR_PAUSES = (0.1, 0.2)  # seconds, after the first and the second error of the function
_FIRST_PAUSE_SECONDS = 1 / 600
_LONGEST_PAUSE_SECONDS = 300 / 600
_MAXIMUM_RETRY_ATTEMPTS = 2
_MAXIMUM_EVENT_AGE_SECONDS = 6 * 60 * 60
_ERROR_MESSAGE_BYTES = 1024  # the error message in a dead letter

# moto's LambdaFunction._invoke_lambda takes only the event, so the request id is kept here.
_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def request_id() -> str:
    """The request id of the invocation in this thread, which all attempts for an event share."""
    return _request_id.get() or str(uuid.uuid4())


@dataclass(frozen=True)
class _Event:
    """An event with which a function was invoked."""

    function: LambdaFunction
    text: str
    request_id: str
    invoked_arn: str


@dataclass(frozen=True)
class _Attempt:
    """The result of one attempt."""

    status: int  # 200 if the function ran, even if it failed
    payload: str = ""
    errored: bool = True
    message: str = ""

    @property
    def ran(self) -> bool:
        return self.status == 200


class Queue:
    """The accepted events that are not finished yet. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._stopping = threading.Event()

    def accept(self, function: LambdaFunction, text: str) -> None:
        """Invoke the function with a JSON text in the background."""
        event = _Event(function, text, str(uuid.uuid4()), versions.invoked_arn(function))
        with self._lock:
            if self._stopping.is_set():
                raise RuntimeError("the local AWS is stopping")
            thread = threading.Thread(target=self._work, args=(event,), daemon=True)
            self._threads.add(thread)
            thread.start()

    def stop(self) -> None:
        """Begin no more attempts, and end all pauses."""
        with self._lock:
            self._stopping.set()

    def join(self) -> None:
        """Wait for the attempts that were in progress at the stop."""
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    def _work(self, event: _Event) -> None:
        _request_id.set(event.request_id)
        try:
            with versions.invoked_as(event.invoked_arn):
                self._process(event)
        except Exception:  # noqa: BLE001 - the thread's last word; nobody else would tell
            _log.exception("%s: the event %s is lost", event.function.function_arn, event.text)
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _process(self, event: _Event) -> None:
        began, runs, backoff = time.monotonic(), 0, _FIRST_PAUSE_SECONDS
        while True:
            attempt = _attempt(event)
            if self._stopping.is_set():
                return  # the stop may be the cause of the failure
            config = destinations.event_invoke_config(event.function)
            runs += attempt.ran
            condition = _condition(event.function, config, attempt, runs)
            if attempt.ran:
                pause = _ERROR_PAUSES[min(runs, len(_ERROR_PAUSES)) - 1]
            else:
                pause, backoff = backoff, min(backoff * 2, _LONGEST_PAUSE_SECONDS)
            age = config.get("MaximumEventAgeInSeconds", _MAXIMUM_EVENT_AGE_SECONDS)
            if condition is None and time.monotonic() + pause >= began + age:
                condition = "EventAgeExceeded"
            if condition is not None:
                _report(event, attempt, condition, runs)
                return
            if self._stopping.wait(pause):
                return


def _attempt(event: _Event) -> _Attempt:
    try:
        payload, errored, _ = event.function._invoke_lambda(json.loads(event.text))
    except TooManyRequestsError as throttle:
        return _Attempt(429, message=str(throttle.description))
    except (NotImplementedError, UnknownFunctionException):
        raise  # it is not retried
    except Exception as crash:  # noqa: BLE001 - AWS's own 500; the local AWS has no other kind
        _log.warning("%s will be tried again: %r", event.function.function_arn, crash)
        return _Attempt(500, message=repr(crash))
    return _Attempt(200, payload, errored, _error_message(payload) if errored else "")


def _error_message(payload: str) -> str:
    error = json.loads(payload)
    return str(error.get("errorMessage", "")) if isinstance(error, dict) else payload


def _condition(
    function: LambdaFunction, config: dict[str, Any], attempt: _Attempt, runs: int
) -> str | None:
    """Why an attempt is the last one, in AWS's wording; None if it may be retried."""
    if not attempt.errored:
        return "Success"
    if attempt.ran and runs > config.get("MaximumRetryAttempts", _MAXIMUM_RETRY_ATTEMPTS):
        return "RetriesExhausted"
    if attempt.status == 429 and str(function.reserved_concurrency) == "0":
        return "ZeroReservedConcurrency"  # a function that is switched off
    return None


def _report(event: _Event, attempt: _Attempt, condition: str, runs: int) -> None:
    function, succeeded = event.function, condition == "Success"
    kind = "OnSuccess" if succeeded else "OnFailure"
    arn = destinations.destination(function, kind)
    letters = None if succeeded else destinations.dead_letter_queue(function)
    if arn is not None:
        record = json.dumps(_record(event, attempt, condition, runs))
        destinations.send(function, arn, record, {})
    if letters is not None:
        destinations.send(function, letters, event.text, _attributes(event, attempt))
    if not succeeded and arn is None and letters is None:
        said = f"{condition}, {attempt.message}"
        _log.error("%s: the event %s is lost: %s", function.function_arn, event.text, said)


def _record(event: _Event, attempt: _Attempt, condition: str, runs: int) -> dict[str, Any]:
    """The record for a destination:
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    function, now = event.function, datetime.datetime.now(datetime.UTC)
    arn, suffix = function.function_arn, f":{function.version}"
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": arn if arn.endswith(suffix) else arn + suffix,
            "condition": condition,
            "approximateInvokeCount": runs,
        },
        "requestPayload": json.loads(event.text),
    }
    if condition != "ZeroReservedConcurrency":
        record["responseContext"] = {"statusCode": attempt.status}
    if attempt.ran:
        record["responseContext"]["executedVersion"] = str(function.version)
        if attempt.errored:
            record["responseContext"]["functionError"] = "Unhandled"
        record["responsePayload"] = json.loads(attempt.payload)
    return record


def _attributes(event: _Event, attempt: _Attempt) -> dict[str, dict[str, str]]:
    """The attributes of a dead letter:
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq
    """
    message = attempt.message.encode()[:_ERROR_MESSAGE_BYTES].decode(errors="ignore")
    attributes = {
        "RequestID": {"DataType": "String", "StringValue": event.request_id},
        "ErrorCode": {"DataType": "Number", "StringValue": str(attempt.status)},
    }
    if message:  # SQS refuses empty values
        attributes["ErrorMessage"] = {"DataType": "String", "StringValue": message}
    return attributes
