"""What is taken out of the artifact is what no client is made for, and the rest starts without compiling."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.paths import REPO
from tools.pack import KEPT, pack

AWS = REPO / "functions" / "slipway" / "aws.py"


def test_the_services_that_are_kept_are_those_that_are_called() -> None:
    assert set(re.findall(r'boto3\.(?:client|resource)\("(\w+)"', AWS.read_text())) == KEPT


def test_packing_removes_only_the_models_of_services_that_are_not_called(tmp_path: Path) -> None:
    (tmp_path / "Shared" / "botocore" / "data").mkdir(parents=True)
    (tmp_path / "Shared" / "step.py").touch()
    data = tmp_path / "Shared" / "botocore" / "data"
    for service in ("ecs", "ec2"):
        (data / service / "2014-11-13").mkdir(parents=True)
    (data / "endpoints.json").touch()
    pack(tmp_path)
    pack(tmp_path)
    assert sorted(path.name for path in data.iterdir()) == ["ecs", "endpoints.json"]
    assert (data / "ecs" / "2014-11-13").is_dir()


def test_a_modules_compiled_form_is_taken_whatever_the_times_of_the_files(tmp_path: Path) -> None:
    step = tmp_path / "Shared" / "step.py"
    step.parent.mkdir()
    step.write_text("print('compiled')")
    pack(tmp_path)
    step.write_text("print('compiled anew')")  # which a check of times or of the source would see
    ran = subprocess.run(
        [sys.executable, "-c", "import step"],
        cwd=step.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "compiled\n"


def test_a_folder_that_is_no_artifact_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").touch()
    (tmp_path / "Network").mkdir()
    (tmp_path / "Network" / "template.yaml").touch()
    pack(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "Network",
        "template.yaml",
        "template.yaml",
    ]
