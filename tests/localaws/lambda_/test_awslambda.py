"""What localaws/lambda_/awslambda.py and its helpers do in the place of Docker."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
import socket
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError
from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import LambdaFunction, lambda_backends

from localaws import aws as local
from localaws.lambda_ import asynchronous, awslambda, pool
from localaws.server import LocalAws
from tests.support.localaws.iam import allow, document
from tests.support.waiting import wait_for

QUEUES = "arn:aws:sqs:us-east-1:123456789012:"
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

    def made(
        source: str, *, modules: dict[str, str] | None = None, suffix: str = "", **settings: Any
    ) -> str:
        name = str(request.node.name)[-60:].rstrip("]").replace("[", "-") + suffix
        iam = aws.client("iam")
        role = iam.create_role(RoleName=f"{name[-50:]}", AssumeRolePolicyDocument="{}")["Role"]
        iam.put_role_policy(
            RoleName=role["RoleName"],
            PolicyName="report",
            PolicyDocument=document(allow("sqs:SendMessage", f"{QUEUES}{name}")),
        )
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


def test_fifty_invocations_at_once_are_answered_by_a_few_processes(
    aws: LocalAws, make: Make
) -> None:
    name = make("handler = lambda event, context: event")
    with ThreadPoolExecutor(50) as callers:
        answers = callers.map(lambda number: _invoke(aws, name, number), range(50))
        assert sorted(answers) == list(range(50))
    started = [each.cold for each in awslambda.invocations() if each.function == name].count(True)
    assert started <= pool.ENVIRONMENTS_OF_A_FUNCTION


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


LONG = """
    import os
    def handler(event, context):
        if isinstance(event, int):
            raise ValueError("é" * event)
        if isinstance(event, str):
            return event * 1_000_000
        return os.getpid()
"""


@pytest.mark.parametrize("length", [20_000, 500_000, 1_000_000], ids=["120 KB", "3 MB", "6 MB"])
def test_an_error_may_be_long_and_the_next_invocation_has_its_own_answer(
    aws: LocalAws, make: Make, length: int
) -> None:
    name = make(LONG)
    process = _invoke(aws, name)
    error = _invoke(aws, name, length)
    assert (error["errorType"], len(error["errorMessage"])) == ("ValueError", length)
    assert _invoke(aws, name) == process


@pytest.mark.parametrize("event", ["1234567", 3_500_000], ids=["result", "error"])
def test_a_payload_that_is_too_large_is_an_error_and_the_next_invocation_gets_another_process(
    aws: LocalAws, make: Make, event: Any
) -> None:
    name = make(LONG)
    process = _invoke(aws, name)
    error = _invoke(aws, name, event)
    assert error["errorType"] == "Function.ResponseSizeTooLarge"
    assert "maximum allowed payload size (6291556 bytes)" in error["errorMessage"]
    assert _invoke(aws, name) not in (None, process)


CLIENT = """
    import os, socket, time
    def handler(event, context):
        if event is None:
            return "the next one"
        host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
        with socket.create_connection((host, int(port))) as line:
            line.sendall(event.encode())
            time.sleep(600)
