"""Builds and deploys with the real SAM CLI and the ``local`` environment of `samconfig.toml`.

The functions run on this machine, so their runtime and architecture are those of the machine, whatever
the file says.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools import sources
from tools.pack import pack

if TYPE_CHECKING:
    from localaws.server import LocalAws

_ENVIRONMENT = "local"
# in the folder that `sam build` empties, so that it disappears with the build
_MARK = ".aws-sam/build/made-of"
_OUTPUT_LINES = 40  # how much of a failed command's output its error has


class SamError(Exception):
    """A SAM CLI command failed. The message has the end of its output."""


def build(repo: Path) -> None:
    """Do what ``make build`` does: ``sam build``, then tools/pack.py."""
    with _alone(repo):
        _build(repo, sources.fingerprint(repo, sources.BUILT))


def build_once(repo: Path) -> None:
    """Build, unless the last build was made from the same sources."""
    with _alone(repo):
        wanted, mark = sources.fingerprint(repo, sources.BUILT), repo / _MARK
        if not mark.exists() or mark.read_text() != wanted:
            _build(repo, wanted)


def _build(repo: Path, fingerprint: str) -> None:
    _sam(repo, "build", as_arguments(parameters(repo, "build", {})))
    pack(repo / ".aws-sam" / "build")
    (repo / _MARK).write_text(fingerprint)


def deploy(
    aws: LocalAws, repo: Path, overrides: dict[str, str] | None = None, stack: str = "slipway"
) -> dict[str, str]:
    """Run ``sam deploy`` against a running local AWS, and return the stack's outputs."""
    # In us-east-1, it is no error to create a bucket again.
    aws.client("s3").create_bucket(Bucket=bucket(repo))
    with _alone(repo):
        given = as_arguments(parameters(repo, "deploy", overrides or {}))
        _sam(repo, "deploy", ["--stack-name", stack, *given])
    return outputs(aws, stack)


def package(aws: LocalAws, repo: Path, template: Path) -> None:
    """Run ``sam package``, which uploads what the template refers to, and writes the packaged template."""
    aws.client("s3").create_bucket(Bucket=bucket(repo))
    where = ["--s3-bucket", bucket(repo), "--output-template-file", str(template)]
    with _alone(repo):
        _sam(repo, "package", where)


def bucket(repo: Path) -> str:
    """The name of the bucket to which the SAM CLI uploads."""
    return str(_settings(repo, "deploy")["s3_bucket"])


def outputs(aws: LocalAws, stack: str = "slipway") -> dict[str, str]:
    """The outputs of the deployed stack."""
    stacks = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}


def copy_build(repo: Path, folder: Path) -> Path:
    """Copy the build into ``folder``, where no other build empties it; return the copy's template."""
    with _alone(repo):
        shutil.copytree(repo / ".aws-sam" / "build", folder)
    return folder / "template.yaml"


@contextmanager
def _alone(repo: Path) -> Iterator[None]:
    """Run one SAM CLI at a time in this checkout, because a build empties the folder that a
    deployment reads.
    """
    folder = repo / ".aws-sam"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed
        yield


def _sam(repo: Path, command: str, arguments: list[str]) -> None:
    binaries = Path(sys.executable).parent  # the SAM CLI finds the runtime's interpreter here, too
    run = subprocess.run(
        [binaries / "sam", command, "--config-env", _ENVIRONMENT, *arguments],
        cwd=repo,
        env={
            **os.environ,
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
            "SAM_CLI_TELEMETRY": "0",
            # All functions are built from one folder, so one build and one zip serve all of them.
            "SAM_CLI_BETA_BUILD_PERFORMANCE": "1",
            "SAM_CLI_BETA_PACKAGE_PERFORMANCE": "1",
            "SAM_CLI_POLL_DELAY": "1",  # seconds; the default of 5 is meant for the real AWS
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        tail = "\n".join(run.stdout.splitlines()[-_OUTPUT_LINES:])
        raise SamError(f"sam {command} failed with exit code {run.returncode}:\n{tail}")


def parameters(repo: Path, command: str, overrides: dict[str, str]) -> dict[str, str]:
    """The parameters in samconfig.toml, with those of this machine and ``overrides`` in their place."""
    machine = {
        "Architecture": "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64",
        "PythonRuntime": f"python3.{sys.version_info.minor}",
    }
    return {**_in_file(repo, command), **machine, **overrides}


def as_arguments(parameters: dict[str, str]) -> list[str]:
    """The arguments of the SAM CLI for these parameters, which replace all of samconfig.toml's."""
    return ["--parameter-overrides", *(f'{name}="{value}"' for name, value in parameters.items())]


def _in_file(repo: Path, command: str) -> dict[str, str]:
    given = _settings(repo, command).get("parameter_overrides", [])
    pairs = shlex.split(given) if isinstance(given, str) else given
    return dict(pair.split("=", 1) for pair in pairs)


def _settings(repo: Path, command: str) -> dict[str, Any]:
    with (repo / "samconfig.toml").open("rb") as file:
        environment = tomllib.load(file)[_ENVIRONMENT]
    settings = {}
    for section in ("global", command):
        settings.update(environment.get(section, {}).get("parameters", {}))
    return settings
