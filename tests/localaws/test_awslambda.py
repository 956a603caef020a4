"""What localaws/awslambda.py and its three helpers do in the place of Docker."""

from __future__ import annotations

import base64
import io
import json
import socket
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from localaws import awslambda
from localaws.server import LocalAws
from tests.waiting import wait_for

RUNTIME = f"python3.{sys.version_info.minor}"

Make = Callable[..., str]


def _artifact(source: str, **modules: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as artifact:
        for name, text in {"app": source, **modules}.items():
            artifact.writestr(f"{name}.py", textwrap.dedent(text))
    return packed.getvalue()


@pytest.fixture
def make(aws: LocalAws, request: pytest.FixtureRequest) -> Make:
    """Create a function that is named after the test."""

    def made(source: str, *, modules: dict[str, str] | None = None, **settings: Any) -> str:
        name = request.node.name[-60:].rstrip("]").replace("[", "-")
        iam = aws.client("iam")
        role = iam.create_role(RoleName=f"{name[-50:]}", AssumeRolePolicyDocument="{}")["Role"]
        code = {"ZipFile": _artifact(source, **modules or {})}
        defaults = {"Runtime": RUNTIME, "Handler": "app.handler", "Code": code, "Timeout": 30}
        aws.client("lambda").create_function(
            FunctionName=name, Role=role["Arn"], **{**defaults, **settings}
        )
        return name

    return made


def _invoke(aws: LocalAws, name: str, event: Any = None) -> Any:
    """What the function returned, or the error object when it failed."""
    answer = aws.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    payload = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        payload["FunctionError"] = answer["FunctionError"]
    return payload


def _is_running(pid: int) -> bool:
    """Whether a process runs; an orphan that nobody reaps stays listed, as a zombie."""
    state = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True)
    return state.stdout.strip() not in ("", "Z")


def test_a_function_gets_its_event_and_a_context(aws: LocalAws, make: Make) -> None:
    name = make(
        """
        def handler(event, context):
            left = context.get_remaining_time_in_millis()
            return [event, context.function_name, context.invoked_function_arn, 0 < left <= 7000]
        """,
        Timeout=7,
    )
    arn = aws.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    assert _invoke(aws, name, {"a": [1, "é"]}) == [{"a": [1, "é"]}, name, arn, True]


def test_a_process_is_kept_warm_and_one_invocation_at_a_time_is_in_it(
    aws: LocalAws, make: Make
) -> None:
    name = make(
        """
        import os, socket
        def handler(event, context):
            if event:  # tell that it runs, and wait for the word to go on
                with socket.create_connection(("127.0.0.1", event)) as line:
                    line.sendall(b"!")
                    line.recv(1)
            return os.getpid()
        """
    )
    first = _invoke(aws, name)
    assert _invoke(aws, name) == first
    with socket.create_server(("127.0.0.1", 0)) as gate, ThreadPoolExecutor(2) as callers:
        port = gate.getsockname()[1]
        calls = [callers.submit(_invoke, aws, name, port) for _ in range(2)]
        lines = [gate.accept()[0] for _ in range(2)]
        for line in lines:
            line.sendall(b"!")
            line.close()
        pids = {call.result() for call in calls}
    assert len(pids) == 2
    assert first in pids
    seen = [each for each in awslambda.invocations() if each.function == name]
    assert [each.cold for each in seen].count(True) == 2
    assert all((each.init_ms > 0) == each.cold and each.run_ms > 0 for each in seen)


def test_fifty_invocations_at_once_are_answered(aws: LocalAws, make: Make) -> None:
    name = make("handler = lambda event, context: event")
    with ThreadPoolExecutor(50) as callers:
        answers = callers.map(lambda number: _invoke(aws, name, number), range(50))
        assert sorted(answers) == list(range(50))


