"""What a function's process can import: its artifact, then AWS's runtime client, nothing else.

Not this environment's site-packages: a package that is only there would work here and be missing on
AWS. So the interpreter starts without them (-S), and the few packages that the runtime client
consists of are linked into a folder of their own.
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
"""The distributions of AWS's runtime client and of what it needs; requirements-dev.txt pins them."""

_lock = threading.Lock()
_root: Path | None = None


def runtime_folder() -> Path:
    """The folder that holds AWS's runtime client, as /var/runtime does on AWS."""
    with _lock:
        folder = _made_root() / "runtime"
        if not folder.exists():
            folder.mkdir()
            for name in RUNTIME_CLIENT:
                _link(name, folder)
        return folder


def task_folder(code: bytes, sha: str) -> Path:
    """The folder that holds an unpacked artifact, as /var/task does on AWS: read-only."""
    with _lock:
        folder = _made_root() / sha.replace("/", "_")
        if not folder.exists():
            with zipfile.ZipFile(io.BytesIO(code)) as artifact:
                artifact.extractall(folder)
            _protect(folder)
        return folder


def _made_root() -> Path:
    """The folder of them all, until this process ends: a local AWS after this one has the same code."""
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
    """Write-protect the folders. Compiled modules may be added, or every start would compile."""
    for each in _folders(folder):
        if any(each.glob("*.py")):
            (each / "__pycache__").mkdir(exist_ok=True)
        each.chmod(0o555)


def _folders(root: Path) -> list[Path]:
    return [root, *(path for path in root.rglob("*/") if path.is_dir() and not path.is_symlink())]
