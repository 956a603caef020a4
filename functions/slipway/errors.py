"""What can go wrong, by what can be done about it.

Lambda reports the class name as the error's name, and the state machines retry and catch by it.
The message is for people: it ends up in mails, so it says what is wrong, where, and what to do.
"""

from __future__ import annotations


class SlipwayError(Exception):
    """Base of every error that Slipway raises on purpose."""


class InvalidInput(SlipwayError):  # noqa: N818 - the name is seen in Step Functions, where AWS has none end in Error
    """A person's input is wrong (a plan, a manual start); trying again without a change is no use."""


class AwsUnavailable(SlipwayError):  # noqa: N818
    """AWS throttled the call or failed at it; trying again can help."""


class AwsRefused(SlipwayError):  # noqa: N818
    """AWS said no (access denied, no such thing, not allowed now); trying again is no use."""
