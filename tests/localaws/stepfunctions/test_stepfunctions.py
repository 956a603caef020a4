"""Step Functions: executions of real state machines on the local AWS."""

from __future__ import annotations

import io
import json
import threading
import uuid
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.awslambda.models import LambdaFunction
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import (
    WaitFunction,
)
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from localaws import aws as local
from tests.support.localaws.sns import let_sns_send
from tests.support.waiting import wait_for

ROLE = "arn:aws:iam::123456789012:role/states"
CHILD = "arn:aws:states:::states:startExecution.sync:2"
LAMBDA = "arn:aws:states:::lambda:invoke"
SLEEP = {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}


class Machines:
    """Makes state machines of a test's own, runs them and reads what came of them."""

    def __init__(self, aws: Any) -> None:
        self.aws = aws
        self.client = aws.client("stepfunctions")

    def create(self, states: dict[str, Any], **top: Any) -> str:
        """A JSONata state machine that starts at its first state."""
        definition = {
            "QueryLanguage": "JSONata",
            "StartAt": next(iter(states)),
            "States": states,
            **top,
        }
        return str(
            self.client.create_state_machine(
                name=f"m-{uuid.uuid4()}", definition=json.dumps(definition), roleArn=ROLE
            )["stateMachineArn"]
        )

    def start(self, machine: str, value: Any = None, **more: Any) -> str:
        given = json.dumps(value)
        started = self.client.start_execution(stateMachineArn=machine, input=given, **more)
        return str(started["executionArn"])

    def ended(self, execution: str) -> dict[str, Any]:
        described: dict[str, Any] = wait_for(
            lambda: (
                (found := self.client.describe_execution(executionArn=execution))["status"]
                != "RUNNING"
                and found
            ),
            f"the end of {execution}",
        )
        return described

    def run(self, states: dict[str, Any], value: Any = None, **top: Any) -> dict[str, Any]:
        return self.ended(self.start(self.create(states, **top), value))

    def output(self, states: dict[str, Any], value: Any = None) -> Any:
        described = self.run(states, value)
        assert described["status"] == "SUCCEEDED", described
        return json.loads(described["output"])

    def history(self, execution: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = self.client.get_execution_history(executionArn=execution)[
            "events"
        ]
        return events

    def entered(self, execution: str, state: str) -> bool:
        return any(
            event.get("stateEnteredEventDetails", {}).get("name") == state
            for event in self.history(execution)
        )


@pytest.fixture
def machines(aws):
    return Machines(aws)


@pytest.fixture(scope="module")
def artifact():
    with io.BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("app.py", "")
        return buffer.getvalue()


@pytest.fixture
def function(aws, monkeypatch, artifact):
    """Make a function that answers with what it is given to answer with."""

    def make(answer: Any) -> str:
        def invoke(_function: Any, event: Any = None) -> tuple[str, bool, str]:
            value = answer(json.loads(event) if isinstance(event, str) else event)
            failed = isinstance(value, dict) and "errorType" in value
            return json.dumps(value), failed, ""

        monkeypatch.setattr(LambdaFunction, "_invoke_lambda", invoke)
        name = f"f-{uuid.uuid4()}"
        aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")
        aws.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=f"arn:aws:iam::123456789012:role/{name}",
            Handler="app.handler",
            Code={"ZipFile": artifact},
        )
        return name

    return make


def invoke(name: str, **more: Any) -> dict[str, Any]:
    arguments = {"FunctionName": name, "Payload": "{% $states.input %}"}
    return {"Type": "Task", "Resource": LAMBDA, "Arguments": arguments, "End": True, **more}


def child(machine: str, **more: Any) -> dict[str, Any]:
    arguments = {"StateMachineArn": machine, "Input": "{% $states.input %}"}
    return {"Type": "Task", "Resource": CHILD, "Arguments": arguments, "End": True, **more}


