"""A local AWS of their own for the long ones: what fails, what is stopped, and many at once."""

from __future__ import annotations

from tests.support.accounts import account  # noqa: F401 - a fixture
