"""Faults that state machines meet: localaws/stepfunctions/faults.py and stepfunctions/errors.py."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from localaws.events import eventbridge
from localaws.faults import faults
from localaws.server import LocalAws
from tests.support.localaws.faults import Publisher
from tests.support.waiting import wait_for

ROLE = "arn:aws:iam::123456789012:role/states"
START = "arn:aws:states:::states:startExecution.sync:2"
QUEUES = "arn:aws:sqs:us-east-1:123456789012:"

States = dict[str, Any]


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    faults.clear()


class Machines:
    """Makes state machines of a test's own, runs them and reads what came of them."""

    def __init__(self, aws: LocalAws) -> None:
        self.client = aws.client("stepfunctions")

    def create(self, states: States) -> str:
        definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}
        machine: str = self.client.create_state_machine(
            name=f"m-{uuid.uuid4()}", definition=json.dumps(definition), roleArn=ROLE
        )["stateMachineArn"]
        return machine

    def start(self, machine: str, value: Any = None) -> str:
        started = self.client.start_execution(stateMachineArn=machine, input=json.dumps(value))
        return str(started["executionArn"])

    def ended(self, execution: str) -> dict[str, Any]:
        def end() -> dict[str, Any] | None:
            found: dict[str, Any] = self.client.describe_execution(executionArn=execution)
            return None if found["status"] == "RUNNING" else found

        return wait_for(end, f"the end of {execution}") or {}

    def run(self, states: States, value: Any = None) -> dict[str, Any]:
        return self.ended(self.start(self.create(states), value))

    def history(self, execution: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get_execution_history(executionArn=execution)[
            "events"
        ]
        return found


@pytest.fixture
def machines(aws: LocalAws) -> Machines:
    return Machines(aws)


@pytest.fixture
def publisher(aws: LocalAws) -> Publisher:
    return Publisher(aws)


def task(publisher: Publisher, text: str = "m", port: int | None = None, **more: Any) -> States:
    arguments = {"FunctionName": publisher.name, "Payload": publisher.event(text, port)}
    resource = "arn:aws:states:::lambda:invoke"
    return {"Type": "Task", "Resource": resource, "Arguments": arguments, "End": True, **more}


def within(kind: str, state: States) -> States:
    """A Map or a Parallel with one state that is called Here."""
    inner = {"StartAt": "Here", "States": {"Here": state}}
    if kind == "Parallel":
        return {"Type": kind, "Branches": [inner], "End": True}
    return {"Type": kind, "Items": [1, 2], "ItemProcessor": inner, "End": True}


# --- as a state is entered ------------------------------------------------------------------------

PASS = {"Type": "Pass", "End": True}
CREATE = {
    "Type": "Task",
    "Resource": "arn:aws:states:::aws-sdk:ecs:createCluster",
    "Arguments": {"ClusterName": "of-a-stopped-task"},
    "End": True,
}


@pytest.mark.parametrize(
    ("states", "entered"),
    [
        ({"Here": PASS}, "Pass"),
        ({"Here": {"Type": "Choice", "Choices": [], "Default": "B"}, "B": PASS}, "Choice"),
        ({"Here": CREATE}, "Task"),
        ({"Here": {"Type": "Wait", "Seconds": 3600, "End": True}}, "Wait"),
        ({"Here": {"Type": "Succeed"}}, "Succeed"),
        ({"Here": {"Type": "Fail", "Error": "E"}}, "Fail"),
        ({"Here": within("Map", PASS)}, "Map"),
        ({"Here": within("Parallel", PASS)}, "Parallel"),
        ({"Each": within("Map", CREATE)}, "Task"),
        ({"Each": within("Parallel", {"Type": "Succeed"})}, "Succeed"),
        ({"First": {"Type": "Pass", "Next": "Here"}, "Here": {"Type": "Succeed"}}, "Succeed"),
    ],
)
def test_an_execution_is_stopped_as_it_enters_a_state_of_any_kind_and_does_nothing_of_it(
    aws: LocalAws, machines: Machines, states: States, entered: str
) -> None:
    if "Choices" in states.get("Here", {}):
        states["Here"]["Choices"] = [{"Condition": "{% false %}", "Next": "B"}]
    fault = faults.add(state="Here", how="stop", error="Stopped", cause="by a test")
    execution = machines.run(states)
    assert execution["status"] == "ABORTED"
    assert (execution["error"], execution["cause"]) == ("Stopped", "by a test")
    *_, last, end = machines.history(execution["executionArn"])
    assert last["type"] == f"{entered}StateEntered"
    assert last["stateEnteredEventDetails"]["name"] == "Here"
    assert end["type"] == "ExecutionAborted"
    assert end["executionAbortedEventDetails"] == {"error": "Stopped", "cause": "by a test"}
    assert faults.get(fault)["hits"] == 1
    assert not aws.client("ecs").describe_clusters(clusters=["of-a-stopped-task"])["clusters"]


def test_a_stop_by_a_fault_sends_an_event_like_any_other_stop(
    aws: LocalAws, machines: Machines
) -> None:
    machine = machines.create({"Here": PASS})
    name = machine.rsplit(":", 1)[1]
    sqs, events = aws.client("sqs"), aws.client("events")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    pattern = {"detail": {"stateMachineArn": [machine], "status": ["ABORTED"]}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": QUEUES + name}])
    faults.add(state="Here", how="stop", cause="by a test")
    execution = machines.start(machine)
    [message] = wait_for(lambda: sqs.receive_message(QueueUrl=url).get("Messages", []), "the event")
    event = json.loads(message["Body"])
    assert event["detail-type"] == "Step Functions Execution Status Change"
    assert event["detail"]["executionArn"] == execution
    assert event["detail"]["cause"] == "by a test"
    assert event["detail"]["stopDate"] is not None


def test_a_stop_is_aimed_by_the_input_the_machine_and_the_number(machines: Machines) -> None:
    one, other = machines.create({"Here": PASS}), machines.create({"Here": PASS})
    fault = faults.add(
        state="Here", how="stop", containing='"service":"é/api"', machine=one[-36:], call=2
    )
    aimed, past = {"service": "é/api"}, {"service": "é/web"}
    runs = [(other, aimed), (one, past), (one, aimed), (one, aimed), (one, aimed)]
    ends = [machines.ended(machines.start(machine, value))["status"] for machine, value in runs]
    assert ends == ["SUCCEEDED"] * 3 + ["ABORTED", "SUCCEEDED"]
    assert (faults.get(fault)["seen"], faults.get(fault)["hits"]) == (3, 1)


# --- while a function runs ------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["top", "Map"])
def test_a_stop_while_the_function_runs_ends_the_execution_and_the_function_goes_on(
    machines: Machines, publisher: Publisher, place: str
) -> None:
    fault = faults.add(state="Here", how="stop", when="running", error="Stopped")
    with socket.create_server(("127.0.0.1", 0)) as gate:
        work = task(publisher, port=gate.getsockname()[1])
        states = {"Here": work} if place == "top" else {"Each": within("Map", work)}
        if place == "Map":
            states["Each"]["Items"] = [1]
        execution = machines.run(states)
        assert (execution["status"], execution["error"]) == ("ABORTED", "Stopped")
        types = [event["type"] for event in machines.history(execution["executionArn"])]
        assert types[-3:] == ["TaskScheduled", "TaskStarted", "ExecutionAborted"]
        line = gate.accept()[0]
        assert publisher.published == []
        line.sendall(b"!")
        wait_for(lambda: publisher.published == ["m"], "the function's end")
        line.close()
    assert (faults.get(fault)["seen"], faults.get(fault)["hits"]) == (1, 1)
    assert len(machines.history(execution["executionArn"])) == len(types)


def test_each_attempt_of_a_task_is_an_invocation_of_its_own(
    machines: Machines, publisher: Publisher
) -> None:
    retry = [{"ErrorEquals": ["Runtime.ExitError"], "IntervalSeconds": 1, "MaxDelaySeconds": 2}]
    faults.add(action="sns:Publish", how="kill", function=publisher.name)
    fault = faults.add(state="Here", how="stop", when="running", call=2)
    execution = machines.run({"Here": task(publisher, Retry=retry)})
    assert execution["status"] == "ABORTED"
    assert (faults.get(fault)["seen"], faults.get(fault)["hits"]) == (2, 1)
    wait_for(lambda: publisher.published == ["m"], "the second attempt's end")


def test_an_invocation_that_lambda_refuses_is_not_in_flight(
    machines: Machines, publisher: Publisher
) -> None:
    fault = faults.add(state="Here", how="stop", when="running")
    faults.add(action="lambda:Invoke", how="throttle", containing=publisher.name)
    execution = machines.run({"Here": task(publisher)})
    assert (execution["status"], execution["error"]) == (
        "FAILED",
        "Lambda.TooManyRequestsException",
    )
    assert faults.get(fault)["seen"] == 0


def test_a_stop_of_a_running_state_that_invokes_nothing_fails_loudly(machines: Machines) -> None:
    faults.add(state="Here", how="stop", when="running")
    execution = machines.run({"Here": PASS})
    assert (execution["status"], execution["error"]) == ("FAILED", "States.Runtime")
    assert "a fault on 'Here' running: it is no Lambda Task" in execution["cause"]


# --- calls that AWS makes for a state machine -----------------------------------------------------


@pytest.mark.parametrize(
    ("how", "error", "cause"),
    [
        ("throttle", "Lambda.TooManyRequestsException", "Rate Exceeded. (Service: AWSLambda;"),
        ("error", "Lambda.ServiceException", "Status Code: 500; Error Code: ServiceException"),
        ("deny", "Lambda.AWSLambdaException", "perform: lambda:InvokeFunction on resource"),
        ("lose", "Lambda.SdkClientException", "Unable to execute HTTP request"),
    ],
)
def test_a_task_whose_invocation_fails_has_the_error_that_aws_gives_it(
    machines: Machines, publisher: Publisher, how: str, error: str, cause: str
) -> None:
    faults.add(action="lambda:Invoke", how=how, containing=publisher.name)
    execution = machines.run({"Here": task(publisher)})
    assert (execution["status"], execution["error"]) == ("FAILED", error)
    assert cause in execution["cause"]
    assert publisher.published == (["m"] if how == "lose" else [])


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("throttle", "StepFunctions.AWSStepFunctionsException"),
        ("error", "StepFunctions.AWSStepFunctionsException"),
        ("deny", "StepFunctions.AWSStepFunctionsException"),
        ("lose", "StepFunctions.SdkClientException"),
    ],
)
def test_a_child_whose_start_fails_has_the_error_that_aws_gives_it_and_can_be_tried_again(
    machines: Machines, how: str, error: str
) -> None:
    child, name = machines.create({"A": PASS}), f"child-{uuid.uuid4()}"
    arguments = {"StateMachineArn": child, "Name": name, "Input": {}}
    start = {"Type": "Task", "Resource": START, "Arguments": arguments, "End": True}
    aimed: dict[str, Any] = {"action": "states:StartExecution", "how": how, "containing": name}
    faults.add(**aimed)
    execution = machines.run({"A": start})
    assert (execution["status"], execution["error"]) == ("FAILED", error)
    started = machines.client.list_executions(stateMachineArn=child)["executions"]
    assert len(started) == (1 if how == "lose" else 0)


