"""Requests to Slack within the time that a function has left. No error shows the secret."""

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
# Slack's errors for a token or a webhook that is not valid any more, perhaps because it was rotated.
STALE = {
    *("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"),
    *("no_service", "no_service_id", "no_team", "no_active_hooks", "invalid_token"),
}
SAID_LENGTH = 500

# slack_sdk logs the addresses of its requests, and a webhook's address is its secret.
_SILENT = logging.Logger("slack_sdk", logging.CRITICAL + 1)


class SlackRefused(SlipwayError):  # noqa: N818 - as AwsRefused
    """Slack refused a request; ``code`` is Slack's own, such as ``channel_not_found``."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class SlackUnavailable(SlipwayError):  # noqa: N818 - as AwsUnavailable
    """Slack did not answer, or set a wait that is longer than the function has time; a retry can help."""


class Slack:
    """Slack, through an incoming webhook or as a bot, depending on what the secret holds.

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
        """Nothing is sent or read yet.

        Args:
            channel: the id of the channel that a bot posts to; a webhook has a channel of its own.
            left: returns the seconds that may still be spent.
            api: the address of Slack's API; empty for slack_sdk's default.
            once: send each request once only, even if Slack does not answer or limits the rate.
        """
        self._secret = secret
        self._channel = channel
        self._left = left
        self._api = api or WebClient.BASE_URL
        self._once = once

    def has_threads(self) -> bool:
        """Whether messages can be updated and answered in threads: a bot can, a webhook can't."""
        return not is_webhook(self._secret.read())

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message through the webhook."""
        self._do(WEBHOOK, {**message, "mrkdwn": False, "parse": "none", "link_names": 0})

    def post(
        self, message: Mapping[str, Any], thread: str | None = None, to_all: bool = False
    ) -> tuple[str, str]:
        """Post a message to the channel as a bot.

        Args:
            thread: the ``ts`` of the message in whose thread to post.
            to_all: show a message of a thread in the channel as well.

        Returns:
            The channel's id and the message's ``ts``, with which it can be updated.

        Raises:
            InvalidInput: no channel is configured.
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
        """Replace the content of the message with this ``ts`` in this channel."""
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
            # SlackUnavailable is raised outside of this block, so that it is not chained to this error, which
            # may show an address.
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
        """The HTTP status, Slack's answer, and its Retry-After in seconds (empty if it has none)."""
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
    """Slack's error and its details in one line, with every part of the secret masked."""
    said = [str(answer.get("error", "nothing"))]
    said += [f"{name} {answer[name]}" for name in ("needed", "provided") if name in answer]
    metadata = answer.get("response_metadata")
    said += [
        str(one) for one in (metadata.get("messages", []) if isinstance(metadata, dict) else [])
    ]
    line = " ".join(", ".join(said).split())
    url = urlsplit(content)
    for secret in (content, url.path, url.query):
        if secret.strip("/"):  # a URL may have neither a path nor a query
            line = line.replace(secret, "*****")
    return line[:SAID_LENGTH]
