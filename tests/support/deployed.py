"""A local AWS in which Slipway is deployed, started from a snapshot.

The real SAM CLI packages once for each state of the sources. From what it has uploaded, a stack is created
for each set of parameters, as `sam deploy` does it: by a change set. The local AWS is then saved in
.cache/deployed, from which every further test, worker and run of the tests starts.
"""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from localaws.server import LocalAws
from tests.support.localaws.stacks import change, outputs, reasons
from tests.support.paths import REPO
from tools import sam, sources

CACHE = REPO / ".cache" / "deployed"
STACK = "slipway"
TEMPLATE = "packaged.yaml"
HOW = ("tests/support/deployed.py", "tests/support/localaws/stacks.py")
_STATES = 3  # how many states of the sources keep their snapshots, of 18 MB each

Prepare = Callable[[LocalAws], dict[str, str]]
"""Creates what must exist before the deployment, and returns the parameters that name it."""


@contextmanager
def deployed(
    parameters: dict[str, str], prepare: Prepare | None = None
) -> Iterator[tuple[LocalAws, dict[str, str]]]:
    """A local AWS with Slipway deployed with these parameters, and the outputs of its stack."""
    with LocalAws(saved=snapshot(parameters, prepare)) as aws:
        yield aws, sam.outputs(aws, STACK)


def snapshot(parameters: dict[str, str], prepare: Prepare | None = None) -> Path:
    """The file with the snapshot of such a deployment, which is made if there is none yet."""

    def deployment(aws: LocalAws) -> None:
        deploy(aws, {**parameters, **(prepare(aws) if prepare else {})})

    how = [parameters, inspect.getsource(prepare) if prepare else ""]
    name = hashlib.sha256(json.dumps(how, sort_keys=True).encode()).hexdigest()
    return _saved(name, lambda: LocalAws(saved=packaged()), deployment)


def packaged() -> Path:
    """The file with the snapshot of a local AWS that has only what the SAM CLI has uploaded."""
    return _saved("packaged", LocalAws, _package)


def deploy(
    aws: LocalAws, parameters: dict[str, str], stack: str = STACK, template: str = TEMPLATE
) -> dict[str, str]:
    """Create or update a stack from what the SAM CLI has uploaded; its outputs.

    Args:
        parameters: those that differ from samconfig.toml's.
        template: the name under which `package` has uploaded it.
    """
    stacks = aws.client("cloudformation").describe_stacks()["Stacks"]
    kind = "UPDATE" if stack in [each["StackName"] for each in stacks] else "CREATE"
    url = f"https://s3.amazonaws.com/{sam.bucket(REPO)}/{template}"
    ended = change(aws, stack, url, sam.parameters(REPO, "deploy", parameters), kind)
    assert ended["StackStatus"] == f"{kind}_COMPLETE", reasons(aws, ended)
    return outputs(ended)


def package(aws: LocalAws, repo: Path, name: str) -> None:
    """Upload a version of Slipway that is built, and its packaged template under this name."""
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / TEMPLATE
        sam.package(aws, repo, template)
        aws.client("s3").upload_file(str(template), sam.bucket(REPO), name)


def _package(aws: LocalAws) -> None:
    sam.build_once(REPO)
    package(aws, REPO, TEMPLATE)


def _saved(name: str, start: Callable[[], LocalAws], use: Callable[[LocalAws], None]) -> Path:
    """The file with the state of a local AWS that was started and used in this way, once for the sources."""
    folder = CACHE / sources.fingerprint(REPO, (*sources.DEPLOYED, *HOW))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.snapshot"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed
        if not file.exists():
            unfinished = file.with_suffix(".unfinished")
            with start() as aws:
                use(aws)
                aws.save(unfinished)
            unfinished.rename(file)
            _forget_old_states()
    return file


def _forget_old_states() -> None:
    states = sorted(CACHE.iterdir(), key=lambda folder: folder.stat().st_mtime)
    for folder in states[:-_STATES]:
        shutil.rmtree(folder, ignore_errors=True)
