"""The secret for Slack: an incoming webhook's URL, or a bot's token."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from slipway import aws
from slipway.aws import calling
from slipway.errors import InvalidInput

AGE_SECONDS = 300
_IN_SECRETS_MANAGER = re.compile(r"arn:[\w-]+:secretsmanager:[\w-]*:\d*:secret:.+")
_IN_SSM = re.compile(r"arn:[\w-]+:ssm:[\w-]*:\d*:parameter/.+")
_TOKEN = re.compile(r"xoxb-[\w-]+")
_LOOPBACK = {"127.0.0.1", "localhost"}


class Secret:
    """A secret of Secrets Manager or a SecureString of SSM, cached for AGE_SECONDS.

    No error and no log line shows its content.
    """

    def __init__(self, arn: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is read yet."""
        self.arn = arn
        self._clock = clock
        self._content = ""
        self._read_at = 0.0

    def read(self) -> str:
        """The URL or the token.

        Raises:
            InvalidInput: the ARN or the content is not of a supported kind; the message names the ARN.
            AwsUnavailable, AwsRefused: the secret can't be read.
        """
        if not self._content or self._clock() - self._read_at > AGE_SECONDS:
            self._content = _checked(self.arn, _fetched(self.arn).strip())
            self._read_at = self._clock()
        return self._content

    def has_changed(self) -> bool:
        """Read the secret again, and return whether its content is another one of the same kind.

        Raises:
            InvalidInput, AwsUnavailable, AwsRefused: as `read`.
        """
        before, self._content = self._content, ""
        return self.read() != before and is_webhook(self.read()) == is_webhook(before)


def is_webhook(content: str) -> bool:
    """Whether the secret's content is an incoming webhook's URL and not a token."""
    return not content.startswith("xox")


def _fetched(arn: str) -> str:
    if _IN_SECRETS_MANAGER.fullmatch(arn):
        with calling("secretsmanager:GetSecretValue", arn):
            secret = aws.secretsmanager().get_secret_value(SecretId=arn)
        if "SecretString" not in secret:
            raise InvalidInput(f"secret {arn} is binary; it has to be a text")
        return secret["SecretString"]
    if _IN_SSM.fullmatch(arn):
        with calling("ssm:GetParameter", arn):
            parameter = aws.ssm().get_parameter(Name=arn, WithDecryption=True)["Parameter"]
        if parameter["Type"] != "SecureString":
            raise InvalidInput(
                f"parameter {arn} is no SecureString: everyone can read a secret in it"
            )
        return parameter["Value"]
    raise InvalidInput(
        f"SLACK_SECRET is {arn!r}, which is neither the ARN of a secret in Secrets Manager nor of a "
        "parameter in SSM"
    )


def _checked(arn: str, content: str) -> str:
    if _TOKEN.fullmatch(content) or _is_url(content):
        return content
    hint = ""
    if content.startswith("{"):
        hint = "; it looks like JSON: it has to be the plain text"
    elif re.match(r"xox[a-z]-|xapp-", content):
        hint = "; it looks like a token of another kind than a bot's"
    raise InvalidInput(
        f"secret {arn} holds neither an incoming webhook's URL (https://...) nor a bot's token "
        f"(xoxb-...){hint}"
    )


def _is_url(content: str) -> bool:
    if not re.fullmatch(r"[!-~]+", content):
        return False
    try:
        url = urlsplit(content)
        # A URL with a password is refused, because an error of http.client would show it.
        host = url.hostname if "@" not in url.netloc else None
    except ValueError:
        return False
    return bool(host) and (url.scheme == "https" or (url.scheme == "http" and host in _LOOPBACK))
