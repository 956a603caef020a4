"""When a request to Slack is tried again at once: slack_sdk's handlers, in the time that a function has.

Where only the answer was lost, a message stands there already, and Slack does not say so without being
allowed to read the channel: then there is a second one, for twice is better than never.
"""

from __future__ import annotations

from collections.abc import Callable

from slack_sdk.http_retry import (
    ConnectionErrorRetryHandler,
    HttpRequest,
    HttpResponse,
    RateLimitErrorRetryHandler,
    RetryHandler,
    RetryState,
)
from slack_sdk.http_retry.builtin_handlers import ServerErrorRetryHandler

# Of one request: the function has 60 s, in which a rate limit has to fit, and an update that is followed
# by an answer in the thread.
TIMEOUT_SECONDS = 8
TRIES = 3
# The longest that slack_sdk's own backoff waits before the last try: 0.5 * 2 s, and as much by chance.
BACKOFF_SECONDS = 2


def retry_handlers(left: Callable[[], float]) -> list[RetryHandler]:
    """For a client that may go on while seconds are ``left``."""
    return [_RateLimit(left), _Connection(left), _Server(left)]


class _InTime(RetryHandler):
    """Tries again only where the pause, and one more request, fit into the time that is left."""

    def __init__(self, left: Callable[[], float]) -> None:
        super().__init__(max_retry_count=TRIES - 1)
        self._left = left

    def can_retry(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        if _pause(response) + TIMEOUT_SECONDS > self._left():
            return False
        return super().can_retry(state=state, request=request, response=response, error=error)


class _RateLimit(_InTime, RateLimitErrorRetryHandler):
    pass


class _Connection(_InTime, ConnectionErrorRetryHandler):
    pass


class _Server(_InTime, ServerErrorRetryHandler):
    pass


def _pause(response: HttpResponse | None) -> float:
    """The seconds before the next try; infinite where Slack says no number."""
    headers = {name.lower(): value for name, value in response.headers.items()} if response else {}
    given = headers.get("retry-after", "")
    wait = given if isinstance(given, str) else given[0]
    if not wait:
        return BACKOFF_SECONDS
    return int(wait) + 1 if wait.isdecimal() else float("inf")
