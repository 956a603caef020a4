"""The fixture of an account with Slipway in it; a folder's conftest imports it, and has one of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.account import Account
from tests.support.deployed import deployed


@pytest.fixture(scope="package")
def account() -> Iterator[Account]:
    """An AWS account in which the real SAM CLI has deployed Slipway."""
    # The sweep is started by the tests that are about it, and waits for nothing.
    with deployed({"SweepMinutes": "1440", "SweepMaturitySeconds": "0"}) as (aws, outputs):
        yield Account(aws, outputs)
