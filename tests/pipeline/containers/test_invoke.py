"""`make local` in one terminal, `sam local invoke` in another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from localaws import seed
from tools.samlocal.account import EVENTS
from tools.samlocal.compare import differences, normalised
from tools.samlocal.engine import REPO, Engine

pytestmark = pytest.mark.sam_local

SAM = str(Path(sys.executable).parent / "sam")
AWS = str(Path(sys.executable).parent / "aws")


@pytest.fixture(scope="module")
def environment(containers: Engine) -> dict[str, str]:
    """What the guide of `make local` has exported, where the engine is."""
    local = {
        "AWS_ENDPOINT_URL": "http://localhost:4566",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "localaws",
        "AWS_SECRET_ACCESS_KEY": "localaws",
        "SAM_CLI_TELEMETRY": "0",
    }
    return containers.environment({**os.environ, **local})


@pytest.fixture
def local(containers: Engine, environment: dict[str, str]) -> Any:
    """`make local`, ready, in the network of the engine: the port is free there."""
    if not containers.private:
        pytest.skip("port 4566 may be taken")
    with subprocess.Popen(
        containers.command([sys.executable, "-m", "tools.samlocal.local_invoke"]),
        cwd=REPO,
        env=containers.environment(os.environ),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert any("The local AWS is ready" in line for line in process.stdout)
        assert any("Ctrl-C" in line for line in process.stdout)
        yield
        os.killpg(process.pid, signal.SIGTERM)  # of nsenter, and of what it has started


def test_a_function_answers_as_recorded(
    containers: Engine, environment: dict[str, str], local: None
) -> None:
    push = [AWS, "ecr", "put-image", "--repository-name", "shop/api", "--image-tag", "v1"]
    run(containers, environment, [*push, "--image-manifest", seed.manifest("v1")])
    invoke = [SAM, "local", "invoke", "ResolveRelease", "--config-env", "local"]
    invoke += ["--event", "events/resolve_release.json"]
    # What only a machine without a registry needs.
    invoke += ["--skip-pull-image", "--invoke-image", containers.image]
    answer = json.loads(run(containers, environment, invoke).splitlines()[-1])
    recorded = json.loads((EVENTS / "answers" / "resolve_release.json").read_text())
    assert list(differences(recorded, normalised(answer))) == []


def run(containers: Engine, environment: dict[str, str], command: list[str]) -> str:
    """What the command writes, which has to end well."""
    return subprocess.run(
        containers.command(command),
        cwd=REPO,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
