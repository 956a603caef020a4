"""A fingerprint of the sources of a build or a deployment: another state of them has another one."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

BUILT = (
    "environment",
    "functions",
    "tools/sam.py",
    "requirements-dev.txt",
    "samconfig.toml",
    "statemachine",
    "template.yaml",
    "tools/pack.py",
)
"""The sources of `sam build` and of the packing after it."""
DEPLOYED = (*BUILT, "localaws")
"""The sources of a deployment to the local AWS."""


def fingerprint(repo: Path, paths: tuple[str, ...]) -> str:
    """The hash of these files and folders, the machine's architecture and the interpreter."""
    found = hashlib.sha256(f"{platform.machine()} {sys.version}".encode())
    for file in sorted({file for path in paths for file in _files(repo / path)}):
        found.update(f"\0{file.relative_to(repo)}\0".encode())
        found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for file in path.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file
