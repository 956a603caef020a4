"""What `make local` says, and how it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.localaws.processes import run_python
from tests.support.waiting import wait_for
from tools.local import main
from tools.samlocal import local_invoke


@pytest.fixture
def make_local(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`make local` with a SAM CLI that does nothing."""
    process = run_python(
        """
        import sys
        from localaws import seed
        from tools import local, sam
        sam.build = lambda repo: None
        outputs = {
            "ReleaseStateMachineArn": "arn:of:releases",
            "DeploymentStateMachineArn": "arn:of:deployments",
            "RollbackStateMachineArn": "arn:of:rollbacks",
        }
        def deploy(aws, repo, parameters):
            assert parameters["WithEnvironment"] == "true"
            seed.plan("shop/api", {"routes": []})
            return outputs
        sam.deploy = deploy
        sys.exit(local.main())
        """,
        LOCALAWS_PORT="0",
    )
    yield process
    process.kill()
    process.communicate()


def test_make_local_says_what_to_try_and_ends_cleanly(make_local: subprocess.Popen[str]) -> None:
    assert make_local.stdout is not None
    url = make_local.stdout.readline().split()[0]
    ready = wait_for(lambda: _get(f"{url}/_localaws/ready"), "ready")
    assert b"arn:of:releases" in ready
    make_local.send_signal(signal.SIGTERM)  # handled as Ctrl-C is
    printed = make_local.stdout.read()
    assert make_local.wait(timeout=60) == 0
    assert f"export AWS_ENDPOINT_URL={url} " in printed
    assert "list-executions --state-machine-arn arn:of:deployments" in printed
    assert "start-execution --state-machine-arn arn:of:rollbacks" in printed


def _get(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            body: bytes = answer.read()
            return body
    except OSError:
        return None


def test_a_port_in_use_is_one_clear_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("LOCALAWS_PORT", str(port))
        try:
            assert main() == 2
        finally:
            signal.signal(signal.SIGTERM, handler)
    [line] = capsys.readouterr().err.splitlines()
    url = f"http://localhost:{port}"
    assert line.startswith(f"localaws: can't listen on {url}: Address already in use")
    assert line.endswith("; LOCALAWS_PORT sets another port")


def test_make_local_for_containers_says_at_once_that_no_engine_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    assert local_invoke.main() == 3
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("localaws: no container engine answers")
    assert "DOCKER_HOST" in line
