"""NotifySlack against a Slack on loopback, with moto's DynamoDB, SSM and Secrets Manager in this process."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from slipway import aws
from tests.support.builders import REGION
from tests.support.fake_slack import FakeSlack
from tests.support.ledgers import Directly, ledger  # noqa: F401 - a fixture
from tests.support.notify_slack import Function

TABLE = aws.table
CLIENTS: tuple[Any, ...] = (aws.ssm, aws.secretsmanager, TABLE)


@pytest.fixture(scope="package", autouse=True)
def made_up_account() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("AWS_CONFIG_FILE", "/dev/null")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("LEDGER_TABLE", "ledger")
        patch.setenv("HISTORY_DAYS", "14")
        for client in CLIENTS:
            client.cache_clear()
        yield
        for client in CLIENTS:
            client.cache_clear()


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as server:
        yield server


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    """The seconds that slack_sdk would have waited."""
    waited: list[float] = []
    clock = SimpleNamespace(sleep=waited.append)
    for module in ("handler", "builtin_handlers"):
        monkeypatch.setattr(f"slack_sdk.http_retry.{module}.time", clock)
    return waited


@pytest.fixture
def secret(ledger, monkeypatch) -> str:  # noqa: F811 - a fixture
    """ARN of a secret that holds nothing of use yet. The function writes to the table past boto3."""
    monkeypatch.setattr(aws, "table", Directly)
    made = aws.secretsmanager().create_secret(Name="slack", SecretString="nothing")
    return made["ARN"]


@pytest.fixture
def bot(slack, secret, monkeypatch) -> Function:
    """The function with a bot's token."""
    function = Function(secret, monkeypatch)
    function.holds(slack.token)
    function.set(SLACK_API_URL=slack.api, SLACK_CHANNEL=slack.channel)
    return function


@pytest.fixture
def bot_through_boto3(bot, monkeypatch) -> Function:
    """The same, which writes to the table as it does on AWS."""
    monkeypatch.setattr(aws, "table", TABLE)
    return bot


@pytest.fixture
def webhook(slack, secret, monkeypatch) -> Function:
    """The function with a webhook's URL."""
    function = Function(secret, monkeypatch)
    function.holds(slack.webhook)
    return function
