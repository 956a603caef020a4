"""What it costs the other functions that one of them speaks to Slack."""

from __future__ import annotations

import subprocess
import sys

from tests.support.paths import REPO

FUNCTIONS = REPO / "functions"


def test_only_notify_slack_loads_slack_sdk():
    steps = sorted(step.stem for step in FUNCTIONS.glob("*.py"))
    look = (
        "import importlib, os, sys\n"
        "class Settings(dict):\n"
        "    __missing__ = lambda self, name: '1'\n"
        "os.environ = Settings(os.environ)\n"
        "for step in sys.argv[1:]:\n"
        "    importlib.import_module(step)\n"
        "    if any(name.startswith('slack_sdk') for name in sys.modules):\n"
        "        print(step)\n"
    )
    others = [step for step in steps if step != "notify_slack"]
    ran = subprocess.run(
        [sys.executable, "-c", look, *others, "notify_slack"],
        cwd=FUNCTIONS,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.stdout.split(), ran.stderr) == (["notify_slack"], "")
