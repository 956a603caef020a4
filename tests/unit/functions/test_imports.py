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
# The second is what Powertools masks with; the search for secrets does without.
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
ALLOWED = {"notify_slack": {"slack_sdk"}}


# What loading takes its time with are libraries and models that nearly every handler has: they are loaded
# once, without any heavy library, and each handler in a process of its own that is forked then.
SCRIPT = f"""
import importlib, json, os, sys
import aws_lambda_powertools, boto3, pydantic.main
import slipway.ecs.kept_image, slipway.health.observation, slipway.ledger.ledger, slipway.notices.notice
if early := [name for name in {HEAVY} if name in sys.modules]:
    sys.exit(f"{{early}} are loaded with what every handler has")
for handler in sys.argv[1:]:
    sys.stdout.flush()
    if os.fork() == 0:
        importlib.import_module(handler)
        print(json.dumps([handler, [name for name in {HEAVY} if name in sys.modules]]), flush=True)
        os._exit(0)  # tearing all the modules down takes longer than loading the handler
    if os.wait()[1] != 0:
        sys.exit(f"{{handler}} can't be loaded")
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str]]:
    """By handler, the heavy libraries that it loads."""
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, *HANDLERS],
        cwd=FUNCTIONS,
        env={**os.environ, **VARIABLES, "PYTHONPATH": str(FUNCTIONS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return dict(json.loads(line) for line in run.stdout.splitlines())


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_loads_no_heavy_library_that_it_does_not_use(
    handler: str, loaded: dict[str, list[str]]
) -> None:
    assert set(loaded[handler]) <= ALLOWED.get(handler, set())


def test_every_handler_is_checked() -> None:
    assert len(HANDLERS) == 15
