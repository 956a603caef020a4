"""A local AWS in a process of its own: there can be only one in each."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

from tests.support.paths import REPO


def run_python(source: str, **environment: str) -> subprocess.Popen[str]:
    """Start a Python process in the repository."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(source)],
        cwd=REPO,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
