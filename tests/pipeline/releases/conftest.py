"""One local AWS with Slipway deployed, for every test in this folder."""

from __future__ import annotations

from tests.support.accounts import account  # noqa: F401 - a fixture
