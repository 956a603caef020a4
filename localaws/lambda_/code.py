"""The code in a function's process: its artifact, then AWS's runtime client, and nothing else.

The site-packages of this environment are not included: a function could import a package that is
missing on AWS. So the interpreter starts without them (-S), and the packages of the runtime client are
linked into a folder of their own.
"""

from __future__ import annotations

import atexit
import io
import shutil
import tempfile
import threading
import zipfile
from importlib.metadata import distribution
from pathlib import Path

RUNTIME_CLIENT = ("awslambdaric", "simplejson", "snapshot-restore-py")
"""The distributions of the runtime client and its dependencies, pinned in requirements-dev.txt."""

_lock = threading.Lock()
_root: Path | None = None


def runtime_folder() -> Path:
    """The folder with AWS's runtime client, which is /var/runtime on AWS."""
    with _lock:
        folder = _made_root() / "runtime"
        if not folder.exists():
            folder.mkdir()
            for name in RUNTIME_CLIENT:
                _link(name, folder)
        return folder


def task_folder(code: bytes, sha: str) -> Path:
    """The read-only folder with an unpacked artifact, which is /var/task on AWS."""
    with _lock:
        folder = _made_root() / sha.replace("/", "_")
        if not folder.exists():
            with zipfile.ZipFile(io.BytesIO(code)) as artifact:
                artifact.extractall(folder)
            _protect(folder)
        return folder


def _made_root() -> Path:
    """The folder of all these folders. It is kept for the next local AWS of this process."""
    global _root
    if _root is None:
        _root = Path(tempfile.mkdtemp(prefix="localaws-lambda-"))
        atexit.register(_remove, _root)
    return _root


def _remove(root: Path) -> None:
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
