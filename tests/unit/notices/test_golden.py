"""What people get is what was read and found good: tests/golden/."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import golden

EXPECTED = golden.golden()


def _id(path: Path) -> str:
    return "/".join(path.relative_to(golden.GOLDEN).parts)


@pytest.mark.parametrize("path", EXPECTED, ids=_id)
def test_each_form_of_a_notice_equals_its_golden_file(path: Path) -> None:
    assert path.read_text() == EXPECTED[path], "make golden, and read the difference"


def test_every_golden_file_has_its_notice() -> None:
    assert golden.stale() == []
