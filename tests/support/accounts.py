"""The fixture ``account``. A folder's conftest imports it, so that each folder has its own account."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.account import Account
from tests.support.deployed import deployed


@pytest.fixture(scope="package")
def account() -> Iterator[Account]:
    """An AWS account in which the real SAM CLI has deployed Slipway."""
    # The schedule never fires during a run: the tests of the sweep start it themselves. For them, every image
    # is old enough to be swept.
    with deployed({"SweepMinutes": "480", "SweepMaturitySeconds": "0"}) as (aws, outputs):
        yield Account(aws, outputs)
