"""A local AWS that has ended leaves next to nothing behind in its process."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.support.localaws import memory_left

LIMIT = 1_000_000  # bytes a time


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and asks glibc for a trim")
def test_starting_and_stopping_it_again_and_again_takes_no_more_memory():
    # With an arena for each processor and thread, the allocator itself grows in steps of 8 MB.
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    run = subprocess.run(
        [sys.executable, "-m", memory_left.__name__],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    grown = json.loads(run.stdout)
    assert len(grown) == memory_left.ROUNDS
    assert sum(grown) / len(grown) < LIMIT, grown
