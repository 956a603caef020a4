"""Asynchronous invocations of Lambda: tried again, then reported.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html: an error of the
function is tried again twice, or as the EventInvokeConfig says; throttles and errors of Lambda's own
until the event is too old. What came of it goes to the destinations (lambda_/destinations.py), an
event that failed also to the dead-letter queue; without either, its loss is logged.

Pauses are a six-hundredth of AWS's: 0.1 and 0.2 s after an error of the function where AWS waits one
and two minutes, and up to 0.5 s after a throttle. An event's age counts in real seconds.
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

from localaws.lambda_ import destinations
from localaws.lambda_.pool import TooManyRequestsError

_log = logging.getLogger(__name__)

_ERROR_PAUSES = (0.1, 0.2)  # seconds, after the first and the second error of the function
_FIRST_PAUSE_SECONDS = 1 / 600
_LONGEST_PAUSE_SECONDS = 300 / 600
_MAXIMUM_RETRY_ATTEMPTS = 2
_MAXIMUM_EVENT_AGE_SECONDS = 6 * 60 * 60
_ERROR_MESSAGE_BYTES = 1024  # what a dead letter says of the error

# moto's LambdaFunction._invoke_lambda takes an event and nothing else.
_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def request_id() -> str:
    """The id of the invocation that this thread makes: an event's own, the same at every attempt."""
    return _request_id.get() or str(uuid.uuid4())


@dataclass(frozen=True)
class _Event:
    """What a function was invoked with."""

    function: LambdaFunction
    text: str
    request_id: str


@dataclass(frozen=True)
class _Attempt:
    """What came of one attempt."""

    status: int  # 200 when the function ran, whatever it said
    payload: str = ""
    errored: bool = True
    message: str = ""

    @property
    def ran(self) -> bool:
        return self.status == 200


class Queue:
    """The events that were accepted and are not done with; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._stopping = threading.Event()

    def accept(self, function: LambdaFunction, text: str) -> None:
        """Invoke the function with a JSON text, soon."""
        event = _Event(function, text, str(uuid.uuid4()))
        with self._lock:
            if self._stopping.is_set():
                raise RuntimeError("the local AWS is stopping")
            thread = threading.Thread(target=self._work, args=(event,), daemon=True)
            self._threads.add(thread)
            thread.start()

    def stop(self) -> None:
        """Begin no attempt any more; every pause is over."""
        with self._lock:
            self._stopping.set()

    def join(self) -> None:
        """Wait for the attempts that were under way when it was stopped."""
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    def _work(self, event: _Event) -> None:
        _request_id.set(event.request_id)
        try:
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
                return  # the stop may have been what failed it
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
        raise  # no retry will change it
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
    """Why an attempt is the last one, in AWS's words; None when there may be another."""
    if not attempt.errored:
        return "Success"
    if attempt.ran and runs > config.get("MaximumRetryAttempts", _MAXIMUM_RETRY_ATTEMPTS):
        return "RetriesExhausted"
    if attempt.status == 429 and str(function.reserved_concurrency) == "0":
        return "ZeroReservedConcurrency"  # how people switch a function off
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
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html."""
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
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq."""
    message = attempt.message.encode()[:_ERROR_MESSAGE_BYTES].decode(errors="ignore")
    attributes = {
        "RequestID": {"DataType": "String", "StringValue": event.request_id},
        "ErrorCode": {"DataType": "Number", "StringValue": str(attempt.status)},
    }
    if message:  # SQS takes no empty value
        attributes["ErrorMessage"] = {"DataType": "String", "StringValue": message}
    return attributes