def test_an_exception_is_a_function_error_with_its_type_message_and_trace(
    aws: LocalAws, make: Make
) -> None:
    name = make(
        """
        class LockHeld(Exception):
            pass
        def handler(event, context):
            raise LockHeld("by another")
        """
    )
    error = _invoke(aws, name)
    assert error["FunctionError"] == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("LockHeld", "by another")
    assert "app.py" in error["stackTrace"][0]


def test_a_timeout_kills_the_process_and_what_it_started(
    aws: LocalAws, make: Make, tmp_path: Path
) -> None:
    name = make(
        """
        import pathlib, subprocess, time
        def handler(event, context):
            child = subprocess.Popen(["sleep", "600"])
            pathlib.Path(event).write_text(str(child.pid))
            time.sleep(600)
        """,
        Timeout=1,
    )
    error = _invoke(aws, name, str(tmp_path / "pid"))
    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    child = int((tmp_path / "pid").read_text())
    wait_for(lambda: not _is_running(child), "the child's end")


def test_a_process_that_ends_is_an_exit_error_and_the_next_invocation_gets_another(
    aws: LocalAws, make: Make
) -> None:
    name = make(
        """
        import os
        def handler(event, context):
            if event:
                os._exit(event)
        """
    )
    error = _invoke(aws, name, 3)
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Error: Runtime exited with error: exit status 3")
    assert _invoke(aws, name) is None


def test_a_module_that_cannot_be_imported_is_an_init_error(aws: LocalAws, make: Make) -> None:
    error = _invoke(aws, make("import nowhere_to_be_found"))
    assert error["FunctionError"] == "Unhandled"
    assert error["errorType"] == "Runtime.ImportModuleError"
    assert "nowhere_to_be_found" in error["errorMessage"]


def test_only_the_artifacts_packages_can_be_imported(aws: LocalAws, make: Make) -> None:
    name = make(
        """
        import importlib.util, snapshot_restore_py
        def handler(event, context):
            return [[each for each in event if importlib.util.find_spec(each)], snapshot_restore_py.MINE]
        """,
        modules={"snapshot_restore_py": "MINE = True"},  # the runtime client has one, too
    )
    foreign = ["pytest", "moto", "boto3", "pip", "localaws"]
    assert _invoke(aws, name, foreign) == [[], True]


