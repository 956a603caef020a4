"""What a cold start of each function loads: no library that only other functions need."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.support.paths import REPO

FUNCTIONS = REPO / "functions"
HANDLERS = sorted(file.stem for file in FUNCTIONS.glob("*.py"))
# The second is for what Notify redacts, and loaded when there is something.
HEAVY = ("slack_sdk", "jsonpath_ng")
VARIABLES = {
    "CHAT_NOTIFICATIONS": "true",
    "DEPLOYMENT_STATE_MACHINE_ARN": "arn",
    "HISTORY_DAYS": "14",
    "MATURITY_SECONDS": "1",
    "RELEASE_STATE_MACHINE_ARN": "arn",
    "REPOSITORY_PREFIX": "",
    "SLACK_SECRET": "secret",
    "TOPIC_ARN": "arn",
}
ALLOWED = {"tell_slack": {"slack_sdk"}}


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_loads_no_heavy_library_that_it_does_not_use(handler: str) -> None:
    script = (
        f"import {handler}, json, sys; print(json.dumps([n for n in {HEAVY} if n in sys.modules]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=FUNCTIONS,
        env={**os.environ, **VARIABLES, "PYTHONPATH": str(FUNCTIONS)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(json.loads(run.stdout)) <= ALLOWED.get(handler, set())


def test_every_handler_is_looked_at() -> None:
    assert len(HANDLERS) == 12
