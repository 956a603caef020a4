"""What may import what. Every import counts, also one for type checkers and one inside a function."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.support.paths import REPO

# Folders whose files must not import each other in circles.
WITHOUT_CIRCLES = ("functions", "localaws")

Imports = Mapping[str, set[str]]


@cache
def imported(source: str) -> tuple[str, ...]:
    """The full name of everything that a file imports."""
    return tuple(_imported(source))


def _imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not followed"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files_in(folder: Path, root: Path) -> dict[str, Path]:
    """The files of a folder by the names that they are imported by, with ``root`` on sys.path."""
    found = {}
    for file in sorted(folder.rglob("*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports_between(files: Mapping[str, Path]) -> Imports:
    """Which of the files each of them imports."""
    graph: dict[str, set[str]] = {}
    for name, file in files.items():
        graph[name] = set()
        for full in imported(file.read_text()):
            target = full if full in files else full.rpartition(".")[0]
            if target in files:
                graph[name].add(target)
    return graph


def circles(graph: Imports) -> list[list[str]]:
    """The groups of files that import each other, directly or by way of others."""

    def reachable(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = list(graph[start])
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting.extend(graph[name])
        return seen

    reach = {name: reachable(name) for name in graph}
    groups = {
        tuple(sorted({name, *(other for other in reach[name] if name in reach[other])}))
        for name in graph
        if name in reach[name]
    }
    return [list(group) for group in sorted(groups)]


@pytest.mark.parametrize("folder", WITHOUT_CIRCLES)
def test_no_files_import_each_other_in_a_circle(folder: str) -> None:
    root = REPO / "functions" if folder == "functions" else REPO
    found = circles(imports_between(files_in(REPO / folder, root)))
    assert not found, "\n".join(" <-> ".join(circle) for circle in found)


def test_a_circle_through_a_type_checkers_import_and_a_functions_import_is_found(
    tmp_path: Path,
) -> None:
    sources = {
        "a": "from package import b",
        "b": "if TYPE_CHECKING:\n    from package.c import C",
        "c": "def f():\n    import package.a",
        "d": "from package.a import f",
    }
    package = tmp_path / "package"
    package.mkdir()
    for name, source in sources.items():
        (package / f"{name}.py").write_text(source)
    graph = imports_between(files_in(package, tmp_path))
    assert circles(graph) == [["package.a", "package.b", "package.c"]]


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("localaws", ("slipway", "functions", "tools", "tests")),
        ("functions", ("localaws", "tools", "tests")),
    ],
)
def test_no_file_imports_from_a_folder_that_it_must_not_know(
    folder: str, forbidden: tuple[str, ...]
) -> None:
    handlers = {file.stem for file in (REPO / "functions").glob("*.py")}
    if folder == "localaws":
        forbidden = (*forbidden, *(handlers - sys.stdlib_module_names))
    wrong = [
        f"{file.relative_to(REPO)} imports {full}"
        for file in sorted((REPO / folder).rglob("*.py"))
        for full in imported(file.read_text())
        if full.partition(".")[0] in forbidden
    ]
    assert not wrong, "\n".join(wrong)


def test_no_test_imports_another_test() -> None:
    # Few files name another folder of tests at all, and to parse them all takes a second.
    named = re.compile(r"\btests(?!\.(?:support|conftest)\b)")
    wrong = [
        f"{file.relative_to(REPO)} imports {full}"
        for file in sorted((REPO / "tests").rglob("*.py"))
        if named.search(text := file.read_text())
        for full in imported(text)
        if full.startswith("tests.") and not full.startswith(("tests.support.", "tests.conftest."))
    ]
    assert not wrong, "\n".join(wrong)