def refusal(call: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call()
    return error.value.response["Error"]["Code"], str(error.value)


# --- StartExecution, StopExecution, DescribeExecution -----------------------------------------------


def test_an_execution_without_a_name_gets_one_of_its_own(machines):
    machine = machines.create({"A": {"Type": "Succeed"}})
    first, second = (machines.ended(machines.start(machine)) for _ in range(2))
    assert uuid.UUID(first["name"]) != uuid.UUID(second["name"])
    assert first["executionArn"].endswith(first["name"])


def test_the_same_name_and_input_is_the_execution_that_runs(machines):
    machine = machines.create(SLEEP)
    with ThreadPoolExecutor(8) as pool:
        racing = pool.map(lambda _: machines.start(machine, {"n": 1}, name="one"), range(8))
        assert len(set(racing)) == 1
    code, _ = refusal(lambda: machines.start(machine, {"n": 2}, name="one"))
    assert code == "ExecutionAlreadyExists"
    [execution] = machines.client.list_executions(stateMachineArn=machine)["executions"]
    machines.client.stop_execution(executionArn=execution["executionArn"])
    code, _ = refusal(lambda: machines.start(machine, {"n": 1}, name="one"))
    assert code == "ExecutionAlreadyExists", "its name is taken also after its end"


def test_an_input_that_is_not_json_is_refused(machines):
    machine = machines.create({"A": {"Type": "Succeed"}})
    call = machines.client.start_execution
    code, _ = refusal(lambda: call(stateMachineArn=machine, input="{"))
    assert code == "InvalidExecutionInput"


def test_a_stopped_execution_keeps_error_and_cause_and_has_ended(machines):
    execution = machines.start(machines.create(SLEEP))
    stopped = machines.client.stop_execution(
        executionArn=execution, error="Superseded", cause="é 🎉"
    )
    described = machines.client.describe_execution(executionArn=execution)
    assert (described["status"], described["error"], described["cause"]) == (
        "ABORTED",
        "Superseded",
        "é 🎉",
    )
    assert described["stopDate"] == stopped["stopDate"] >= described["startDate"]
    last = machines.history(execution)[-1]
    assert last["type"] == "ExecutionAborted"
    assert last["executionAbortedEventDetails"] == {"error": "Superseded", "cause": "é 🎉"}


def test_a_wait_that_begins_after_the_end_is_over(machines):
    arn = machines.run({"A": {"Type": "Succeed"}})["executionArn"]
    backend = stepfunctions_parser_backends[local.ACCOUNT][local.REGION]
    environment = backend.describe_execution(arn)._environment
    waiting = threading.Thread(
        target=WaitFunction._wait_interval, args=(None, environment, 3600), daemon=True
    )
    waiting.start()
    waiting.join(10)
    assert not waiting.is_alive()


@pytest.mark.parametrize("kind", ["Parallel", "Map", "Retry"])
def test_an_execution_stops_at_once_wherever_it_waits(machines, kind):
    branch = {"StartAt": "Wait", "States": SLEEP}
    states: dict[str, dict[str, Any]] = {
        "Parallel": {"A": {"Type": "Parallel", "Branches": [branch, branch], "End": True}},
        "Map": {"A": {"Type": "Map", "Items": [1, 2], "ItemProcessor": branch, "End": True}},
        "Retry": {
            "Wait": {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:ecs:describeServices",
                "Arguments": {"Cluster": "nowhere", "Services": ["s"]},
                "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 3600}],
                "End": True,
            }
        },
    }
    execution = machines.start(machines.create(states[kind]))
    pausing = "TaskFailed" if kind == "Retry" else "WaitStateEntered"
    wait_for(
        lambda: pausing in [event["type"] for event in machines.history(execution)], "the pause"
    )
    machines.client.stop_execution(executionArn=execution)
    assert machines.ended(execution)["status"] == "ABORTED"
    assert machines.history(execution)[-1]["type"] == "ExecutionAborted"


def test_a_text_is_an_output_in_json(machines):
    described = machines.run({"A": {"Type": "Pass", "Output": "done", "End": True}})
    assert described["output"] == '"done"'


def test_a_failed_execution_says_why(machines):
    fail = {
        "Type": "Fail",
        "Error": "{% $states.input.error %}",
        "Cause": "{% 'it was ' & $states.input.error %}",
    }
    described = machines.run({"A": fail}, {"error": "Broken"})
    assert (described["status"], described["error"], described["cause"]) == (
        "FAILED",
        "Broken",
        "it was Broken",
    )
    assert described["stopDate"] >= described["startDate"]
    listed = machines.client.list_executions(
        stateMachineArn=described["stateMachineArn"], statusFilter="FAILED"
    )["executions"]
    assert [item["stopDate"] for item in listed] == [described["stopDate"]]


def test_the_history_can_be_read_backwards_and_in_pages(machines):
    execution = machines.run({"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Succeed"}})
    arn = execution["executionArn"]
    events = machines.history(arn)
    read = machines.client.get_execution_history
    assert read(executionArn=arn, reverseOrder=True)["events"] == events[::-1]
    pages = machines.client.get_paginator("get_execution_history").paginate(
        executionArn=arn, PaginationConfig={"PageSize": 2}
    )
    assert [event for page in pages for event in page["events"]] == events


