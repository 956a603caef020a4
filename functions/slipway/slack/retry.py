"""When a request to Slack is tried again at once: slack_sdk's handlers, in the time that a function has.

Where only the answer was lost, a message stands there already, and Slack does not say so without being
allowed to read the channel: then there is a second one, for twice is better than never.
"""

from __future__ import annotations

from collections.abc import Callable
from http.client import HTTPException
from typing import Any

from slack_sdk.http_retry import (
    HttpResponse,
    RateLimitErrorRetryHandler,
    RetryHandler,
    RetryState,
)

# Of one request: the function has 60 s, in which rate limits have to fit, and an update that is followed by
# an answer in the thread.
TIMEOUT_SECONDS = 8
# Where Slack is not well: Lambda tries again later, too.
AGAIN = 2
# Where many services start at once, each has to wait for its place in a channel that takes one message a
# second: only the time bounds it. slack_sdk itself gives up after so many.
AGAIN_LIMITED = 100
# The longest that slack_sdk's own backoff waits before the last try: 0.5 * 2 s, and as much by chance.
BACKOFF_SECONDS = 2


def retry_handlers(left: Callable[[], float]) -> list[RetryHandler]:
    """For a client that may go on while seconds are ``left``."""
    return [_RateLimit(left, AGAIN_LIMITED), _Connection(left, AGAIN), _Server(left, AGAIN)]


class _InTime(RetryHandler):
    """Tries again only where the pause, and one more request, fit into the time that is left.

    Each counts for itself: by slack_sdk's common count a server error after some rate limits would not be
    tried again, or after a pause of minutes.
    """

    def __init__(self, left: Callable[[], float], again: int) -> None:
        super().__init__(max_retry_count=again)
        self._left = left
        self._own = RetryState()

    def can_retry(self, *, response: HttpResponse | None = None, **of: Any) -> bool:
        """Whether it is tried again."""
        if _pause(response) + TIMEOUT_SECONDS > self._left():
            return False
        return super().can_retry(**{**of, "response": response, "state": self._own})

    def prepare_for_next_attempt(self, *, state: RetryState, **of: Any) -> None:
        """Wait."""
        super().prepare_for_next_attempt(state=self._own, **of)
        state.next_attempt_requested = True


class _RateLimit(_InTime, RateLimitErrorRetryHandler):
    pass


class _Connection(_InTime):
    """No answer, or half of one; slack_sdk's own handler leaves out a timeout while reading."""

    def _can_retry(
        self, *, response: HttpResponse | None = None, error: Exception | None = None, **_: Any
    ) -> bool:
        return response is None and isinstance(error, OSError | HTTPException)


class _Server(_InTime):
    """Any status that says so; slack_sdk's own handler knows two of them."""

    def _can_retry(self, *, response: HttpResponse | None = None, **_: Any) -> bool:
        return response is not None and response.status_code >= 500


def _pause(response: HttpResponse | None) -> float:
    """The seconds before the next try; infinite where Slack says no number."""
    headers = {name.lower(): value for name, value in response.headers.items()} if response else {}
    given = headers.get("retry-after", "")
    wait = given if isinstance(given, str) else given[0]
    if not wait:
        return BACKOFF_SECONDS
    return int(wait) + 1 if wait.isdecimal() else float("inf")
