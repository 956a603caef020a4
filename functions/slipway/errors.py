"""Slipway's own errors, one class for each way to react to an error.

Lambda reports the name of the class as the error's name, and the state machines retry and catch by that
name. People read the message in an email, so it says what is wrong, where, and what to do.
"""

from __future__ import annotations

import json
import re

from slipway.redaction import masked
from slipway.text import ELLIPSIS, truncate_bytes

# Step Functions keeps 32,768 characters of a Cause (SensitiveCause in botocore's model). Lambda puts a
# message and a stack trace into it as JSON, which may write a byte of UTF-8 as three characters. Unless it
# has many control characters, a message of so many bytes fits with them.
MESSAGE_BYTES = 9_000
CAUSE_LENGTH = 32_768
_CUT_CAUSE = re.compile(
    r'\{"errorMessage": ?"((?:[^"\\]|\\u[0-9a-fA-F]{4}|\\["\\/bfnrt])*)'
    r'(?:(")(?:, ?"errorType": ?"([A-Za-z0-9_.]+)")?|\\?(?:u[0-9a-fA-F]{0,3})?\Z)'
)


class SlipwayError(Exception):
    """The base of every error that Slipway raises on purpose.

    Step Functions keeps the message in the execution's history, and it may quote AWS or a person. What looks
    like a secret is masked, and a message that Step Functions would cut is cut here, to MESSAGE_BYTES.
    """

    def __init__(self, message: str = "") -> None:
        [message] = masked([message])
        super().__init__(truncate_bytes(message, MESSAGE_BYTES))


class InvalidInput(SlipwayError):  # noqa: N818 - Step Functions shows the name as an error already
    """Input from a person is wrong, such as a plan or a manual start. A retry fails until it is changed."""


class AwsUnavailable(SlipwayError):  # noqa: N818
    """AWS throttled the call, failed or did not answer. A retry can help."""


class AwsRefused(SlipwayError):  # noqa: N818
    """AWS refused the call: access is denied, or something is missing or in the wrong state.

    A retry does not help.
    """


class Refused(SlipwayError):  # noqa: N818
    """The input of an execution of the deployment state machine names nothing that it may carry out.

    Slipway has not started that execution. Nothing is changed, and a retry does not help.
    """


class NoTarget(SlipwayError):  # noqa: N818
    """There is no version that a service could go back to. Nothing is changed, and a retry does not help."""


class Superseded(SlipwayError):  # noqa: N818
    """Another deployment has claimed the service, so this one must not change it any more."""


class SupersededByPerson(Superseded):
    """A person has rolled the service back manually, or freed it, so this deployment must not change it."""


def reason_of(cause: str) -> str:
    """The reason of a failed task of Step Functions, for people.

    Args:
        cause: the task's Cause. If a Lambda function raised an error, it is JSON with the error's type,
            message and stack trace, and the answer leaves out the stack trace, also if Step Functions has
            cut the JSON. Other text stays as it is.
    """
    try:
        error = json.loads(cause)
    except (ValueError, RecursionError):
        error = _before_the_cut(cause)
    if not isinstance(error, dict) or "errorMessage" not in error:
        return cause
    kind, said = str(error.get("errorType", "an error")), str(error["errorMessage"])
    if kind in _names(SlipwayError) and said:
        return said
    return f"{kind}: {said}" if said else kind


def _names(error: type[SlipwayError]) -> set[str]:
    """The names of a class of errors and of all its subclasses."""
    return {error.__name__}.union(*map(_names, error.__subclasses__()))


def _before_the_cut(cause: str) -> dict[str, str] | None:
    """What is left of an error in a Cause that Step Functions has cut; None if it has not, or nothing is."""
    found = _CUT_CAUSE.match(cause) if len(cause) >= CAUSE_LENGTH else None
    if found is None:
        return None
    message, end, kind = found.groups()
    said: str = json.loads(f'"{message}"', strict=False)
    said = said.encode(errors="ignore").decode()  # the cut may be in the middle of a character
    return {
        "errorMessage": said if end else said + ELLIPSIS,
        **({"errorType": kind} if kind else {}),
    }
