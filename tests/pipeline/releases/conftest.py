"""One local AWS with Slipway deployed by the real SAM CLI, for every test in this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.account import Account
from tests.support.deployed import deployed


@pytest.fixture(scope="package")
def account() -> Iterator[Account]:
    """An AWS account with Slipway in it."""
    # The sweep is started by the tests that are about it, and waits for nothing.
    with deployed({"SweepMinutes": "1440", "SweepMaturitySeconds": "0"}) as (aws, outputs):
        yield Account(aws, outputs)
