"""A Slack that is notified by a bot, and one by a webhook."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.channels import Channel, channel
from tests.support.fake_slack import CHANNEL, TOKEN


@pytest.fixture(scope="module")
def bot() -> Iterator[Channel]:
    """With the token of a bot: a message for each deployment."""
    with channel(TOKEN, SlackChannel=CHANNEL) as made:
        yield made


@pytest.fixture(scope="module")
def webhook() -> Iterator[Channel]:
    """With an incoming webhook: a message for each start and each end."""
    with channel(ChatNotifications="true", NotifyNoChange="true") as made:
        yield made