def test_another_definition_under_a_name_in_use_is_refused(machines):
    machine = machines.create(SLEEP)
    name = machine.rsplit(":", 1)[1]
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
    create = machines.client.create_state_machine
    code, _ = refusal(lambda: create(name=name, definition=definition, roleArn=ROLE))
    assert code == "StateMachineAlreadyExists"


def test_an_express_state_machine_is_refused(machines):
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
    create = machines.client.create_state_machine
    code, _ = refusal(
        lambda: create(name="express", definition=definition, roleArn=ROLE, type="EXPRESS")
    )
    assert code == "NotImplemented"


def test_a_hundred_executions_run_at_once(machines):
    gate = machines.create({"Wait": {"Type": "Wait", "Seconds": 1, "Next": "A"}, "A": SUM})
    with ThreadPoolExecutor(16) as pool:
        executions = list(pool.map(lambda n: machines.start(gate, {"n": n}), range(100)))
    results = {json.loads(machines.ended(execution)["output"]) for execution in executions}
    assert results == set(range(1, 101))


SUM = {"Type": "Pass", "Output": "{% $states.input.n + 1 %}", "End": True}


def test_a_reset_ends_what_runs():
    backend: Any = stepfunctions_parser_backends[local.ACCOUNT]["eu-west-1"]  # nobody else's
    definition = json.dumps({"StartAt": "Wait", "States": SLEEP})
    machine = backend.create_state_machine(name="reset", definition=definition, roleArn=ROLE)
    execution = backend.start_execution(machine.arn)
    backend.reset()
    assert execution.ended.wait(30)


# --- events ---------------------------------------------------------------------------------------


def test_every_status_change_is_an_event(aws, machines):
    machine = machines.create({"A": {"Type": "Fail", "Error": "E", "Cause": "C"}})
    name = machine.rsplit(":", 1)[1]
    sqs, events = aws.client("sqs"), aws.client("events")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    events.put_rule(
        Name=name,
        EventPattern=json.dumps(
            {"source": ["aws.states"], "detail": {"stateMachineArn": [machine]}}
        ),
    )
    queue = f"arn:aws:sqs:us-east-1:123456789012:{name}"
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": queue}])
    execution = machines.ended(machines.start(machine, {"n": 1}))
    received: dict[str, dict[str, Any]] = {}

    def both() -> bool:
        for message in sqs.receive_message(QueueUrl=url).get("Messages", []):
            event = json.loads(message["Body"])
            received[event["detail"]["status"]] = event
        return len(received) == 2

    wait_for(both, "both events")
    running, failed = received["RUNNING"], received["FAILED"]
    assert running["detail-type"] == "Step Functions Execution Status Change"
    assert running["resources"] == [execution["executionArn"]]
    assert running["detail"]["stopDate"] is None
    assert failed["detail"] == {
        "executionArn": execution["executionArn"],
        "stateMachineArn": machine,
        "name": execution["name"],
        "status": "FAILED",
        "startDate": int(execution["startDate"].timestamp() * 1000),
        "stopDate": failed["detail"]["stopDate"],
        "input": '{"n": 1}',
        "inputDetails": {"included": True},
        "output": None,
        "outputDetails": None,
        "error": "E",
        "cause": "C",
        "redriveCount": 0,
    }


# --- child executions -----------------------------------------------------------------------------


def test_a_child_gives_its_output_as_json(machines):
    machine = machines.create({"A": {"Type": "Pass", "Output": {"n": 1}, "End": True}})
    output = machines.output({"Child": child(machine)}, {"for": "child"})
    assert output["Status"] == "SUCCEEDED"
    assert output["Output"] == {"n": 1}
    assert output["Input"] == {"for": "child"}
    assert output["OutputDetails"] == {"Included": True}
    assert isinstance(output["StartDate"], int)