"""


def test_a_process_that_does_not_end_its_answer_is_out_of_time(aws: LocalAws, make: Make) -> None:
    name = make(CLIENT, Timeout=1)
    begun = "POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"
    assert _invoke(aws, name, begun)["errorType"] == "Sandbox.Timedout"
    assert _invoke(aws, name) == "the next one"


@pytest.mark.parametrize(
    "line",
    [
        "POST /2018-06-01/runtime/invocation/another/response HTTP/1.1",
        "GET /2018-06-01/runtime/invocation/next HTTP/1.1",
        "no request",
    ],
    ids=["another invocation's", "asks for the next", "no HTTP"],
)
def test_a_process_that_answers_what_it_was_not_asked_is_killed(
    aws: LocalAws, make: Make, line: str
) -> None:
    name = make(CLIENT)
    error = _invoke(aws, name, f"{line}\r\nContent-Length: 2\r\n\r\n{{}}")
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Error: Runtime exited with error: signal: SIGKILL")
    assert _invoke(aws, name) == "the next one"


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


def test_functions_of_one_artifact_share_the_imports_that_read_an_equal_variable(
    aws: LocalAws, make: Make
) -> None:
    source = "import library\ndef handler(event, context): return [library.LEVEL, library.PID]"
    library = "import os\nLEVEL, PID = os.environ['LEVEL'], os.getpid()"
    code = {"ZipFile": _artifact(source, library=library)}

    def imported(suffix: str, level: str) -> Any:
        variables = {"Variables": {"LEVEL": level, "TABLE": suffix}}
        return _invoke(aws, make(source, suffix=suffix, Code=code, Environment=variables))

    [_, first], [_, second] = imported("a", "INFO"), imported("b", "INFO")
    assert first == second
    level, third = imported("c", "DEBUG")
    assert level == "DEBUG"
    assert third != first


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


def test_a_new_environment_is_the_next_invocations(aws: LocalAws, make: Make) -> None:
    name = make(
        "import os\ndef handler(event, context): return [os.environ.get('SECRET'), os.getpid()]",
        Environment={"Variables": {"SECRET": "old"}},
    )
    [first, pid] = _invoke(aws, name)
    aws.client("lambda").update_function_configuration(
        FunctionName=name, Environment={"Variables": {"SECRET": "new"}}
    )
    [second, another] = _invoke(aws, name)
    assert (first, second) == ("old", "new")
    assert another != pid
    aws.client("lambda").update_function_configuration(
        FunctionName=name, Environment={"Variables": {}}
    )
    assert _invoke(aws, name)[0] is None


def test_a_process_with_the_old_environment_that_was_busy_is_not_used_again(
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
            return os.environ["SECRET"]
        """,
        Environment={"Variables": {"SECRET": "old"}},
    )
    with socket.create_server(("127.0.0.1", 0)) as gate, ThreadPoolExecutor(1) as callers:
        call = callers.submit(_invoke, aws, name, gate.getsockname()[1])
        line = gate.accept()[0]
        aws.client("lambda").update_function_configuration(
            FunctionName=name, Environment={"Variables": {"SECRET": "new"}}
        )
        assert _invoke(aws, name) == "new"
        line.sendall(b"!")
        line.close()
        assert call.result() == "old"
    with ThreadPoolExecutor(2) as callers:
        assert set(callers.map(lambda _: _invoke(aws, name), range(4))) == {"new"}


def test_the_output_of_a_function_is_in_its_log_group_and_in_the_tail(
    aws: LocalAws, make: Make
) -> None:
    name = make("def handler(event, context): print('looked at', event)")
    answer = aws.client("lambda").invoke(FunctionName=name, Payload=b"7", LogType="Tail")
    tail = base64.b64decode(answer["LogResult"]).decode().splitlines()
    events = aws.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    assert [each["message"] for each in events] == tail
    assert [line.split()[0] for line in tail] == ["START", "looked", "END", "REPORT"]