def test_the_environment_is_the_functions_own(
    aws: LocalAws, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVELOPERS_SECRET", "s")
    name = make(
        "import os\ndef handler(event, context): return dict(os.environ)",
        Environment={"Variables": {"TABLE": "ledger", "AWS_ENDPOINT_URL": "https://elsewhere"}},
        MemorySize=256,
    )
    environment = _invoke(aws, name)
    assert "DEVELOPERS_SECRET" not in environment
    assert environment["TABLE"] == "ledger"
    assert environment["AWS_ENDPOINT_URL"] == aws.url
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert environment["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert environment["AWS_EXECUTION_ENV"] == f"AWS_Lambda_{RUNTIME}"


def test_an_update_or_a_deletion_retires_the_process(aws: LocalAws, make: Make) -> None:
    name = make("import os\ndef handler(event, context): return [1, os.getpid()]")
    [_, first] = _invoke(aws, name)
    aws.client("lambda").update_function_code(
        FunctionName=name,
        ZipFile=_artifact("import os\ndef handler(event, context): return [2, os.getpid()]"),
    )
    [version, second] = _invoke(aws, name)
    assert version == 2
    assert not _is_running(first)
    aws.client("lambda").update_function_configuration(
        FunctionName=name, Environment={"Variables": {"NEW": "1"}}
    )
    [_, third] = _invoke(aws, name)
    assert not _is_running(second)
    aws.client("lambda").delete_function(FunctionName=name)
    assert not _is_running(third)


def test_what_a_function_prints_is_in_its_log_group_and_in_the_tail(
    aws: LocalAws, make: Make
) -> None:
    name = make("def handler(event, context): print('looked at', event)")
    answer = aws.client("lambda").invoke(FunctionName=name, Payload=b"7", LogType="Tail")
    tail = base64.b64decode(answer["LogResult"]).decode().splitlines()
    events = aws.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    assert [each["message"] for each in events] == tail
    assert [line.split()[0] for line in tail] == ["START", "looked", "END", "REPORT"]


def test_a_function_logs_to_the_group_and_in_the_format_that_it_is_told(
    aws: LocalAws, make: Make
) -> None:
    name = make(
        """
        import logging
        def handler(event, context): logging.warning("looked")
        """,
        LoggingConfig={"LogFormat": "JSON", "LogGroup": "/slipway/functions"},
    )
    _invoke(aws, name)
    events = aws.client("logs").filter_log_events(logGroupName="/slipway/functions")["events"]
    [record] = [json.loads(each["message"]) for each in events if each["message"][0] == "{"]
    assert (record["level"], record["message"]) == ("WARNING", "looked")


def test_an_asynchronous_invocation_is_accepted_before_it_runs(
    aws: LocalAws, make: Make, tmp_path: Path
) -> None:
    name = make(
        """
        import pathlib
        def handler(event, context): pathlib.Path(event).touch()
        """
    )
    done = tmp_path / "done"
    answer = aws.client("lambda").invoke(
        FunctionName=name, InvocationType="Event", Payload=json.dumps(str(done))
    )
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    wait_for(done.exists, "the function's mark")


def test_a_dry_run_does_not_run(aws: LocalAws, make: Make) -> None:
    name = make("raise SystemExit")
    answer = aws.client("lambda").invoke(FunctionName=name, InvocationType="DryRun")
    assert answer["StatusCode"] == 204
    assert name not in [each.function for each in awslambda.invocations()]


def test_reserved_concurrency_throttles(aws: LocalAws, make: Make) -> None:
    name = make("handler = print")
    client = aws.client("lambda")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(client.exceptions.TooManyRequestsException):
        client.invoke(FunctionName=name)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"Runtime": "nodejs22.x"}, f"Runtime nodejs22.x; the local AWS runs on {RUNTIME}"),
        ({"Runtime": "python3.9"}, f"Runtime python3.9; the local AWS runs on {RUNTIME}"),
    ],
)
def test_another_runtime_is_not_implemented(
    aws: LocalAws, make: Make, settings: dict[str, str], why: str
) -> None:
    with pytest.raises(ClientError, match="NotImplemented") as refusal:
        aws.client("lambda").invoke(FunctionName=make("handler = print", **settings))
    assert why in refusal.value.response["Error"]["Message"]


def test_a_call_of_a_function_is_recorded_with_its_function(aws: LocalAws, make: Make) -> None:
    name = make(
        """
        import contextlib, os, urllib.error, urllib.request
        def handler(event, context):
            key = os.environ["AWS_ACCESS_KEY_ID"]
            for service, headers, path, body in event:
                scope = f"Credential={key}/20261122/us-east-1/{service}/aws4_request"
                headers |= {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=a, Signature=b"}
                url = os.environ["AWS_ENDPOINT_URL"] + path
                with contextlib.suppress(urllib.error.HTTPError):  # its role allows it nothing
                    request = urllib.request.Request(url, body.encode() or None, headers)
                    urllib.request.urlopen(request)
        """
    )
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    target = {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters"}
    json_1_1 = {"Content-Type": "application/x-amz-json-1.1"}
    assert (
        _invoke(
            aws,
            name,
            [
                ["ecs", {**target, **json_1_1}, "/", "{}"],
                ["sns", form, "/", "Action=ListTopics&Version=2010-03-31"],
                ["monitoring", form, "/", "Action=DescribeAlarms&Version=2010-08-01"],
                ["lambda", {}, "/2015-03-31/functions/", ""],
            ],
        )
        is None
    )
    calls = requests.get(f"{aws.url}/_localaws/calls", timeout=10).json()
    assert [(call["service"], call["action"]) for call in calls if call["function"] == name] == [
        ("ecs", "ListClusters"),
        ("sns", "ListTopics"),
        ("cloudwatch", "DescribeAlarms"),
        ("lambda", "ListFunctions"),
    ]
