"""Retries of requests to Slack: slack_sdk's handlers, bounded by the time that the function has left.

If a message was posted and only the answer was lost, a retry posts a second one, for twice is better than
never. To find the first one, the bot would need the permission to read the channel.
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

# The timeout of one request. The function has 60 s for an update, a post to the thread, and the waits that
# rate limits ask for.
TIMEOUT_SECONDS = 8
# Retries of a request that failed. The notice comes again later, too.
AGAIN = 2
# Retries of a request that Slack's rate limit refused; in fact only the time that is left bounds them. A
# channel takes one message a second, so that many services that start at once have to wait for each other.
AGAIN_LIMITED = 100
# The longest pause of slack_sdk's backoff, before the last try: 0.5 s * 2, and at most as much jitter.
BACKOFF_SECONDS = 2


def retry_handlers(left: Callable[[], float]) -> list[RetryHandler]:
    """The handlers for a client of slack_sdk; ``left`` returns the seconds that may still be spent."""
    return [_RateLimit(left, AGAIN_LIMITED), _Connection(left, AGAIN), _Server(left, AGAIN)]


class _InTime(RetryHandler):
    """Retries only if the pause and one more request fit into the time that is left.

    Each handler counts its own retries. slack_sdk has one count for all of them, with which a server error
    after some rate limits would not be retried, or only after a pause of minutes.
    """

    def __init__(self, left: Callable[[], float], again: int) -> None:
        super().__init__(max_retry_count=again)
        self._left = left
        self._own = RetryState()

    def can_retry(self, *, response: HttpResponse | None = None, **of: Any) -> bool:
        """Whether to retry after this response or error."""
        if _pause(response) + TIMEOUT_SECONDS > self._left():
            return False
        return super().can_retry(**{**of, "response": response, "state": self._own})

    def prepare_for_next_attempt(self, *, state: RetryState, **of: Any) -> None:
        """Pause, counted by this handler's own state."""
        super().prepare_for_next_attempt(state=self._own, **of)
        state.next_attempt_requested = True


class _RateLimit(_InTime, RateLimitErrorRetryHandler):
    pass


class _Connection(_InTime):
    """Retries if the answer is missing or incomplete; slack_sdk's own handler ignores timeouts of reading."""

    def _can_retry(
        self, *, response: HttpResponse | None = None, error: Exception | None = None, **_: Any
    ) -> bool:
        return response is None and isinstance(error, OSError | HTTPException)


class _Server(_InTime):
    """Retries after any status from 500 on; slack_sdk's own handler knows only 500 and 503."""

    def _can_retry(self, *, response: HttpResponse | None = None, **_: Any) -> bool:
        return response is not None and response.status_code >= 500


def _pause(response: HttpResponse | None) -> float:
    """The seconds before the next try; infinite if Slack's Retry-After is not a number."""
    headers = {name.lower(): value for name, value in response.headers.items()} if response else {}
    given = headers.get("retry-after", "")
    wait = given if isinstance(given, str) else given[0]
    if not wait:
        return BACKOFF_SECONDS
    return int(wait) + 1 if wait.isdecimal() else float("inf")