def test_a_function_logs_to_the_group_and_in_the_format_of_its_logging_config(
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


# --- how many processes ---------------------------------------------------------------------------


@pytest.fixture
def pools() -> Iterator[pool.Pools]:
    """Pools of the test's own."""
    made = pool.Pools()
    yield made
    made.stop()


@pytest.fixture
def call(pools: pool.Pools) -> Iterator[Callable[[str], Caller]]:
    """Make a caller of a function. A test that fails leaves nobody waiting."""
    with ThreadPoolExecutor() as threads:
        yield lambda name: Caller(pools, threads, name)
        pools.stop()


class Caller:
    """Makes invocations of a function that take until they are told to end."""

    def __init__(self, pools: pool.Pools, threads: ThreadPoolExecutor, name: str) -> None:
        self.function = lambda_backends[local.ACCOUNT][local.REGION].get_function(name)
        self._pools, self._threads = pools, threads
        self._held: list[ExitStack] = []

    def begin(self) -> Any:
        """The environment of one more invocation."""
        return self._threads.submit(self._begin).result(30)

    def end(self) -> None:
        """End the invocation that began first."""
        self._held.pop(0).close()

    def wait(self) -> Future[Any]:
        """Begin an invocation that has to wait for its environment."""
        before = len(self._waiting)
        begun = self._threads.submit(self._begin)
        wait_for(lambda: len(self._waiting) > before, "the invocation in its line")
        return begun

    def _begin(self) -> Any:
        with ExitStack() as invocation:
            environment = invocation.enter_context(self._pools.environment(self.function))
            self._held.append(invocation.pop_all())
        return environment

    @property
    def _waiting(self) -> Any:
        return self._pools._lines[self.function.function_arn]


def test_an_invocation_beyond_the_limit_waits_for_the_first_that_ends(
    make: Make, call: Callable[[str], Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "ENVIRONMENTS_OF_A_FUNCTION", 2)
    caller = call(make("handler = print"))
    one, two = caller.begin(), caller.begin()
    assert one is not two
    third, fourth = caller.wait(), caller.wait()
    assert not third.done()
    caller.end()
    assert third.result(30) is one
    assert not fourth.done(), "first come, first served"
    caller.end()
    assert fourth.result(30) is two


def test_the_process_that_was_idle_longest_makes_room_for_another_function(
    make: Make, call: Callable[[str], Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "ENVIRONMENTS", 2)
    first, second, third = (
        call(make("handler = print", suffix=f"-{number}")) for number in range(3)
    )
    of_first, of_second = first.begin(), second.begin()
    first.end()
    second.end()
    assert first.begin() is of_first
    first.end()
    third.begin()
    assert (of_first.alive, of_second.alive) == (True, False)


def test_an_invocation_waits_while_the_processes_of_all_functions_are_busy(
    make: Make, call: Callable[[str], Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "ENVIRONMENTS", 1)
    busy, other = (call(make("handler = print", suffix=f"-{number}")) for number in range(2))
    environment = busy.begin()
    waiting = other.wait()
    assert not waiting.done()
    busy.end()
    assert waiting.result(30) is not environment
    assert not environment.alive


def test_an_invocation_that_waited_takes_the_code_that_was_deployed_meanwhile(
    aws: LocalAws, make: Make, call: Callable[[str], Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "ENVIRONMENTS_OF_A_FUNCTION", 1)
    name = make("handler = print")
    caller = call(name)
    outdated = caller.begin()
    waiting = caller.wait()
    aws.client("lambda").update_function_code(FunctionName=name, ZipFile=_artifact("x = 1"))
    caller.end()
    assert waiting.result(30) is not outdated
    assert not outdated.alive


def test_reserved_concurrency_counts_those_that_wait(
    aws: LocalAws, make: Make, call: Callable[[str], Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "ENVIRONMENTS_OF_A_FUNCTION", 1)
    name = make("handler = print")
    aws.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    caller = call(name)
    caller.begin()
    waiting = caller.wait()
    with pytest.raises(pool.TooManyRequestsError):
        caller.begin()
    caller.end()
    assert waiting.result(30)


def test_a_wait_ends_with_the_local_aws(
    make: Make,
    pools: pool.Pools,
    call: Callable[[str], Caller],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "ENVIRONMENTS_OF_A_FUNCTION", 1)
    caller = call(make("handler = print"))
    environment = caller.begin()
    waiting = [caller.wait() for _ in range(3)]
    pools.stop()
    for each in waiting:
        with pytest.raises(RuntimeError, match="is stopping"):
            each.result(30)
    assert not environment.alive
    caller.end()


def test_a_wait_ends_with_its_function(
    make: Make,
    pools: pool.Pools,
    call: Callable[[str], Caller],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "ENVIRONMENTS_OF_A_FUNCTION", 1)
    caller = call(make("handler = print"))
    caller.begin()
    waiting = caller.wait()
    pools.delete(caller.function)
    with pytest.raises(UnknownFunctionException):
        waiting.result(30)


# --- asynchronous invocations ---------------------------------------------------------------------

FAILS = """
class Broken(Exception):
    pass
def handler(event, context):
    with open(event["ids"], "a") as ids:
        print(context.aws_request_id, file=ids)
    with open(event["ids"]) as ids:
        if len(ids.readlines()) <= event["errors"]:
            raise Broken("again")
    return {"done": True}
"""


class Reports:
    """The queue that a test's function may report to."""

    def __init__(self, aws: LocalAws, name: str) -> None:
        self.client, self.arn = aws.client("sqs"), f"{QUEUES}{name}"
        self._url = self.client.create_queue(QueueName=name)["QueueUrl"]

    def received(self) -> Any:
        def receive() -> Any:
            answer = self.client.receive_message(QueueUrl=self._url, MessageAttributeNames=["All"])
            return answer.get("Messages")

        [message] = wait_for(receive, f"a message in {self.arn}")
        self.client.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return message

    def record(self) -> Any:
        return json.loads(self.received()["Body"])


def _configure(aws: LocalAws, name: str, **config: Any) -> Reports:
    """Have both outcomes of the function's asynchronous invocations reported."""
    reports = Reports(aws, name)
    both = {kind: {"Destination": reports.arn} for kind in ("OnSuccess", "OnFailure")}
    aws.client("lambda").put_function_event_invoke_config(
        FunctionName=name, DestinationConfig=both, **config
    )
    return reports


def _send(aws: LocalAws, name: str, event: Any) -> None:
    aws.client("lambda").invoke(
        FunctionName=name, InvocationType="Event", Payload=json.dumps(event)
    )


def test_an_error_is_tried_again_twice_and_then_reported(
    aws: LocalAws, make: Make, tmp_path: Path
) -> None:
    name = make(FAILS)
    event = {"ids": str(tmp_path / "ids"), "errors": 3}
    reports = _configure(aws, name)
    _send(aws, name, event)
    record = reports.record()
    [request_id] = set((tmp_path / "ids").read_text().split())
    assert len((tmp_path / "ids").read_text().split()) == 3
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.pop("timestamp"))
    assert record.pop("responsePayload")["errorType"] == "Broken"
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"arn:aws:lambda:us-east-1:123456789012:function:{name}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": event,
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
    }


def test_a_retry_that_succeeds_is_reported_as_a_success(
    aws: LocalAws, make: Make, tmp_path: Path
) -> None:
    name = make(FAILS)
    reports = _configure(aws, name)
    _send(aws, name, {"ids": str(tmp_path / "ids"), "errors": 2})
    record = reports.record()
    assert record["requestContext"]["condition"] == "Success"
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    assert record["responsePayload"] == {"done": True}
    assert len((tmp_path / "ids").read_text().split()) == 3


def test_an_error_is_tried_again_as_often_as_the_function_wants(
    aws: LocalAws, make: Make, tmp_path: Path
) -> None:
    name = make(FAILS)
    reports = _configure(aws, name, MaximumRetryAttempts=0)
    _send(aws, name, {"ids": str(tmp_path / "ids"), "errors": 1})
    assert reports.record()["requestContext"]["approximateInvokeCount"] == 1


def test_an_event_that_failed_is_in_the_dead_letter_queue(
    aws: LocalAws, make: Make, tmp_path: Path
) -> None:
    name = make(FAILS)
    letters = Reports(aws, name)
    aws.client("lambda").update_function_configuration(
        FunctionName=name, DeadLetterConfig={"TargetArn": letters.arn}
    )
    event = {"ids": str(tmp_path / "ids"), "errors": 3}
    _send(aws, name, event)
    letter = letters.received()
    assert letter["Body"] == json.dumps(event)
    said = {name: each["StringValue"] for name, each in letter["MessageAttributes"].items()}
    [request_id] = set((tmp_path / "ids").read_text().split())
    assert said == {"RequestID": request_id, "ErrorCode": "200", "ErrorMessage": "again"}


@pytest.fixture
def statuses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How the attempts of asynchronous invocations end."""
    seen: list[int] = []
    attempt = asynchronous._attempt

    def watched(event: Any) -> Any:
        ended = attempt(event)
        seen.append(ended.status)
        return ended

    monkeypatch.setattr(asynchronous, "_attempt", watched)
    return seen


OCCUPIES = """
import socket
def handler(event, context):
    if event:
        with socket.create_connection(("127.0.0.1", event)) as line:
            line.recv(1)
"""


def test_a_throttled_event_is_tried_again_until_there_is_room(
    aws: LocalAws, make: Make, statuses: list[int]
) -> None:
    name = make(OCCUPIES)
    reports = _configure(aws, name, MaximumRetryAttempts=0)
    aws.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    with socket.create_server(("127.0.0.1", 0)) as gate, ThreadPoolExecutor(1) as callers:
        occupied = callers.submit(_invoke, aws, name, gate.getsockname()[1])
        line, _ = gate.accept()
        _send(aws, name, None)
        wait_for(lambda: statuses.count(429) > 2, "attempts that are throttled")
        line.close()
        occupied.result()
    assert reports.record()["requestContext"]["condition"] == "Success"
    assert statuses[-1] == 200


def test_an_event_that_has_become_too_old_is_reported(
    aws: LocalAws, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asynchronous, "_MAXIMUM_EVENT_AGE_SECONDS", 0.05)
    name = make(OCCUPIES)
    reports = _configure(aws, name)
    aws.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    with socket.create_server(("127.0.0.1", 0)) as gate, ThreadPoolExecutor(1) as callers:
        occupied = callers.submit(_invoke, aws, name, gate.getsockname()[1])
        line, _ = gate.accept()
        _send(aws, name, None)
        record = reports.record()
        line.close()
        occupied.result()
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert record["responseContext"] == {"statusCode": 429}
    assert "responsePayload" not in record


def test_an_event_for_a_function_that_is_switched_off_is_not_tried_again(
    aws: LocalAws, make: Make, statuses: list[int]
) -> None:
    name = make("handler = print")
    reports = _configure(aws, name)
    aws.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    _send(aws, name, None)
    record = reports.record()
    assert record["requestContext"]["condition"] == "ZeroReservedConcurrency"
    assert "responseContext" not in record
    assert statuses == [429]


def test_an_error_of_the_local_aws_is_tried_again(
    aws: LocalAws, make: Make, monkeypatch: pytest.MonkeyPatch, statuses: list[int]
) -> None:
    name = make("handler = lambda event, context: event")
    reports = _configure(aws, name)
    run, broken = LambdaFunction._invoke_lambda, [1, 2, 3]

    def flaky(function: LambdaFunction, event: Any = None) -> Any:
        if broken:
            broken.pop()
            raise OSError("no more processes")
        return run(function, event)

    monkeypatch.setattr(LambdaFunction, "_invoke_lambda", flaky)
    _send(aws, name, 7)
    assert reports.record()["responsePayload"] == 7
    assert statuses == [500, 500, 500, 200]


def test_without_a_destination_the_loss_of_an_event_is_logged(
    aws: LocalAws, make: Make, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.ERROR)
    name = make(FAILS)
    _send(aws, name, {"ids": str(tmp_path / "ids"), "errors": 3})
    wait_for(lambda: "is lost: RetriesExhausted, again" in caplog.text, "the log")
    assert name in caplog.text


def test_a_destination_needs_the_permission_of_the_functions_role(
    aws: LocalAws, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    name = make("handler = lambda event, context: event")
    _configure(aws, name)
    aws.client("iam").delete_role_policy(RoleName=name[-50:], PolicyName="report")
    _send(aws, name, 7)
    wait_for(lambda: "is not authorized to perform: sqs:sendmessage" in caplog.text, "the log")
    client = aws.client("lambda")
    arn = f"{QUEUES}{name}"
    with pytest.raises(ClientError, match="does not have permissions to call SendMessage") as put:
        client.put_function_event_invoke_config(
            FunctionName=name, DestinationConfig={"OnFailure": {"Destination": arn}}
        )
    assert put.value.response["Error"]["Code"] == "InvalidParameterValueException"
    with pytest.raises(ClientError, match="does not have permissions to call SendMessage"):
        client.update_function_configuration(FunctionName=name, DeadLetterConfig={"TargetArn": arn})
    role = client.get_function_configuration(FunctionName=name)["Role"]
    with pytest.raises(ClientError, match="does not have permissions to call SendMessage"):
        client.create_function(
            FunctionName=f"{name}-2",
            Role=role,
            Runtime=RUNTIME,
            Handler="app.handler",
            Code={"ZipFile": _artifact("")},
            DeadLetterConfig={"TargetArn": arn},
        )
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName=f"{name}-2")


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sns:us-east-1:123456789012:topic",
        "arn:aws:lambda:us-east-1:123456789012:function:f",
        "arn:aws:events:us-east-1:123456789012:event-bus/default",
        "arn:aws:s3:::bucket",
        f"{QUEUES}queue.fifo",
        "arn:aws:sqs:us-east-1:210987654321:of-another-account",
    ],
    ids=["sns", "lambda", "events", "s3", "fifo", "account"],
)
def test_a_destination_other_than_a_queue_is_refused(aws: LocalAws, make: Make, arn: str) -> None:
    name, client = make("handler = print"), aws.client("lambda")
    for kind in ("OnSuccess", "OnFailure"):
        with pytest.raises(ClientError, match="NotImplemented") as refusal:
            client.put_function_event_invoke_config(
                FunctionName=name, DestinationConfig={kind: {"Destination": arn}}
            )
        assert f"{kind} to {arn}" in str(refusal.value)
    with pytest.raises(ClientError, match="NotImplemented"):
        client.update_function_configuration(FunctionName=name, DeadLetterConfig={"TargetArn": arn})


def test_an_event_invoke_config_is_replaced_and_changed(aws: LocalAws, make: Make) -> None:
    name, client = make("handler = print"), aws.client("lambda")

    def config() -> dict[str, Any]:
        got = client.get_function_event_invoke_config(FunctionName=name)
        return {key: value for key, value in got.items() if key.startswith("Maximum")}

    client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1)
    assert config() == {"MaximumRetryAttempts": 1}
    client.update_function_event_invoke_config(FunctionName=name, MaximumEventAgeInSeconds=60)
    assert config() == {"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 60}
    client.delete_function_event_invoke_config(FunctionName=name)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.update_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    with pytest.raises(ClientError, match="Qualifier live"):
        client.put_function_event_invoke_config(FunctionName=name, Qualifier="live")


def test_a_retry_that_is_due_in_an_hour_does_not_hold_up_the_end(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asynchronous, "_ERROR_PAUSES", (3600, 3600))
    attempts: list[Any] = []

    def fail(_function: LambdaFunction, event: Any = None) -> tuple[str, bool, str]:
        attempts.append(event)
        return "{}", True, ""

    monkeypatch.setattr(LambdaFunction, "_invoke_lambda", fail)
    queue = asynchronous.Queue()
    function = lambda_backends[local.ACCOUNT][local.REGION].get_function(make(""))
    queue.accept(function, "7")
    wait_for(lambda: attempts, "the first attempt")
    queue.stop()
    queue.join()
    assert attempts == [7]
    with pytest.raises(RuntimeError, match="is stopping"):
        queue.accept(function, "7")
