"""Speaking to Slack, in the time that a function has; what it says no with has no secret in it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from slack_sdk import WebClient, WebhookClient
from slack_sdk.errors import SlackApiError, SlackClientError

from slipway.errors import InvalidInput, SlipwayError
from slipway.slack.retry import TIMEOUT_SECONDS, retry_handlers
from slipway.slack.secret import Secret, is_webhook

WEBHOOK = "the incoming webhook"
# What Slack says of a token or a webhook that is no longer the right one: perhaps it was rotated.
STALE = {
    *("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"),
    *("no_service", "no_service_id", "no_team", "no_active_hooks", "invalid_token"),
}
SAID_LENGTH = 500

# slack_sdk logs addresses, and that of a webhook is its secret.
_SILENT = logging.Logger("slack_sdk", logging.CRITICAL + 1)


class SlackRefused(SlipwayError):  # noqa: N818 - as AwsRefused
    """Slack said no; ``code`` is its word for it, like channel_not_found."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class SlackUnavailable(SlipwayError):  # noqa: N818 - as AwsUnavailable
    """Slack did not answer, or asked us to wait longer than the function can; trying later can help."""


class Slack:
    """Slack, through a webhook or as a bot, whichever the secret is for.

    Every method that sends raises SlackRefused, SlackUnavailable, or what `Secret.read` raises.
    """

    def __init__(
        self,
        secret: Secret,
        channel: str,
        left: Callable[[], float],
        api: str = "",
        once: bool = False,
    ) -> None:
        """A bot posts to the ``channel``; ``left`` says how many seconds may still be spent.

        ``api`` is where Slack's API is, if not where slack_sdk knows it. What is asked ``once`` is not
        tried again where Slack does not answer or has no time.
        """
        self._secret = secret
        self._channel = channel
        self._left = left
        self._api = api or WebClient.BASE_URL
        self._once = once

    def has_threads(self) -> bool:
        """Whether it can update messages and answer in their threads, as a bot does."""
        return not is_webhook(self._secret.read())

    def send(self, message: Mapping[str, Any]) -> None:
        """Send to the webhook."""
        self._do(WEBHOOK, {**message, "mrkdwn": False, "parse": "none", "link_names": 0})

    def post(
        self, message: Mapping[str, Any], thread: str | None = None, to_all: bool = False
    ) -> tuple[str, str]:
        """Post to the channel, or in a thread, and then also ``to_all`` in the channel.

        Returns:
            The channel's id and the message's ts, by which it can be updated.
        """
        if not self._channel:
            raise InvalidInput(
                f"SLACK_CHANNEL is not set: secret {self._secret.arn} holds a bot's token, and the bot "
                "has to know the id of the channel to post to"
            )
        in_thread = {"thread_ts": thread, "reply_broadcast": to_all} if thread else {}
        body = {"channel": self._channel, "mrkdwn": False, **in_thread, **message}
        answer = self._do("chat.postMessage", body)
        return str(answer["channel"]), str(answer["ts"])

    def update(self, channel: str, ts: str, message: Mapping[str, Any]) -> None:
        """Put another content into a message."""
        self._do("chat.update", {"channel": channel, "ts": ts, **message})

    def _do(self, method: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return self._try(method, body)
        except SlackRefused as refused:
            if refused.code not in STALE or not self._secret.has_changed():
                raise
        return self._try(method, body)

    def _try(self, method: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._left() < TIMEOUT_SECONDS:
            raise SlackUnavailable(f"there is no time left for {method}")
        content = self._secret.read()
        try:
            status, answer, wait = self._ask(method, body, content)
        except (OSError, HTTPException, SlackClientError, ValueError) as error:
            # Raised below: the other error, which may show an address, is not to go along.
            status, answer, wait = 0, {"error": f"{type(error).__name__}: {error}"}, ""
        said = _reason(answer, content)
        of = f"{method} with secret {self._secret.arn}"
        if status == 0:
            raise SlackUnavailable(f"no answer from Slack to {of}: {said}")
        if status == 429:
            raise SlackUnavailable(f"Slack's rate limit for {of}: wait {wait or 'some'} s")
        if status >= 500:
            raise SlackUnavailable(f"Slack answered {status} to {of}: {said}")
        if not answer["ok"]:
            to = f" to channel {body['channel']}" if "channel" in body else f", {status}"
            raise SlackRefused(f"Slack refused {of}{to}: {said}", str(answer.get("error", "")))
        return answer

    def _ask(
        self, method: str, body: Mapping[str, Any], content: str
    ) -> tuple[int, Mapping[str, Any], str]:
        """The status, what Slack says, and how long to wait, if it says so."""
        how: dict[str, Any] = {
            "timeout": TIMEOUT_SECONDS,
            "logger": _SILENT,
            "retry_handlers": [] if self._once else retry_handlers(self._left),
        }
        if method == WEBHOOK:
            sent = WebhookClient(content, **how).send_dict(dict(body))
            answer = {"ok": sent.status_code == 200, "error": sent.body.strip()}
            return sent.status_code, answer, sent.headers.get("Retry-After", "")
        web = WebClient(content, self._api, **how)
        quietly = {"parse": "none", "link_names": False, "unfurl_links": False}
        try:
            given = web.api_call(method, json={**quietly, "unfurl_media": False, **body})
        except SlackApiError as error:
            given = error.response
        data = given.data if isinstance(given.data, dict) else {}
        return given.status_code, {"ok": False, **data}, given.headers.get("Retry-After", "")


def _reason(answer: Mapping[str, Any], content: str) -> str:
    """What Slack says, in a line; whatever it is, without the secret."""
    said = [str(answer.get("error", "nothing"))]
    said += [f"{name} {answer[name]}" for name in ("needed", "provided") if name in answer]
    metadata = answer.get("response_metadata")
    said += [
        str(one) for one in (metadata.get("messages", []) if isinstance(metadata, dict) else [])
    ]
    line = " ".join(", ".join(said).split())
    url = urlsplit(content)
    for secret in (content, url.path, url.query):
        if secret.strip("/"):  # an URL may have none of them
            line = line.replace(secret, "*****")
    return line[:SAID_LENGTH]
