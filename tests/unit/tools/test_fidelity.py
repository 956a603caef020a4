"""Every row of docs/fidelity.md has a source, and a test that exists or the reason why there is none."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

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
    tree = ast.parse((REPO / file).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


@pytest.mark.parametrize(("file", "test"), named())
def test_every_test_that_the_page_names_exists(file: str, test: str) -> None:
    assert (REPO / file).exists()
    assert not test or test in defined_in(file)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:60])
def test_every_row_has_a_source_and_a_test_or_a_reason(row: list[str]) -> None:
    assert len(row) == 4
    assert re.search(r"https://|model of `\w+`|`awslambdaric`", row[1])
    assert TESTS.search(row[3]) or REASON.match(row[3])
