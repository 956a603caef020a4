"""Shells that run a command of Operate with an ``aws`` of the test's, which answers what the test says."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CALLER = "arn:aws:sts::123456789012:assumed-role/operator/jo"
REFUSAL = json.dumps(
    {
        "errorMessage": "the digest is not quarantined",
        "errorType": "InvalidInput",
        "requestId": "r",
        "stackTrace": ['  File "/var/task/operate.py", line 47, in handler\n'],
    }
)
_AWS = """\
#!/bin/sh
case $1 in
  sts) echo {caller} ;;
  cloudformation) echo slipway-operate ;;
  lambda)
    for last; do :; done
    cat >"$HOME/asked"
    test -f "$HOME/answer" || {{ echo AccessDeniedException >&2; exit 254; }}
    cp "$HOME/answer" "$last"
    echo {error} ;;
esac
"""


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    printed: str
    said: str
    """What it wrote to standard error."""
    asked: Any
    """The input of the function."""
    left: list[str]
    """The temporary files that it left behind."""


def operated(command: str, answer: str | None, error: str | None = None) -> Ran:
    """Run the command in bash. Lambda answers with this text and FunctionError, or AWS denies the call.

    Args:
        answer: None if AWS denies the call.
        error: FunctionError. Without one, the AWS CLI prints None as text.
    """
    with tempfile.TemporaryDirectory() as folder:
        home, temporary = Path(folder), Path(folder, "tmp")
        temporary.mkdir()
        aws = home / "aws"
        aws.write_text(_AWS.format(caller=CALLER, error=error))
        aws.chmod(0o755)
        if answer is not None:
            (home / "answer").write_text(answer)
        done = subprocess.run(
            ["bash", "-c", command],
            env={
                "PATH": f"{home}:{os.environ['PATH']}",
                "HOME": folder,
                "TMPDIR": str(temporary),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return Ran(
            code=done.returncode,
            printed=done.stdout,
            said=done.stderr,
            asked=json.loads((home / "asked").read_text()),
            left=[path.name for path in temporary.iterdir()],
        )
