"""Starting and stopping the local AWS, and what its application adds to moto's."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from localaws.server import LocalAws
from tests.support.localaws.iam import Function, allow
from tests.support.localaws.processes import run_forked


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


def test_a_second_local_aws_in_a_process_is_refused_and_leaves_the_first_alone(
    aws: LocalAws,
) -> None:
    with pytest.raises(RuntimeError, match="a local AWS runs in this process: stop it first"):
        LocalAws().start()
    assert aws.client("sts").get_caller_identity()["Account"]


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


def test_the_server_listens_on_loopback_only(aws: LocalAws) -> None:
    port = int(aws.url.rsplit(":", 1)[1])
    with socket.create_server(("127.0.0.2", port)):
        pass  # with a listener on every address this one would be taken


def test_a_second_server_in_the_same_process_begins_empty_and_gives_everything_back() -> None:
    run_forked(
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
                from localaws.sns import sns as local_sns
                assert len(local_sns.mails()) == 1
            assert dict(os.environ) == before
            assert threading.enumerate() == [threading.main_thread()], threading.enumerate()
        """,
        AWS_SESSION_TOKEN="developers-own",
    )
