"""What can go wrong, by what can be done about it.

Lambda reports the class name as the error's name, and the state machines retry and catch by it.
The message is for people: it ends up in mails, so it says what is wrong, where, and what to do.
"""

from __future__ import annotations

import json


class SlipwayError(Exception):
    """Base of every error that Slipway raises on purpose."""


class InvalidInput(SlipwayError):  # noqa: N818 - the name is seen in Step Functions, where AWS has none end in Error
    """A person's input is wrong (a plan, a manual start); trying again without a change is no use."""


class AwsUnavailable(SlipwayError):  # noqa: N818
    """AWS throttled the call or failed at it; trying again can help."""


class AwsRefused(SlipwayError):  # noqa: N818
    """AWS said no (access denied, no such thing, not allowed now); trying again is no use."""


class Superseded(SlipwayError):  # noqa: N818
    """Another deployment has claimed the service, or had claimed it since; this one has to leave it alone."""


def reason_of(cause: str) -> str:
    """What a failed task's Cause says to people.

    Lambda puts its error there as JSON, with a stack trace that is none of a reader's business.
    """
    try:
        error = json.loads(cause)
    except ValueError:
        return cause
    if not isinstance(error, dict) or "errorMessage" not in error:
        return cause
    kind, said = str(error.get("errorType", "an error")), str(error["errorMessage"])
    own = {kind.__name__ for kind in SlipwayError.__subclasses__()}
    if kind in own and said:
        return said
    return f"{kind}: {said}" if said else kind