def test_errors_that_the_call_lists_and_those_of_the_local_aws_keep_their_names(
    machines: Machines, publisher: Publisher
) -> None:
    child, name = machines.create({"A": PASS}), f"child-{uuid.uuid4()}"
    arguments = {"StateMachineArn": child, "Name": name, "Input": {"n": 1}}
    start = {"Type": "Task", "Resource": START, "Arguments": arguments, "End": True}
    machines.client.start_execution(stateMachineArn=child, name=name, input="{}")
    wait_for(
        lambda: machines.client.list_executions(stateMachineArn=child, statusFilter="SUCCEEDED")[
            "executions"
        ],
        "the child's end",
    )
    error = machines.run({"A": start})["error"]
    assert error == "StepFunctions.ExecutionAlreadyExistsException"
    publisher.aws.client("lambda").update_function_configuration(
        FunctionName=publisher.name, Runtime="nodejs22.x"
    )
    assert machines.run({"A": task(publisher)})["error"] == "Lambda.NotImplemented"


def test_an_sdk_integration_whose_call_is_lost_has_an_error_of_its_service(
    machines: Machines,
) -> None:
    faults.add(action="ecs:ListClusters", how="lose")
    listed = {**CREATE, "Resource": "arn:aws:states:::aws-sdk:ecs:listClusters", "Arguments": {}}
    assert machines.run({"A": listed})["error"] == "Ecs.SdkClientException"


@pytest.mark.parametrize("how", ["throttle", "error", "lose"])
def test_eventbridge_delivers_again_what_a_fault_has_refused(
    aws: LocalAws, machines: Machines, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eventbridge, "_FIRST_PAUSE_SECONDS", 0.001)
    machine, events = machines.create({"A": PASS}), aws.client("events")
    name = machine.rsplit(":", 1)[1]
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    events.put_targets(Rule=name, Targets=[{"Id": "m", "Arn": machine, "RoleArn": ROLE}])
    fault = faults.add(action="states:StartExecution", how=how, containing=name)
    events.put_events(Entries=[{"Source": name, "DetailType": "d", "Detail": "{}"}])
    wait_for(lambda: faults.get(fault)["seen"] == 2, "the second delivery")
    [execution] = wait_for(
        lambda: machines.client.list_executions(stateMachineArn=machine)["executions"],
        "the execution",
    )
    assert machines.ended(execution["executionArn"])["status"] == "SUCCEEDED"
