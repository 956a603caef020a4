"""The ledger's own tests send every request through a client, which checks its shape."""

from __future__ import annotations

import pytest

from slipway import aws
from slipway.ledger.ledger import Ledger


@pytest.fixture
def ledger(ledger: Ledger) -> Ledger:
    """The same empty ledger, through the functions' client."""
    return Ledger(aws.table())
