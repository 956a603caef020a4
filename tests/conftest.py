"""How the tests share the workers of pytest-xdist."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# Folders whose tests share what is dear to make, or are judged together: one worker takes them whole.
WHOLE = {"faults", "releases", "containers", "statemachine"}


class ByPlace(LoadScopeScheduling):
    """Keeps each folder of WHOLE, and elsewhere each file, on one worker."""

    def _split_scope(self, nodeid: str) -> str:
        file = PurePosixPath(nodeid.partition("::")[0])
        return file.parent.name if file.parent.name in WHOLE else str(file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByPlace:
    return ByPlace(config, log)
