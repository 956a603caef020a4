"""One local AWS for the whole session; a test names its own resources, so that tests don't meet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localaws.server import LocalAws


@pytest.fixture(scope="package")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as running:
        yield running
