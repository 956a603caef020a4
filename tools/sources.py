"""What a build or a deployment was made of, as one text that another state of it does not have."""

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
"""What `sam build` and the packing after it depend on, besides the machine and its interpreter."""
DEPLOYED = (*BUILT, "localaws")
"""What a deployment to the local AWS depends on."""


def fingerprint(repo: Path, paths: tuple[str, ...]) -> str:
    """The hash of these files and folders, of the machine's architecture and of the interpreter."""
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
