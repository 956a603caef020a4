"""One local AWS with Slipway deployed by the real SAM CLI, for every test in this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localaws import sam
from localaws.server import LocalAws
from tests.support.account import Account
from tests.support.paths import REPO


@pytest.fixture(scope="package")
def account() -> Iterator[Account]:
    """An AWS account with Slipway in it."""
    sam.build(REPO)
    with LocalAws() as aws:
        # The sweep is started by the tests that are about it, and waits for nothing.
        sweep = {"SweepMinutes": "1440", "SweepMaturitySeconds": "0"}
        yield Account(aws, sam.deploy(aws, REPO, sweep))
