"""One container engine for every test in this folder that needs one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tools.samlocal import engine
from tools.samlocal.engine import Engine, NoEngineError


@pytest.fixture(scope="package")
def containers() -> Iterator[Engine]:
    """The engine; where none can be had the test is skipped, in CI it fails."""
    try:
        with engine.engine() as found:
            yield found
    except NoEngineError as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
