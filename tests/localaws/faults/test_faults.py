"""Faults on calls of AWS, as whoever makes the call sees them: localaws/faults/faults.py and fault_*.py."""

from __future__ import annotations

import contextlib
import socket
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from localaws.application import Application
from localaws.faults import faults
from localaws.server import LocalAws
from tests.support.localaws.faults import Publisher
from tests.support.localaws.iam import Function, allow
from tests.support.waiting import wait_for

LIST = "ecs:ListClusters"
HERE = "us-east-1:123456789012"


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    faults.clear()


@pytest.fixture
def publisher(aws: LocalAws) -> Publisher:
    return Publisher(aws)


def _refusal(call: Any, **parameters: Any) -> tuple[str, int]:
    """Code and status of the error that a call ends with."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    answer: Any = error.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


# --- what the caller is told ----------------------------------------------------------------------

TABLE = {"TableName": "none", "Key": {"id": {"S": "1"}}}
CALLS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("ecs:ListClusters", "ecs", "list_clusters", {}),  # JSON
    ("ecr:DescribeRepositories", "ecr", "describe_repositories", {}),
    ("states:ListStateMachines", "stepfunctions", "list_state_machines", {}),
    ("dynamodb:GetItem", "dynamodb", "get_item", TABLE),
    ("dynamodb:ListTables", "dynamodb", "list_tables", {}),
    ("cloudwatch:DescribeAlarms", "cloudwatch", "describe_alarms", {}),  # JSON, codes of Query
    ("sns:ListTopics", "sns", "list_topics", {}),  # Query
    ("elasticloadbalancing:DescribeLoadBalancers", "elbv2", "describe_load_balancers", {}),
    ("lambda:Invoke", "lambda", "invoke", {"FunctionName": "none"}),  # REST
]
THROTTLED = [
    ("ThrottlingException", 400),
    ("ThrottlingException", 400),
    ("ThrottlingException", 400),
    ("ProvisionedThroughputExceededException", 400),
    ("ThrottlingException", 400),
    ("Throttling", 400),
    ("Throttling", 400),
    ("Throttling", 400),
    ("TooManyRequestsException", 429),
]
FAILED = [
    ("ServerException", 500),
    ("ServerException", 500),
    ("InternalFailure", 500),
    ("InternalServerError", 500),
    ("InternalServerError", 500),
    ("InternalFailure", 500),
    ("InternalError", 500),
    ("InternalFailure", 500),
    ("ServiceException", 500),
]


@pytest.mark.parametrize(
    ("how", "action", "service", "call", "parameters", "error"),
    [("throttle", *call, error) for call, error in zip(CALLS, THROTTLED, strict=True)]
    + [("error", *call, error) for call, error in zip(CALLS, FAILED, strict=True)],
)
def test_a_service_says_in_its_own_words_that_it_is_too_busy_or_fails(
    aws: LocalAws,
    how: str,
    action: str,
    service: str,
    call: str,
    parameters: dict[str, Any],
    error: tuple[str, int],
) -> None:
    fault = faults.add(action=action, how=how)
    assert _refusal(getattr(aws.client(service), call), **parameters) == error
    assert faults.get(fault)["hits"] == 1


@pytest.mark.parametrize(
    ("action", "service", "call", "parameters"),
    [
        ("ecs:UpdateService", "ecs", "update_service", {"cluster": "c", "service": "s"}),
        ("cloudwatch:DescribeAlarms", "cloudwatch", "describe_alarms", {"AlarmNames": ["a"]}),
        (
            "elasticloadbalancing:DescribeTargetHealth",
            "elbv2",
            "describe_target_health",
            {"TargetGroupArn": f"arn:aws:elasticloadbalancing:{HERE}:targetgroup/api/1"},
        ),
        ("sns:Publish", "sns", "publish", {"TopicArn": f"arn:aws:sns:{HERE}:t", "Message": "m"}),
    ],
)
def test_a_denied_call_of_a_function_is_refused_as_one_that_its_role_does_not_allow(
    aws: LocalAws, action: str, service: str, call: str, parameters: dict[str, Any]
) -> None:
    stranger, allowed = Function(aws), Function(aws, allow(action))
    wanted = stranger.refusal(service, call, **parameters)
    faults.add(action=action, how="deny")
    refused = allowed.refusal(service, call, **parameters)
    assert refused.replace(allowed.session, stranger.session) == wanted != ""


def test_a_denied_call_of_the_local_aws_itself_names_the_action_of_iam(aws: LocalAws) -> None:
    faults.add(action="lambda:Invoke", how="deny")
    with pytest.raises(
        ClientError,
        match=rf"to perform: lambda:InvokeFunction on resource: arn:aws:lambda:{HERE}:function:none because",
    ) as refusal:
        aws.client("lambda").invoke(FunctionName="none")
    answer: Any = refusal.value.response
    assert answer["Error"]["Code"] == "AccessDeniedException"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_lost_call_is_done_and_never_answered(aws: LocalAws) -> None:
    name = f"lost-{uuid.uuid4()}"
    ecs, sns = aws.client("ecs"), aws.client("sns")
    faults.add(action="ecs:CreateCluster", how="lose")
    with pytest.raises(ConnectionClosedError):
        ecs.create_cluster(clusterName=name)
    assert ecs.describe_clusters(clusters=[name])["clusters"][0]["clusterName"] == name
    faults.add(action="sns:CreateTopic", how="lose")
    with pytest.raises(ConnectionClosedError):
        sns.create_topic(Name=name)
    assert f"arn:aws:sns:{HERE}:{name}" in [
        topic["TopicArn"] for topic in sns.list_topics()["Topics"]
    ]


def test_the_sdk_makes_a_lost_call_again(aws: LocalAws) -> None:
    queue = aws.client("sqs").create_queue(QueueName=f"twice-{uuid.uuid4()}")["QueueUrl"]
    retries: Any = {"mode": "standard", "total_max_attempts": 2}
    patient: Any = boto3.client("sqs", endpoint_url=aws.url, config=Config(retries=retries))
    fault = faults.add(action="sqs:SendMessage", how="lose", containing=queue)
    patient.send_message(QueueUrl=queue, MessageBody="m")
    assert (faults.get(fault)["seen"], faults.get(fault)["hits"]) == (2, 1)
    received = aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    assert len(received["Messages"]) == 2


# --- functions ------------------------------------------------------------------------------------


def test_a_function_whose_call_is_lost_sees_no_answer_and_the_call_is_done(
    publisher: Publisher,
) -> None:
    faults.add(action="sns:Publish", how="lose", function=publisher.name)
    assert publisher.invoke("lost") == "no answer"
    assert publisher.published == ["lost"]


def test_the_process_that_makes_the_call_is_killed_before_it_is_done_and_no_other(
    publisher: Publisher,
) -> None:
    fault = faults.add(action="sns:Publish", how="kill", containing="die")
    with socket.create_server(("127.0.0.1", 0)) as gate, ThreadPoolExecutor(2) as callers:
        port = gate.getsockname()[1]
        calls = {text: callers.submit(publisher.invoke, text, port) for text in ("live", "die")}
        lines = [gate.accept()[0] for _ in calls]  # two processes of one function, side by side
        for line in lines:
            line.sendall(b"!")
        error, answer = calls["die"].result(), calls["live"].result()
        for line in lines:
            line.close()
    assert error["errorType"] == "Runtime.ExitError"
    assert "SIGKILL" in error["errorMessage"]
    assert answer == "200"
    assert publisher.published == ["live"]
    assert faults.get(fault)["hits"] == 1
    assert publisher.invoke("again") == "200"


def test_a_kill_that_finds_no_process_is_an_error_that_says_so(aws: LocalAws) -> None:
    function = Function(aws, allow("sns:Publish"))  # its calls are made here, in no process of its
    faults.add(action="sns:Publish", how="kill")
    refusal = function.refusal("sns", "publish", TopicArn=f"arn:aws:sns:{HERE}:t", Message="m")
    assert refusal.startswith("NotImplemented 501")
    assert "a fault that kills" in refusal


def test_a_call_hangs_until_the_fault_is_removed_and_then_is_done(
    aws: LocalAws, publisher: Publisher
) -> None:
    url = f"{aws.url}/_localaws/faults"
    fault = requests.post(
        url, json={"action": "sns:Publish", "how": "hang", "function": publisher.name}, timeout=10
    ).json()["id"]
    with ThreadPoolExecutor(1) as caller:
        call = caller.submit(publisher.invoke, "late")
        wait_for(lambda: faults.get(fault)["hits"], "the call")
        publisher.sns.publish(TopicArn=publisher.topic, Message="meanwhile")
        assert not call.done()
        assert requests.delete(f"{url}/{fault}", timeout=10).json()["hits"] == 1
        assert call.result() == "200"
    assert publisher.published == ["meanwhile", "late"]


def test_a_new_local_aws_has_no_faults_and_a_call_that_hung_is_not_done(
    publisher: Publisher,
) -> None:
    fault = faults.add(action="sns:Publish", how="hang")
    with ThreadPoolExecutor(1) as caller:
        call = caller.submit(publisher.invoke, "never")
        wait_for(lambda: faults.get(fault)["hits"], "the call")
        Application()
        assert call.result() == "no answer"
    assert faults.everything() == []
    assert publisher.published == []


@pytest.mark.parametrize("how", ["hang", "kill"])
def test_a_fault_that_needs_a_process_ignores_calls_that_no_function_makes(
    aws: LocalAws, how: str
) -> None:
    fault = faults.add(action=LIST, how=how)
    aws.client("ecs").list_clusters()
    assert faults.get(fault)["seen"] == 0


def test_a_call_that_the_role_does_not_allow_is_refused_first_and_not_seen(aws: LocalAws) -> None:
    function = Function(aws)
    fault = faults.add(action="ecs:ListTasks", how="error")
    assert function.refusal("ecs", "list_tasks", cluster="c").startswith("AccessDeniedException")
    assert faults.get(fault)["seen"] == 0
    function.may(allow("ecs:ListTasks"))
    assert function.refusal("ecs", "list_tasks", cluster="c").startswith("ServerException 500")


# --- which call -----------------------------------------------------------------------------------


def _outcomes(call: Any, times: int) -> list[bool]:
    """Which of so many calls in a row were hit."""

    def hit() -> bool:
        try:
            call()
        except ClientError:
            return True
        return False

    return [hit() for _ in range(times)]


@pytest.mark.parametrize(
    ("numbers", "hit"),
    [
        ({}, [True, False, False, False]),
        ({"call": 3}, [False, False, True, False]),
        ({"call": 2, "times": 2}, [False, True, True, False]),
    ],
)
def test_a_fault_hits_from_its_nth_call_on_as_often_as_it_says(
    aws: LocalAws, numbers: dict[str, int], hit: list[bool]
) -> None:
    fault = faults.add(action=LIST, how="throttle", **numbers)
    assert _outcomes(aws.client("ecs").list_clusters, 4) == hit
    assert (faults.get(fault)["seen"], faults.get(fault)["hits"]) == (4, sum(hit))


def test_as_many_calls_are_hit_when_many_come_at_once(aws: LocalAws) -> None:
    fault = faults.add(action=LIST, how="throttle", call=3, times=2)
    ecs = aws.client("ecs")
    with ThreadPoolExecutor(12) as callers:
        outcomes = list(callers.map(lambda _: _outcomes(ecs.list_clusters, 2), range(12)))
    assert sum(map(sum, outcomes)) == 2
    assert (faults.get(fault)["seen"], faults.get(fault)["hits"]) == (24, 2)


def test_the_older_of_two_faults_that_are_due_hits_and_both_have_seen_the_call(
    aws: LocalAws,
) -> None:
    older = faults.add(action=LIST, how="throttle")
    younger = faults.add(action=LIST, how="error", times=2)
    call = aws.client("ecs").list_clusters
    assert [_refusal(call)[0] for _ in range(2)] == ["ThrottlingException", "ServerException"]
    assert [(each["id"], each["seen"], each["hits"]) for each in faults.everything()] == [
        (older, 2, 1),
        (younger, 2, 1),
    ]


@pytest.mark.parametrize(
    ("action", "service", "call", "other", "aimed", "containing"),
    [
        (
            "ecs:DescribeClusters",  # JSON
            "ecs",
            "describe_clusters",
            {"clusters": ["a"]},
            {"clusters": ["b"]},
            '"b"',
        ),
        (
            "states:StartExecution",  # JSON in JSON
            "stepfunctions",
            "start_execution",
            {"stateMachineArn": f"arn:aws:states:{HERE}:stateMachine:m", "input": '{"é": "a"}'},
            {"stateMachineArn": f"arn:aws:states:{HERE}:stateMachine:m", "input": '{"é": "b"}'},
            '"é": "b"',
        ),
        (
            "sns:CreateTopic",  # Query: a form
            "sns",
            "create_topic",
            {"Name": "t", "Attributes": {"DisplayName": "to b"}},
            {"Name": "t", "Attributes": {"DisplayName": "é: to b"}},
            "é: to b",
        ),
        (
            "lambda:Invoke",  # REST: in the path, quoted
            "lambda",
            "invoke",
            {"FunctionName": "a", "InvocationType": "DryRun"},
            {"FunctionName": f"arn:aws:lambda:{HERE}:function:b"},
            ":function:b",
        ),
        ("lambda:ListFunctions", "lambda", "list_functions", {}, {"MaxItems": 7}, "MaxItems=7"),
    ],
)
def test_a_fault_is_aimed_by_a_text_in_the_request(
    aws: LocalAws,
    action: str,
    service: str,
    call: str,
    other: dict[str, Any],
    aimed: dict[str, Any],
    containing: str,
) -> None:
    fault = faults.add(action=action, how="error", containing=containing)
    method = getattr(aws.client(service), call)
    with contextlib.suppress(ClientError):  # there is no such function, or state machine
        method(**other)
    assert faults.get(fault)["seen"] == 0
    assert _refusal(method, **aimed)[1] == 500


def test_a_fault_is_aimed_at_one_function(aws: LocalAws) -> None:
    one, other = (Function(aws, allow("ecs:ListTasks")) for _ in range(2))
    faults.add(action="ecs:ListTasks", how="throttle", function=one.name)
    assert other.refusal("ecs", "list_tasks", cluster="c") == ""
    with pytest.raises(ClientError, match="ClusterNotFound"):
        aws.client("ecs").list_tasks(cluster="c")
    assert one.refusal("ecs", "list_tasks", cluster="c").startswith("ThrottlingException 400")


# --- /_localaws/faults ----------------------------------------------------------------------------


def test_a_fault_is_added_looked_at_and_removed_over_http(aws: LocalAws) -> None:
    url = f"{aws.url}/_localaws/faults"
    asked = {"action": LIST, "how": "error", "call": 2}
    fault = requests.post(url, json=asked, timeout=10).json()["id"]
    aws.client("ecs").list_clusters()
    described = {**asked, "id": fault, "times": 1, "seen": 1, "hits": 0}
    assert requests.get(url, timeout=10).json() == [described]
    assert requests.get(f"{url}/{fault}", timeout=10).json() == described
    assert requests.delete(f"{url}/{fault}", timeout=10).json() == described
    gone = requests.delete(f"{url}/{fault}", timeout=10)
    assert (gone.status_code, gone.json()) == (404, {"message": f"no such fault: {fault}"})
    requests.post(url, json=asked, timeout=10)
    assert len(requests.delete(url, timeout=10).json()) == 1
    assert requests.get(url, timeout=10).json() == []
    assert requests.put(url, json=asked, timeout=10).status_code == 405


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({}, "needs an action, or a state"),
        ({"action": "ecs:UpdateServices", "how": "error"}, "no call 'UpdateServices'"),
        ({"action": "ecs:updateService", "how": "error"}, "no call 'updateService'"),
        ({"action": "elbv2:DescribeTags", "how": "error"}, "called 'elasticloadbalancing'"),
        ({"action": "stepfunctions:StartExecution", "how": "error"}, "called 'states'"),
        ({"action": "monitoring:DescribeAlarms", "how": "error"}, "called 'cloudwatch'"),
        ({"action": "ecz:ListTasks", "how": "error"}, "no service 'ecz'"),
        ({"action": "ListTasks", "how": "error"}, "no service 'ListTasks'"),
        ({"action": "s3:PutObject", "how": "throttle"}, "how s3 PutObject is throttled"),
        ({"action": "sts:GetCallerIdentity", "how": "deny"}, "needs no permission"),
        ({"action": LIST}, "how: must be one of throttle, error"),
        ({"action": LIST, "how": "stop"}, "how: must be one of throttle, error"),
        ({"action": LIST, "how": "throtle"}, "not 'throtle'"),
        ({"action": LIST, "how": "error", "call": 0}, "call: must be a whole number from 1"),
        ({"action": LIST, "how": "error", "times": True}, "times: must be a whole number"),
        (
            {"action": LIST, "how": "error", "containing": ""},
            "containing: must be a non-empty string",
        ),
        ({"action": LIST, "how": "error", "container": "x"}, "container: no such field"),
        ({"action": LIST, "how": "error", "machine": "m"}, "machine: no such field"),
        ({"state": "A", "how": "error"}, "how: must be one of stop"),
        ({"state": "A", "how": "stop", "function": "f"}, "function: no such field"),
        ({"state": "A", "how": "stop", "when": "left"}, "when: must be one of entered, running"),
        ([], "a fault is a JSON object"),
    ],
)
def test_a_fault_that_could_not_be_met_is_refused_and_the_message_says_why(
    aws: LocalAws, fault: Any, why: str
) -> None:
    refusal = requests.post(f"{aws.url}/_localaws/faults", json=fault, timeout=10)
    assert refusal.status_code == 400
    assert why in refusal.json()["message"].replace("but is ", "not ")
    assert faults.everything() == []
