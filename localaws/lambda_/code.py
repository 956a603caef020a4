"""The code in a function's process: its artifact, then AWS's runtime client, and nothing else.

The site-packages of this environment are not included: a function could import a package that is
missing on AWS. So the interpreter starts without them (-S), and the packages of the runtime client are
linked into a folder of their own.
"""

from __future__ import annotations

import atexit
import io
import os
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path

RUNTIME_CLIENT = ("awslambdaric", "simplejson", "snapshot-restore-py")
"""The distributions of the runtime client and its dependencies, pinned in requirements-dev.txt."""

SHARED = "LOCALAWS_UNPACKED"
"""The variable that names a folder for all processes of the local AWS, so that each artifact is unpacked, and
its modules are compiled, once. Whoever sets it removes the folder."""

_lock = threading.Lock()
_root: Path | None = None


def runtime_folder() -> Path:
    """The folder with AWS's runtime client, which is /var/runtime on AWS."""

    def link(folder: Path) -> None:
        for name in RUNTIME_CLIENT:
            _link(name, folder)

    return _made("runtime", link)


def task_folder(code: bytes, sha: str) -> Path:
    """The read-only folder with an unpacked artifact, which is /var/task on AWS."""

    def unpack(folder: Path) -> None:
        with zipfile.ZipFile(io.BytesIO(code)) as artifact:
            artifact.extractall(folder)
        _protect(folder)

    return _made(sha.replace("/", "_"), unpack)


def _made(name: str, fill: Callable[[Path], None]) -> Path:
    """The folder with this name, filled once. Another process may do so at the same moment."""
    with _lock:
        root = _made_root()
        if not (root / name).exists():
            folder = Path(tempfile.mkdtemp(dir=root))
            fill(folder)
            try:
                folder.rename(root / name)
            except OSError:
                remove(folder)
                if not (root / name).exists():  # which another process would have made meanwhile
                    raise
        return root / name


def _made_root() -> Path:
    """The folder of all these folders: SHARED, or one that is kept for the next local AWS of this process."""
    global _root
    if _root is None and (shared := os.environ.get(SHARED)):
        _root = Path(shared)
    if _root is None:
        _root = Path(tempfile.mkdtemp(prefix="localaws-lambda-"))
        atexit.register(remove, _root)
    return _root


def remove(root: Path) -> None:
    """Remove a folder of unpacked artifacts."""
    for folder in _folders(root):
        folder.chmod(0o755)
    shutil.rmtree(root)


def _link(name: str, folder: Path) -> None:
    package = distribution(name)
    for top in {file.parts[0] for file in package.files or () if file.parts[0] != ".."}:
        (folder / top).symlink_to(Path(str(package.locate_file(top))))


def _protect(folder: Path) -> None:
    """Write-protect the folders, but let Python add compiled modules, or every start would compile
    them.
    """
    for each in _folders(folder):
        if any(each.glob("*.py")):
            (each / "__pycache__").mkdir(exist_ok=True)
        each.chmod(0o555)


def _folders(root: Path) -> list[Path]:
    return [root, *(path for path in root.rglob("*/") if path.is_dir() and not path.is_symlink())]
