"""Every row of docs/fidelity.md has a source, and a test that exists or the reason why there is none."""

from __future__ import annotations

import re
from functools import cache

from tests.support.paths import REPO

TESTS = re.compile(r"`(tests/[\w./]*)?(?:::(\w+))?`")
REASON = re.compile(r"none[:,] \w")


def rows() -> list[list[str]]:
    page = (REPO / "docs/fidelity.md").read_text().partition("\n## ")[0]
    table = [line for line in page.splitlines() if line.startswith("| ")][2:]
    return [[cell.strip() for cell in row.strip("| ").split(" | ")] for row in table]


def named() -> list[tuple[str, str]]:
    """Every file or folder in the last column, and the test in it; the last file counts for ``::test``."""
    found, file = [], ""
    for row in rows():
        for path, test in TESTS.findall(row[-1]):
            if path or test:
                file = path or file
                found.append((file, test))
    return found


@cache
def defined_in(file: str) -> set[str]:
    return set(re.findall(r"^ *(?:def|class) (\w+)", (REPO / file).read_text(), re.MULTILINE))


def exists(file: str, test: str) -> bool:
    return (REPO / file).exists() and (not test or test in defined_in(file))


def test_every_test_that_the_page_names_exists() -> None:
    assert [each for each in named() if not exists(*each)] == []


def test_every_row_has_a_source_and_a_test_or_a_reason() -> None:
    source = re.compile(r"https://|model of `\w+`|`awslambdaric`")
    assert [row for row in rows() if len(row) != 4] == []
    assert [row for row in rows() if not source.search(row[1])] == []
    assert [row for row in rows() if not (TESTS.search(row[3]) or REASON.match(row[3]))] == []
