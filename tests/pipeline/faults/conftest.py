"""A local AWS of their own for the long ones: what fails, what is stopped, and many at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.account import Account
from tests.support.accounts import account  # noqa: F401 - a fixture


@pytest.fixture(scope="module")
def no_pushes(account: Account) -> Iterator[None]:  # noqa: F811 - the fixture
    """Pushes start nothing: the stories send the events themselves."""
    with account.disabled("aws.ecr"):
        yield
