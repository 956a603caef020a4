"""What people are told is what was read and found good: tests/golden/."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import golden

EXPECTED = golden.golden()


def _id(path: Path) -> str:
    return "/".join(path.relative_to(golden.GOLDEN).parts)


@pytest.mark.parametrize("path", EXPECTED, ids=_id)
def test_what_is_told_is_what_the_golden_file_holds(path: Path) -> None:
    assert path.read_text() == EXPECTED[path], "make golden, and read the difference"


def test_no_golden_file_is_left_of_what_is_not_told_any_more() -> None:
    assert golden.stale() == []
