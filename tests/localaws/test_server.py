"""What localaws/server.py, requests.py and __main__.py promise."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from localaws.__main__ import main
from localaws.server import LocalAws
from tests.support.localaws.iam import Function, allow
from tests.support.paths import REPO
from tests.support.waiting import wait_for


def _run(source: str, **environment: str) -> subprocess.Popen[str]:
    """Run Python in a process of its own: there can be one local AWS in each."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(source)],
        cwd=REPO,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("service", "call", "arguments"),
    [
        ("ssm", "describe_sessions", {"State": "Active"}),  # JSON
        ("elbv2", "describe_trust_stores", {}),  # Query
        ("cloudwatch", "put_anomaly_detector", {"Namespace": "n", "MetricName": "m"}),  # CBOR
        ("lambda", "get_account_settings", {}),  # REST, a route that moto does not have
    ],
)
def test_an_action_that_moto_lacks_is_an_error_that_names_it_and_is_not_retried(
    aws: LocalAws, service: str, call: str, arguments: dict[str, Any]
) -> None:
    client = aws.client(service)
    with pytest.raises(ClientError) as refusal:
        getattr(client, call)(**arguments)
    answer: Any = refusal.value.response
    assert answer["Error"]["Code"] == "NotImplemented"
    assert f"{service} {client.meta.method_to_api_mapping[call]}" in answer["Error"]["Message"]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501  # SDKs retry 500, 502, 503 and 504


def test_a_crash_of_the_local_aws_is_an_error_that_names_it(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise KeyError("of moto")

    monkeypatch.setattr("moto.sns.models.SNSBackend.list_topics", crash)
    with pytest.raises(ClientError, match=r"sns ListTopics: KeyError.*of moto") as refusal:
        aws.client("sns").list_topics()
    assert refusal.value.response["Error"]["Code"] == "InternalFailure"


def test_a_call_is_recorded_with_the_milliseconds_it_took(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get_parameter(*_: object) -> None:
        time.sleep(0.05)

    monkeypatch.setattr("moto.ssm.models.SimpleSystemManagerBackend.get_parameter", get_parameter)
    function, other = Function(aws, allow("ssm:GetParameter")), Function(aws)
    with pytest.raises(ClientError, match="ParameterNotFound"):
        function.client("ssm").get_parameter(Name="/none")
    with pytest.raises(ClientError, match="AccessDenied"):
        other.client("ssm").get_parameter(Name="/none")
    calls = requests.get(f"{aws.url}/_localaws/calls", timeout=10).json()
    took = {call["function"]: call["ms"] for call in calls}
    assert took[function.name] >= 50
    assert took[other.name] > 0


def test_ready_says_the_outputs_once_the_stack_stands(aws: LocalAws) -> None:
    assert requests.get(f"{aws.url}/_localaws/ready", timeout=10).status_code == 503
    aws.ready({"ReleaseStateMachineArn": "arn"})
    answer = requests.get(f"{aws.url}/_localaws/ready", timeout=10)
    assert (answer.status_code, answer.json()) == (200, {"ReleaseStateMachineArn": "arn"})


def test_it_listens_on_loopback_only(aws: LocalAws) -> None:
    port = int(aws.url.rsplit(":", 1)[1])
    with socket.create_server(("127.0.0.2", port)):
        pass  # with a listener on every address this one would be taken


def test_a_second_one_in_the_same_process_begins_empty_and_gives_everything_back() -> None:
    ended = _run(
        """
        import os, threading
        import boto3
        from localaws.server import LocalAws
        before = dict(os.environ)
        for turn in range(2):
            with LocalAws() as aws:
                assert os.environ["AWS_ENDPOINT_URL"] == aws.url
                assert "AWS_SESSION_TOKEN" not in os.environ
                sns = boto3.client("sns")
                assert sns.list_topics()["Topics"] == []
                topic = sns.create_topic(Name="t")["TopicArn"]
                sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")
                sns.publish(TopicArn=topic, Message="m")
                from localaws.sns import mails
                assert len(mails()) == 1
            assert dict(os.environ) == before
            assert threading.enumerate() == [threading.main_thread()], threading.enumerate()
        """,
        AWS_SESSION_TOKEN="developers-own",
    )
    _, errors = ended.communicate(timeout=120)
    assert ended.returncode == 0, errors


@pytest.fixture
def make_local(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """``python -m localaws`` with a SAM CLI that does nothing."""
    process = _run(
        """
        import sys
        from localaws import __main__, sam, seed
        sam.build = lambda repo: None
        outputs = {"ReleaseStateMachineArn": "arn:of:it", "DeploymentStateMachineArn": "arn:of:that"}
        def deploy(aws, repo, parameters):
            assert parameters["WithEnvironment"] == "true"
            seed.plan("shop/api", {"routes": []})
            return outputs
        sam.deploy = deploy
        sys.exit(__main__.main())
        """,
        LOCALAWS_PORT="0",
    )
    yield process
    process.kill()
    process.communicate()


def test_make_local_says_what_to_try_and_ends_cleanly(make_local: subprocess.Popen[str]) -> None:
    assert make_local.stdout is not None
    url = make_local.stdout.readline().split()[0]
    ready = wait_for(lambda: _get(f"{url}/_localaws/ready"), "ready")
    assert b"arn:of:it" in ready
    make_local.send_signal(signal.SIGTERM)  # handled as Ctrl-C is
    printed = make_local.stdout.read()
    assert make_local.wait(timeout=60) == 0
    assert f"export AWS_ENDPOINT_URL={url} " in printed
    assert "start-execution --state-machine-arn arn:of:that" in printed


def _get(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            body: bytes = answer.read()
            return body
    except OSError:
        return None


def test_a_port_in_use_is_one_clear_line_and_exit_code_2(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("LOCALAWS_PORT", aws.url.rsplit(":", 1)[1])
    try:
        assert main() == 2
    finally:
        signal.signal(signal.SIGTERM, handler)
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"localaws: can't listen on {aws.url}: Address already in use")
