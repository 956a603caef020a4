"""A local AWS in which Slipway is deployed, started from a snapshot.

The real SAM CLI deploys once for each state of the sources and set of parameters; what it has deployed
is saved in .cache/deployed, where every further test, worker and run of the tests finds it.
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
_STATES = 3  # of the sources whose snapshots stay; one has 40 MB

Prepare = Callable[[LocalAws], dict[str, str]]
"""Makes in the account what has to be there first; the parameters that say what it made."""


@contextmanager
def deployed(
    parameters: dict[str, str], prepare: Prepare | None = None
) -> Iterator[tuple[LocalAws, dict[str, str]]]:
    """The local AWS with Slipway deployed so, and the outputs of its stack."""
    with LocalAws(saved=snapshot(parameters, prepare)) as aws:
        yield aws, sam.outputs(aws)


def snapshot(parameters: dict[str, str], prepare: Prepare | None = None) -> Path:
    """The snapshot of such a deployment; it is made where there is none yet."""
    folder = CACHE / sources.fingerprint(REPO, sources.DEPLOYED)
    folder.mkdir(parents=True, exist_ok=True)
    how = [parameters, inspect.getsource(prepare) if prepare else ""]
    name = hashlib.sha256(json.dumps(how, sort_keys=True).encode()).hexdigest()
    file = folder / f"{name}.snapshot"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # closing the file gives it back
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
