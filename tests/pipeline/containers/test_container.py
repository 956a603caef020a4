"""What a container shows and a process of the local AWS does not."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tools.samlocal import base_image
from tools.samlocal.engine import Engine

pytestmark = pytest.mark.sam_local

ARCHITECTURE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
TEMPLATE = f"""
Transform: AWS::Serverless-2016-10-31
Resources:
  Probe:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: {base_image.RUNTIME}
      Architectures: [{ARCHITECTURE}]
      CodeUri: code
      Handler: probe.handler
      MemorySize: 128
      Timeout: 30
"""
CODE = """
import importlib, pathlib, platform

def handler(event, context):
    if "write" in event:
        pathlib.Path(__file__).with_name(event["write"]).write_text("")
    if "import" in event:
        importlib.import_module(event["import"])
    held = b"x" * (event.get("megabytes", 0) << 20)
    return {"machine": platform.machine(), "bytes": len(held)}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("probe")
    (made / "template.yaml").write_text(TEMPLATE)
    (made / "code").mkdir()
    (made / "code" / "probe.py").write_text(CODE)
    modules = Path(sysconfig.get_config_var("DESTSHARED")).glob("*.so")
    own = min(modules).read_bytes()
    (made / "code" / "own.so").write_bytes(own)
    # The same for another processor, as a package built elsewhere would have it: e_machine of ELF's header.
    other = {0x3E: 0xB7, 0xB7: 0x3E}[own[18]]  # x86-64, AArch64
    (made / "code" / "other.so").write_bytes(own[:18] + bytes([other]) + own[19:])
    return made


def answer(containers: Engine, folder: Path, **event: Any) -> Any:
    """What the probe answers; None where it was killed before it could."""
    sam = str(Path(sys.executable).parent / "sam")
    command = [sam, "local", "invoke", "Probe", "--template", str(folder / "template.yaml")]
    command += ["--event", "-", "--skip-pull-image", "--invoke-image", containers.image]
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}
    run = subprocess.run(
        containers.command(command),
        env=containers.environment(environment),
        input=json.dumps(event),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = run.stdout.splitlines()
    return json.loads(lines[-1]) if lines else None


def test_a_handler_that_writes_beside_itself_fails(containers: Engine, folder: Path) -> None:
    raised = answer(containers, folder, write="cache")
    assert (raised["errorType"], "Read-only file system" in raised["errorMessage"]) == (
        "OSError",
        True,
    )


def test_a_handler_that_imports_a_development_dependency_fails(
    containers: Engine, folder: Path
) -> None:
    raised = answer(containers, folder, **{"import": "moto"})
    assert raised["errorType"] == "ModuleNotFoundError"


def test_a_handler_that_needs_more_than_its_memory_is_killed(
    containers: Engine, folder: Path
) -> None:
    assert answer(containers, folder, megabytes=40)["bytes"] == 40 << 20
    killed = answer(containers, folder, megabytes=400)
    assert killed is None or "bytes" not in killed


def test_a_handler_that_was_packed_for_another_architecture_fails(
    containers: Engine, folder: Path
) -> None:
    machine = {"arm64": "aarch64"}.get(ARCHITECTURE, ARCHITECTURE)
    assert answer(containers, folder)["machine"] == machine
    # Its own one is loaded, and only then found to be a module of another name.
    assert "PyInit_own" in answer(containers, folder, **{"import": "own"})["errorMessage"]
    raised = answer(containers, folder, **{"import": "other"})
    assert raised["errorType"] == "ImportError"
    assert "PyInit" not in raised["errorMessage"]
