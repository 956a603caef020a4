"""A base image for `sam local`, made of this machine's files, for when no registry can be reached.

It has the CPython that runs this module, which is that of the functions' runtime (tools/sam.py), with the
standard library; AWS's runtime client in /var/runtime; the shared libraries that both are linked to; and
the three commands that the SAM CLI's own layer needs. It has no package of the development environment,
because whatever a function imports has to be in its artifact.

The layout is that of AWS's images: https://docs.aws.amazon.com/lambda/latest/dg/python-image.html
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from localaws.lambda_.code import RUNTIME_CLIENT

RUNTIME = f"python3.{sys.version_info.minor}"
# The SAM CLI's layer moves a file and makes it executable, in a shell.
COMMANDS = ("sh", "mv", "chmod")
# Libraries that newer versions of glibc have merged into one; older binaries still need them.
GLIBC = ("libdl.so.2", "libpthread.so.0", "libresolv.so.2", "librt.so.1", "libutil.so.1")
# Parts of the standard library that AWS's image lacks, or that only builds and tests need.
LEFT_OUT = {
    "site-packages",
    "dist-packages",
    "ensurepip",
    "idlelib",
    "test",
    "tkinter",
    "turtledemo",
}

BOOTSTRAP = f"""#!/bin/sh
export AWS_EXECUTION_ENV=AWS_Lambda_{RUNTIME}
export PYTHONPATH=/opt/python:/var/runtime
exec /var/lang/bin/{RUNTIME} -m awslambdaric "$_HANDLER"
"""
CHANGES = [
    "ENV PATH=/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin",
    "ENV LD_LIBRARY_PATH=/var/lang/lib:/var/runtime:/var/task:/var/task/lib:/opt/lib",
    "ENV LAMBDA_TASK_ROOT=/var/task",
    "ENV LAMBDA_RUNTIME_DIR=/var/runtime",
    "ENV LANG=C.UTF-8",
    "ENV TZ=:UTC",
    "WORKDIR /var/task",
    'ENTRYPOINT ["/var/runtime/bootstrap"]',
]

_FOLDERS = ("dev", "opt", "proc", "sys", "tmp", "var/rapid", "var/task")
_LIBRARY = re.compile(r"(/\S+\.so\S*) \(0x")  # a path in the output of ldd

Contents = dict[str, Path]
"""Files of this machine, by their names in the image."""


def load(docker: Any, cache: Path) -> str:
    """Make the image, or take it from ``cache``, and import it; return its name.

    Args:
        docker: a docker.DockerClient.
    """
    archive = build(cache)
    # The SAM CLI names its layer after the repository only, so the key has to be part of that name.
    repository = f"slipway/{archive.stem}"
    if not docker.images.list(name=f"{repository}:base"):
        docker.api.import_image_from_file(str(archive), repository, "base", changes=CHANGES)
    return f"{repository}:base"


def build(cache: Path) -> Path:
    """The image as a tar in ``cache``. It is made if it is missing, and older ones are removed."""
    contents = _contents()
    archive = cache / f"lambda-{RUNTIME}-{_key(contents)}.tar"
    if not archive.exists():
        cache.mkdir(parents=True, exist_ok=True)
        for old in cache.glob("*.tar"):
            old.unlink(missing_ok=True)
        unfinished = archive.with_suffix(f".{os.getpid()}")
        _write(unfinished, contents)
        unfinished.rename(archive)
    return archive


def _contents() -> Contents:
    contents = {f"var/lang/bin/{RUNTIME}": Path(sys._base_executable).resolve()}  # type: ignore[attr-defined]
    contents |= {
        f"var/lang/lib/{RUNTIME}/{inside}": file
        for inside, file in _files(Path(sysconfig.get_path("stdlib")))
    }
    for name in RUNTIME_CLIENT:
        package = distribution(name)
        contents |= {
            f"var/runtime/{file}": Path(str(package.locate_file(file)))
            for file in package.files or ()
            if ".." not in file.parts and "__pycache__" not in file.parts
        }
    contents |= {f"bin/{name}": Path(shutil.which(name) or "").resolve() for name in COMMANDS}
    linked = [
        file for name, file in contents.items() if ".so" in file.name or "/bin/" in f"/{name}"
    ]
    return contents | {str(library)[1:]: library.resolve() for library in _libraries(linked)}


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in LEFT_OUT and "config-" not in name]
        inside = Path(place).relative_to(folder)
        for name in names:
            # Leaves out compiled modules that only python -O uses, and what needs a screen.
            if ".opt-" not in name and not name.startswith("_tkinter"):
                yield str(inside / name), Path(place, name).resolve()


def _libraries(linked: Iterable[Path]) -> set[Path]:
    """The libraries that these files are linked to, and the dynamic linker, by their usual paths."""
    run = subprocess.run(["ldd", *linked], capture_output=True, text=True, check=False)
    found = {Path(path) for path in _LIBRARY.findall(run.stdout)}
    glibc = next(path.parent for path in found if path.name == "libc.so.6")
    return found | {glibc / name for name in GLIBC if (glibc / name).exists()}


def _key(contents: Contents) -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for name, file in sorted(contents.items()):
        status = file.stat()
        digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:12]


def _write(path: Path, contents: Contents) -> None:
    with tarfile.open(path, "w", dereference=True) as archive:
        for name in _FOLDERS:
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            archive.addfile(folder)
        for name, file in sorted(contents.items()):
            archive.add(file, name, recursive=False, filter=_of_root)
        bootstrap = tarfile.TarInfo("var/runtime/bootstrap")
        bootstrap.size, bootstrap.mode = len(BOOTSTRAP), 0o755
        archive.addfile(bootstrap, io.BytesIO(BOOTSTRAP.encode()))


def _of_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid, member.gid, member.uname, member.gname = 0, 0, "root", "root"
    return member
