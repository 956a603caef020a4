"""A private engine leaves nothing behind, and where none can be had one line says why."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import docker
import pytest

from tests.support.waiting import wait_for
from tools.samlocal import __main__ as command
from tools.samlocal import base_image, engine
from tools.samlocal.engine import Engine, NoEngineError

# Prints the engine's folder, and waits.
PROGRAM = """
import threading
from tools.samlocal.engine import engine
with engine() as found:
    print(found.host.removeprefix("unix://").removesuffix("/docker.sock"), flush=True)
    threading.Event().wait()
"""

SHOW = """
from tools.samlocal.engine import engine
with engine() as found:
    print(found.image, found.gateway, found.private)
"""


def traces(folder: str) -> list[str]:
    """What there is of an engine: its folder, processes, control groups and mounts."""
    name = Path(folder).name
    found = [folder] if Path(folder).exists() else []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += [str(process)] if name.encode() in process.read_bytes() else []
        except OSError:
            continue  # it has ended
    found += [str(group) for group in Path("/sys/fs/cgroup").glob(f"**/{name}")]
    mounts = Path("/proc/mounts").read_text().splitlines()
    return found + [mount for mount in mounts if name in mount]


@pytest.mark.sam_local
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_private_engine_leaves_nothing_behind_however_its_process_ends(
    containers: Engine, how: signal.Signals
) -> None:
    if not containers.private:
        pytest.skip("an engine answers: none is started")
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, cwd=engine.REPO
    ) as process:
        assert process.stdout is not None
        folder = process.stdout.readline().strip()
        assert traces(folder)
        process.send_signal(how)
    wait_for(lambda: not traces(folder), "the engine to leave nothing behind", 90)


@pytest.mark.sam_local
def test_the_network_of_a_private_engine_is_not_visible_outside(containers: Engine) -> None:
    if not containers.private:
        pytest.skip("an engine answers: none is started")
    shown = ["ip", "-oneline", "address", "show"]
    outside = subprocess.run(shown, capture_output=True, text=True, check=True).stdout
    inside = subprocess.run(
        containers.command(shown), capture_output=True, text=True, check=True
    ).stdout
    assert containers.gateway in inside
    assert containers.gateway not in outside


@pytest.mark.sam_local
def test_an_engine_that_answers_is_used_with_awss_own_image_or_not_at_all(
    containers: Engine,
) -> None:
    if not containers.private:
        pytest.skip("the engine is used by every other test")
    environment = containers.environment(os.environ)
    environment.pop("SAM_LOCAL_BASE", None)
    with closing(docker.DockerClient(containers.host)) as client:
        image = f"{engine.AWS_IMAGE}:{base_image.RUNTIME.removeprefix('python')}"
        refused = run_inside(containers, environment, "-m", "tools.samlocal")
        assert (refused.returncode, f"{image} can't be pulled" in refused.stderr) == (3, True)
        client.images.get(containers.image).tag(image)
        used = run_inside(containers, environment, "-c", SHOW)
        assert used.stdout.split() == [image, containers.gateway, "False"]
        client.images.remove(image)


def run_inside(
    containers: Engine, environment: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Python in the engine's namespaces, where its DOCKER_HOST is."""
    return subprocess.run(
        containers.command([sys.executable, *arguments]),
        cwd=engine.REPO,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAM_LOCAL_BASE", raising=False)
    monkeypatch.setattr(engine, "_answers", lambda *_: False)


def test_a_user_who_is_not_root_gets_an_error_that_says_so(
    no_engine: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert command.main() == command.NO_ENGINE == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "sam-local: only root on Linux can start a private container engine"


def test_a_missing_program_is_named_with_the_command_that_installs_it(
    no_engine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "dockerd" else name)
    with (
        pytest.raises(NoEngineError, match=r"needs dockerd: apt-get install .*docker\.io"),
        engine.engine(),
    ):
        pass


def test_another_base_than_the_two_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAM_LOCAL_BASE", "ubuntu")
    with (
        pytest.raises(NoEngineError, match="SAM_LOCAL_BASE is aws or build, not 'ubuntu'"),
        engine.engine(),
    ):
        pass


@pytest.mark.sam_local
def test_an_engine_that_does_not_start_says_why(
    containers: Engine, no_engine: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "dockerd"
    broken.write_text("#!/bin/sh\necho the disk is on fire\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(NoEngineError, match="did not start: the disk is on fire"), engine.engine():
        pass
