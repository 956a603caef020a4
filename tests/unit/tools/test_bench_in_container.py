"""What the benchmark tells a function that it starts in a container."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from tools.bench import in_container

RUNTIME_CLIENT = """
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
api.request("GET", "/2018-06-01/runtime/invocation/next")
event = api.getresponse()
event.read()
api.request("POST", "/2018-06-01/runtime/invocation/x/response", event.headers["Lambda-Runtime-Deadline-Ms"])
"""


def test_a_function_has_the_time_of_its_own_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap = tmp_path / "bootstrap"
    bootstrap.write_text(f"#!{sys.executable}\n{RUNTIME_CLIENT}")
    bootstrap.chmod(0o755)
    monkeypatch.setattr(in_container, "BOOTSTRAP", str(bootstrap))
    began = time.time()

    started = in_container.Started("function.handler")
    deadline = started.answer(b"{}", 900) / 1000
    started.peak_mb()

    assert began + 900 <= deadline + 0.001
    assert deadline <= time.time() + 900
