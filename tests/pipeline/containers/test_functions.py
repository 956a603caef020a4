"""Every function answers in a container as it does in a process of the local AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tools import sam
from tools.samlocal.engine import REPO, Engine
from tools.samlocal.path import NAMES

pytestmark = pytest.mark.sam_local


@pytest.fixture(scope="module")
def checked(containers: Engine) -> dict[str, Any]:
    """What `make sam-local` finds not to be as recorded, by event."""
    sam.build_once(REPO)
    check = [sys.executable, "-m", "tools.samlocal.check", "--json"]
    run = subprocess.run(
        containers.command([*check, containers.image, containers.gateway]),
        cwd=REPO,
        env=containers.environment(os.environ),
        stdout=subprocess.PIPE,
        check=False,
    )
    found: dict[str, Any] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_function_in_a_container_answers_as_recorded(checked: dict[str, Any], name: str) -> None:
    assert checked[name] == []


def test_no_function_is_left_out(checked: dict[str, Any]) -> None:
    assert sorted(checked) == sorted([*NAMES, "local-env"])


def test_the_variables_are_those_of_the_local_aws(checked: dict[str, Any]) -> None:
    assert checked["local-env"] == []