def test_a_failed_child_fails_the_task_with_its_description_as_the_cause(machines):
    machine = machines.create({"A": {"Type": "Fail", "Error": "E", "Cause": 'because "x"'}})
    caught = {"ErrorEquals": ["States.TaskFailed"], "Next": "Caught", "Output": "{% $error %}"}
    caught["Output"] = (
        "{% {'error': $states.errorOutput.Error, 'cause': $parse($states.errorOutput.Cause)} %}"
    )
    states = {"Child": child(machine, Catch=[caught]), "Caught": {"Type": "Succeed"}}
    output = machines.output(states, {"n": 1})
    assert output["error"] == "States.TaskFailed"
    cause = output["cause"]
    assert (cause["Status"], cause["Error"], cause["Cause"]) == ("FAILED", "E", 'because "x"')
    assert (cause["Input"], cause["StateMachineArn"]) == ({"n": 1}, machine)
    assert cause["ExecutionArn"].endswith(cause["Name"])


@pytest.mark.parametrize("end", ["ABORTED", "TIMED_OUT"])
def test_a_child_that_was_ended_from_outside_fails_the_task(machines, end):
    limit = {"TimeoutSeconds": 1} if end == "TIMED_OUT" else {}
    machine = machines.create(SLEEP, **limit)
    parent = machines.start(machines.create({"Child": child(machine)}))
    if end == "ABORTED":
        [execution] = wait_for(
            lambda: machines.client.list_executions(stateMachineArn=machine)["executions"],
            "the child",
        )
        machines.client.stop_execution(executionArn=execution["executionArn"], cause="enough")
    described = machines.ended(parent)
    assert (described["status"], described["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(described["cause"])["Status"] == end


def test_the_child_is_stopped_with_its_parent(machines):
    machine = machines.create(SLEEP)
    parent = machines.start(machines.create({"Child": child(machine)}))
    [execution] = wait_for(
        lambda: machines.client.list_executions(stateMachineArn=machine)["executions"], "the child"
    )
    machines.client.stop_execution(executionArn=parent)
    assert machines.ended(execution["executionArn"])["status"] == "ABORTED"


def test_a_failed_iteration_ends_the_others_and_their_children(machines):
    machine = machines.create(
        {
            "Which": {
                "Type": "Choice",
                "Choices": [{"Condition": "{% $states.input = 0 %}", "Next": "Fail"}],
                "Default": "Wait",
            },
            "Fail": {"Type": "Fail", "Error": "First"},
            **SLEEP,
        }
    )
    each = {
        "Type": "Map",
        "Items": [1, 0],
        "ItemProcessor": {"StartAt": "Child", "States": {"Child": child(machine)}},
        "End": True,
    }
    described = machines.run({"Each": each})
    assert (described["status"], described["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(described["cause"])["Error"] == "First"
    wait_for(
        lambda: (
            {"FAILED", "ABORTED"}
            == {
                item["status"]
                for item in machines.client.list_executions(stateMachineArn=machine)["executions"]
            }
        ),
        "the end of the other child",
    )


# --- Lambda ---------------------------------------------------------------------------------------


def test_a_function_gets_its_payload_and_gives_its_result(machines, function):
    name = function(lambda event: {"got": event})
    output = machines.output({"A": invoke(name)}, {"text": "é"})
    assert output["Payload"] == {"got": {"text": "é"}}
    assert output["StatusCode"] == 200


def test_an_error_of_a_function_has_its_type_as_the_name_and_its_body_as_the_cause(
    machines, function
):
    error = {"errorType": "NotReady", "errorMessage": "try later"}
    described = machines.run({"A": invoke(function(lambda _: error))})
    assert described["error"] == "NotReady"
    assert json.loads(described["cause"]) == error


@pytest.mark.parametrize("caught", [False, True])
def test_a_cause_is_cut_at_its_longest(machines, function, caught):
    error = {"errorMessage": "x" * 100_000, "errorType": "X", "stackTrace": []}
    catch = {
        "ErrorEquals": ["States.ALL"],
        "Output": "{% $states.errorOutput %}",
        "Next": "Caught",
    }
    more = {"Catch": [catch]} if caught else {}
    end = {"Caught": {"Type": "Fail", "Error": "E", "Cause": "{% $states.input.Cause %}"}}
    described = machines.run({"Invoke": invoke(function(lambda _: error), **more), **end})
    assert described["cause"] == json.dumps(error, separators=(",", ":"))[:32_768]


# --- the size of data -------------------------------------------------------------------------------

LARGEST = 262_144
CAUGHT = {"ErrorEquals": ["States.ALL"], "Next": "Caught"}


def sized(size: int, letter: str = "x") -> str:
    """A text with this size in JSON."""
    return letter * ((size - 2) // len(letter.encode()))


def test_an_input_may_have_as_many_bytes_as_the_data_of_an_execution(machines):
    machine = machines.create({"A": {"Type": "Pass", "End": True}})
    for letter in ("x", "😀"):
        given = json.dumps(sized(LARGEST, letter), ensure_ascii=False)
        started = machines.client.start_execution(stateMachineArn=machine, input=given)
        assert machines.ended(started["executionArn"])["status"] == "SUCCEEDED"
    code, said = refusal(lambda: machines.start(machine, sized(LARGEST + 1)))
    assert (code, "length less than or equal to 262144" in said) == ("ValidationException", True)


def test_the_payload_of_a_function_is_data_together_with_all_other_arguments(machines, function):
    name = function(lambda _: {})
    around = len(json.dumps({"FunctionName": name, "Payload": ""}, separators=(",", ":"))) - 2
    states = {"A": invoke(name, Output="{% 1 %}", Catch=[CAUGHT]), "Caught": {"Type": "Succeed"}}
    machine = machines.create(states)
    fits = machines.ended(machines.start(machine, sized(LARGEST - around)))
    assert fits["status"] == "SUCCEEDED"
    ended = machines.ended(machines.start(machine, sized(LARGEST - around + 1)))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")


@pytest.mark.parametrize("of", ["a function", "an output", "a pass"])
def test_more_data_than_that_ends_an_execution_whatever_it_catches(machines, function, of):
    name = function(lambda _: {"text": "x" * LARGEST} if of == "a function" else {})
    grown = "{% $states.input & $states.input %}"
    states = {
        "a function": invoke(name, Arguments={"FunctionName": name}, Catch=[CAUGHT]),
        "an output": invoke(name, Arguments={"FunctionName": name}, Output=grown, Catch=[CAUGHT]),
        "a pass": {"Type": "Pass", "Output": grown, "End": True},
    }
    caught = {} if of == "a pass" else {"Caught": {"Type": "Succeed"}}
    ended = machines.run({"A": states[of], **caught}, sized(LARGEST // 2 + 9))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")


def test_a_function_that_does_not_exist_is_an_error_of_lambda(machines):
    described = machines.run({"A": invoke("nowhere")})
    assert described["error"] == "Lambda.ResourceNotFoundException"


@pytest.fixture
def waiting(machines, function):
    """An execution that waits for its task's token, and the token."""
    tokens: list[str] = []
    task = {
        "Type": "Task",
        "Resource": f"{LAMBDA}.waitForTaskToken",
        "Arguments": {
            "FunctionName": function(lambda event: tokens.append(event["token"])),
            "Payload": {"token": "{% $states.context.Task.Token %}"},
        },
        "End": True,
    }
    execution = machines.start(machines.create({"A": task}))
    return execution, wait_for(lambda: tokens, "the token")[0]


def test_a_task_that_waits_for_its_token_ends_with_what_comes_with_it(machines, waiting):
    execution, token = waiting
    machines.client.send_task_success(taskToken=token, output='{"ok": true}')
    assert json.loads(machines.ended(execution)["output"]) == {"ok": True}


def test_a_failure_that_comes_with_the_token_keeps_its_cause(machines, waiting):
    execution, token = waiting
    machines.client.send_task_failure(taskToken=token, error="Refused", cause="not today")
    described = machines.ended(execution)
    assert (described["error"], described["cause"]) == ("Refused", "not today")


def test_a_function_of_another_region_is_out_of_reach(machines):
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:f"
    described = machines.run({"A": {"Type": "Task", "Resource": arn, "End": True}})
    assert described["status"] == "FAILED"
    assert "a task in the Region eu-west-1" in described["cause"]


# --- errors, retries, time ------------------------------------------------------------------------


def test_a_retry_tries_again_until_it_succeeds(machines, function):
    answers = [{"errorType": "Busy"}, {"errorType": "Busy"}, "done"]
    retry = {
        "ErrorEquals": ["Busy"],
        "IntervalSeconds": 1,
        "MaxDelaySeconds": 1,
        "BackoffRate": 2,
        "MaxAttempts": 2,
        "JitterStrategy": "FULL",
    }
    name = function(lambda _: answers.pop(0))
    output = machines.output(
        {"A": invoke(name, Retry=[retry], Output="{% $states.result.Payload %}")}
    )
    assert output == "done"


def test_exhausted_retries_are_caught_with_the_error_and_the_variables(machines, function):
    caught = {
        "ErrorEquals": ["States.ALL"],
        "Next": "B",
        "Assign": {"error": "{% $states.errorOutput.Error %}"},
        "Output": {
            "cause": "{% $parse($states.errorOutput.Cause).errorMessage %}",
            "was": "{% $n %}",
        },
    }
    error = {"errorType": "Broken", "errorMessage": 'a "quoted" word'}
    retry = {"ErrorEquals": ["Broken"], "MaxAttempts": 0}
    show = {"Type": "Pass", "Output": "{% $merge([$states.input, {'error': $error}]) %}"}
    output = machines.output(
        {
            "Set": {"Type": "Pass", "Assign": {"n": 1}, "Next": "A"},
            "A": invoke(function(lambda _: error), Retry=[retry], Catch=[caught]),
            "B": {**show, "End": True},
        }
    )
    assert output == {"cause": 'a "quoted" word', "was": 1, "error": "Broken"}


def test_an_output_that_cannot_be_evaluated_can_be_caught(machines, function):
    name = function(lambda _: {})
    task = invoke(
        name,
        Assign={"n": 2},
        Output="{% $states.result.Payload.missing %}",
        Catch=[{"ErrorEquals": ["States.QueryEvaluationError"], "Next": "B"}],
    )
    output = machines.output(
        {
            "Set": {"Type": "Pass", "Assign": {"n": 1}, "Next": "A"},
            "A": task,
            "B": {"Type": "Pass", "Output": "{% [$n, $states.input.Error] %}", "End": True},
        }
    )
    assert output == [1, "States.QueryEvaluationError"], "a failed state assigns nothing"


def test_states_all_does_not_catch_a_runtime_error(machines):
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:ecs:describeServices",
        "Arguments": "{% {'Nonsense': 1} %}",
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}],
        "End": True,
    }
    described = machines.run({"A": task, "B": {"Type": "Succeed"}})
    assert (described["status"], described["error"]) == ("FAILED", "States.Runtime")
    assert "Nonsense" in described["cause"]


def test_a_task_that_takes_too_long_times_out_and_says_nothing_later(machines, function):
    release = threading.Event()
    answered = threading.Event()

    def answer(_event: Any) -> str:
        release.wait(30)
        answered.set()
        return "late"

    caught = {"ErrorEquals": ["States.Timeout"], "Next": "Wait"}
    states = {"A": invoke(function(answer), TimeoutSeconds=1, Catch=[caught]), **SLEEP}
    execution = machines.start(machines.create(states))
    wait_for(lambda: machines.entered(execution, "Wait"), "the timeout")
    release.set()
    assert answered.wait(30)
    machines.client.stop_execution(executionArn=execution)
    types = [event["type"] for event in machines.history(execution)]
    assert "TaskTimedOut" in types
    assert "TaskSucceeded" not in types


def test_a_state_machine_that_takes_too_long_times_out(machines):
    described = machines.run(SLEEP, TimeoutSeconds=1)
    assert (described["status"], described["error"]) == ("TIMED_OUT", "States.Timeout")
    assert described["stopDate"] > described["startDate"]
    assert machines.history(described["executionArn"])[-1]["type"] == "ExecutionTimedOut"
    [listed] = machines.client.list_executions(stateMachineArn=described["stateMachineArn"])[
        "executions"
    ]
    assert listed["stopDate"] == described["stopDate"]


def test_a_wait_takes_its_seconds_from_an_expression_even_zero_seconds(machines):
    wait = {"Type": "Wait", "Seconds": "{% $states.input.seconds %}", "End": True}
    described = machines.run({"A": wait}, {"seconds": 1})
    assert (described["stopDate"] - described["startDate"]).total_seconds() >= 1
    assert machines.run({"A": wait}, {"seconds": 0})["status"] == "SUCCEEDED"


def test_a_wait_until_a_time_that_has_passed_is_over(machines):
    wait = {"Type": "Wait", "Timestamp": "{% $states.input %}", "End": True}
    for moment in ("2020-01-01T01:00:00+01:00", "2020-01-01T00:00:00.5Z"):
        assert machines.run({"A": wait}, moment)["status"] == "SUCCEEDED"


def test_a_choice_without_a_match_fails(machines):
    never = {"Type": "Choice", "Choices": [{"Condition": "{% false %}", "Next": "B"}]}
    described = machines.run({"A": never, "B": {"Type": "Succeed"}})
    assert described["error"] == "States.NoChoiceMatched"


def test_a_rule_of_a_choice_that_leads_where_the_default_leads_is_still_the_rule(machines):
    choice = {
        "Type": "Choice",
        "Choices": [{"Condition": "{% $states.input = 1 %}", "Next": "B", "Output": "rule"}],
        "Default": "B",
        "Output": "default",
    }
    states = {"A": choice, "B": {"Type": "Succeed"}}
    assert machines.output(states, 1) == "rule"
    assert machines.output(states, 2) == "default"


def test_a_map_works_on_so_many_items_at_once(machines, function):
    lock = threading.Lock()
    running: set[int] = set()
    most: list[int] = []

    def answer(event: dict[str, Any]) -> int:
        with lock:
            running.add(event["n"])
            most.append(len(running))
        threading.Event().wait(0.05)
        with lock:
            running.remove(event["n"])
        return int(event["n"]) * 2

    name = function(answer)
    work = invoke(name, Output="{% $states.result.Payload %}")
    payload = {"n": "{% $states.context.Map.Item.Value %}"}
    work["Arguments"] = {"FunctionName": name, "Payload": payload}
    each = {
        "Type": "Map",
        "Items": "{% $states.input.items %}",
        "MaxConcurrency": 2,
        "ItemProcessor": {"StartAt": "Work", "States": {"Work": work}},
        "End": True,
    }
    assert machines.output({"Each": each}, {"items": [1, 2, 3, 4, 5]}) == [2, 4, 6, 8, 10]
    assert max(most) == 2
    assert machines.output({"Each": each}, {"items": []}) == []


def test_the_branches_of_a_parallel_get_its_arguments_and_keep_their_variables(machines):
    def branch(name: str) -> dict[str, Any]:
        assign = {"Type": "Pass", "Assign": {"own": name}, "Next": "Show"}
        show = {"Type": "Pass", "Output": "{% [$states.input.n, $own, $outer] %}", "End": True}
        return {"StartAt": "Set", "States": {"Set": assign, "Show": show}}

    output = machines.output(
        {
            "Outer": {"Type": "Pass", "Assign": {"outer": "o"}, "Next": "Both"},
            "Both": {
                "Type": "Parallel",
                "Arguments": {"n": "{% $states.input.n + 1 %}"},
                "Branches": [branch("a"), branch("b")],
                "Assign": {"first": "{% $states.result[0] %}"},
                "Output": {"results": "{% $states.result %}", "n": "{% $states.input.n %}"},
                "Next": "Last",
            },
            "Last": {
                "Type": "Pass",
                "Output": "{% $merge([$states.input, {'first': $first}]) %}",
                "End": True,
            },
        },
        {"n": 1},
    )
    assert output == {"results": [[2, "a", "o"], [2, "b", "o"]], "n": 1, "first": [2, "a", "o"]}


# --- the AWS SDK ----------------------------------------------------------------------------------


def sdk(action: str, **arguments: Any) -> dict[str, Any]:
    resource = f"arn:aws:states:::aws-sdk:{action}"
    return {"Type": "Task", "Resource": resource, "Arguments": arguments, "End": True}


def test_an_sdk_action_takes_and_gives_pascal_case_at_every_depth(aws, machines):
    output = machines.output(
        {
            "A": sdk(
                "ecs:registerTaskDefinition",
                Family="sdk",
                ContainerDefinitions=[
                    {
                        "Name": "app",
                        "Image": "{% $states.input.image %}",
                        "Memory": 128,
                        "DockerLabels": {"someKey": "v"},
                        "PortMappings": [{"ContainerPort": 80}],
                    }
                ],
            )
        },
        {"image": "app:1"},
    )
    definition = output["TaskDefinition"]
    [container] = definition["ContainerDefinitions"]
    assert container["Image"] == "app:1"
    assert container["DockerLabels"] == {"someKey": "v"}
    assert container["PortMappings"][0]["ContainerPort"] == 80
    assert definition["RegisteredAt"].endswith("Z")


@pytest.mark.parametrize(
    ("action", "arguments", "error"),
    [
        (
            "ecs:describeServices",
            {"Cluster": "nowhere", "Services": ["s"]},
            "Ecs.ClusterNotFoundException",
        ),
        (
            "elasticloadbalancingv2:describeTargetHealth",
            {"TargetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/a/b"},
            "ElasticLoadBalancingV2.TargetGroupNotFoundException",
        ),
        (
            "dynamodb:getItem",
            {"TableName": "nowhere", "Key": {"id": {"S": "1"}}},
            "DynamoDb.ResourceNotFoundException",
        ),
        ("ssm:getParameter", {"Name": "nowhere"}, "Ssm.ParameterNotFoundException"),
    ],
)
def test_an_error_of_an_sdk_action_is_named_after_its_service(machines, action, arguments, error):
    described = machines.run({"A": sdk(action, **arguments)})
    assert described["error"] == error
    assert "Status Code: 400" in described["cause"]


def test_a_topic_gets_a_message_that_people_can_read(aws, machines):
    topic = aws.client("sns").create_topic(Name=f"t-{uuid.uuid4()}")["TopicArn"]
    name = topic.rsplit(":", 1)[1]
    url = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    let_sns_send(aws, f"arn:aws:sqs:us-east-1:123456789012:{name}")
    aws.client("sns").subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:us-east-1:123456789012:{name}",
        Attributes={"RawMessageDelivery": "true"},
    )
    publish = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sns:publish",
        "Arguments": {"TopicArn": topic, "Message": {"text": "{% $states.input %}"}},
        "End": True,
    }
    described = machines.run({"A": publish}, "é 🎉")
    assert json.loads(described["output"])["MessageId"]
    history = machines.history(described["executionArn"])
    assert "é 🎉" in history[2]["taskScheduledEventDetails"]["parameters"]
    [message] = wait_for(
        lambda: aws.client("sqs").receive_message(QueueUrl=url).get("Messages"), "the message"
    )
    assert message["Body"] == '{"text":"é 🎉"}'


@pytest.mark.parametrize(
    "state",
    [
        {"Type": "Task", "Resource": "arn:aws:nonsense", "End": True},
        {"Type": "Task", "Resource": "arn:aws:states:::nonsense:do", "End": True},
        {"Type": "Task", "Resource": "arn:aws:states:::codebuild:startBuild.sync", "End": True},
        {"Type": "Task", "Resource": "arn:aws:states:::codebuild:startBuild", "End": True},
        {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ecs:nonsense", "End": True},
        {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:getItem.sync", "End": True},
        sdk("nonsense:do"),
        sdk("elbv2:describeListeners"),
        sdk("ecs:nonsense"),
        sdk("ecs:describeServices", Nonsense=1),
        {**invoke("f"), "Arguments": {"FunctionName": "f", "Nonsense": 1}},
        {"Type": "Nonsense", "End": True},
    ],
    ids=str,
)
def test_a_definition_with_what_does_not_exist_is_refused(machines, state):
    code, _ = refusal(lambda: machines.create({"A": state}))
    assert code == "InvalidDefinition"


def test_a_refused_definition_leaves_its_query_language_to_no_other(machines):
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
    states = {"A": {**task, "Parameters": {"FunctionName": "f", "Payload.$": "$"}}}
    code, _ = refusal(lambda: machines.create(states))
    assert code == "InvalidDefinition"
    machines.create(states, QueryLanguage="JSONPath")
