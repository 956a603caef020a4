"""A local AWS in which Slipway is deployed, started from a snapshot.

The real SAM CLI deploys once for each state of the sources and each set of parameters. The local AWS is then
saved in .cache/deployed, from which every further test, worker and run of the tests starts.
"""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from localaws.server import LocalAws
from tests.support.paths import REPO
from tools import sam, sources

CACHE = REPO / ".cache" / "deployed"
_STATES = 3  # how many states of the sources keep their snapshots, of 18 MB each

Prepare = Callable[[LocalAws], dict[str, str]]
"""Creates what must exist before the deployment, and returns the parameters that name it."""


@contextmanager
def deployed(
    parameters: dict[str, str], prepare: Prepare | None = None
) -> Iterator[tuple[LocalAws, dict[str, str]]]:
    """A local AWS with Slipway deployed with these parameters, and the outputs of its stack."""
    with LocalAws(saved=snapshot(parameters, prepare)) as aws:
        yield aws, sam.outputs(aws)


def snapshot(parameters: dict[str, str], prepare: Prepare | None = None) -> Path:
    """The file with the snapshot of such a deployment, which is made if there is none yet."""
    folder = CACHE / sources.fingerprint(REPO, sources.DEPLOYED)
    folder.mkdir(parents=True, exist_ok=True)
    how = [parameters, inspect.getsource(prepare) if prepare else ""]
    name = hashlib.sha256(json.dumps(how, sort_keys=True).encode()).hexdigest()
    file = folder / f"{name}.snapshot"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed
        if not file.exists():
            _deploy(parameters, prepare, file)
            _forget_old_states()
    return file


def _deploy(parameters: dict[str, str], prepare: Prepare | None, file: Path) -> None:
    sam.build_once(REPO)
    unfinished = file.with_suffix(".unfinished")
    with LocalAws() as aws:
        more = prepare(aws) if prepare else {}
        sam.deploy(aws, REPO, {**parameters, **more})
        aws.save(unfinished)
    unfinished.rename(file)


def _forget_old_states() -> None:
    states = sorted(CACHE.iterdir(), key=lambda folder: folder.stat().st_mtime)
    for folder in states[:-_STATES]:
        shutil.rmtree(folder, ignore_errors=True)
