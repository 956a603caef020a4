"""EventBridge: what rules deliver, what they retry, and what becomes of the rest."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.awslambda.models import LambdaFunction
from moto.events.models import events_backends

from localaws import aws as local
from localaws.events import eventbridge
from localaws.server import LocalAws
from tests.support.localaws.alarms import put_alarm
from tests.support.localaws.bus import QUEUES, Bus
from tests.support.localaws.sns import Recorder, let_sns_send
from tests.support.waiting import wait_for

RUNTIME = f"python3.{sys.version_info.minor}"
ROLE = "arn:aws:iam::123456789012:role/any"


@pytest.fixture
def bus(aws):
    return Bus(aws)


@pytest.fixture
def failing(monkeypatch):
    """Let every delivery to a queue that is not a dead-letter queue fail so many times."""

    def fail(times: float, status: int = 500, code: str = "InternalError") -> list[str]:
        attempts: list[str] = []
        deliver = eventbridge._DELIVERIES["sqs"]

        def refuse(target: dict[str, Any], text: str, delivery: str) -> None:
            attempts.append(delivery)
            if len(attempts) > times:
                deliver(target, text, delivery)
                return
            metadata = {"HTTPStatusCode": status}
            raise ClientError(
                {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": metadata}, "Send"
            )

        monkeypatch.setitem(eventbridge._DELIVERIES, "sqs", refuse)
        monkeypatch.setattr(eventbridge, "_FIRST_PAUSE_SECONDS", 0.001)
        return attempts

    return fail


def test_an_event_starts_an_execution_that_is_named_after_it(aws, bus):
    states = aws.client("stepfunctions")
    definition = {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}
    arn = states.create_state_machine(
        name=bus.name, definition=json.dumps(definition), roleArn=ROLE
    )["stateMachineArn"]
    bus.rule({"Arn": arn, "RoleArn": ROLE})
    event_id = bus.put(text="é")
    [execution] = wait_for(
        lambda: states.list_executions(stateMachineArn=arn)["executions"], "the execution"
    )
    assert execution["name"].startswith(f"{event_id}_")
    described = states.describe_execution(executionArn=execution["executionArn"])
    event = json.loads(described["input"])
    assert event["detail"] == {"text": "é"}
    assert event["id"] == event_id
    assert event["version"] == "0"
    assert event["time"].endswith("Z")
    assert "ingestion-time" not in event


@pytest.fixture
def function(aws, bus, monkeypatch):
    """A function and the events that it was invoked with."""
    invoked: list[Any] = []

    def invoke(_function: Any, event: Any = None) -> tuple[str, bool, str]:
        invoked.append(event)
        return "{}", False, ""

    monkeypatch.setattr(LambdaFunction, "_invoke_lambda", invoke)
    aws.client("iam").create_role(RoleName=bus.name, AssumeRolePolicyDocument="{}")
    with io.BytesIO() as artifact:
        with zipfile.ZipFile(artifact, "w") as archive:
            archive.writestr("app.py", "")
        code = artifact.getvalue()
    arn = aws.client("lambda").create_function(
        FunctionName=bus.name,
        Runtime=RUNTIME,
        Role=f"arn:aws:iam::123456789012:role/{bus.name}",
        Handler="app.handler",
        Code={"ZipFile": code},
    )["FunctionArn"]
    return arn, invoked


def allow_rules(aws: LocalAws, function: str) -> None:
    """Let every rule invoke a function, a version or an alias."""
    aws.client("lambda").add_permission(
        FunctionName=function,
        StatementId="rules",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
    )


def test_an_event_invokes_a_function(aws, bus, function):
    arn, invoked = function
    allow_rules(aws, arn)
    bus.rule({"Arn": arn})
    bus.put(n=1)
    [event] = wait_for(lambda: invoked, "the invocation")
    assert event["detail"] == {"n": 1}


def test_an_event_invokes_an_alias_that_allows_it(aws, bus, function):
    arn, invoked = function
    aws.client("lambda").publish_version(FunctionName=arn)
    alias = aws.client("lambda").create_alias(FunctionName=arn, Name="live", FunctionVersion="1")
    allow_rules(aws, alias["AliasArn"])
    bus.rule({"Arn": alias["AliasArn"]})
    bus.put(n=1)
    [event] = wait_for(lambda: invoked, "the invocation")
    assert event["detail"] == {"n": 1}


def test_an_event_is_not_delivered_to_an_alias_whose_function_alone_allows_it(aws, bus, function):
    arn, invoked = function
    aws.client("lambda").publish_version(FunctionName=arn)
    alias = aws.client("lambda").create_alias(FunctionName=arn, Name="live", FunctionVersion="1")
    allow_rules(aws, arn)
    dead = bus.queue("-dead")
    bus.rule({"Arn": alias["AliasArn"], "DeadLetterConfig": {"Arn": dead}})
    bus.put(n=1)
    letter = bus.received(dead)["MessageAttributes"]
    assert letter["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    assert letter["RETRY_ATTEMPTS"]["StringValue"] == "0"
    assert alias["AliasArn"] in letter["ERROR_MESSAGE"]["StringValue"]
    assert not invoked


def test_an_event_is_published_to_a_topic(aws, bus):
    queue = bus.queue()
    let_sns_send(aws, queue)
    topic = aws.client("sns").create_topic(Name=bus.name)["TopicArn"]
    aws.client("sns").subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=queue,
        Attributes={"RawMessageDelivery": "true"},
    )
    bus.rule({"Arn": topic})
    bus.put(n=1)
    assert json.loads(bus.received(queue)["Body"])["detail"] == {"n": 1}


def test_input_replaces_the_event(bus):
    queue = bus.queue()
    bus.rule({"Arn": queue, "Input": '{"fixed": true}'})
    bus.put(n=1)
    assert bus.received(queue)["Body"] == '{"fixed": true}'


def test_an_input_path_selects_from_the_event(bus):
    queue = bus.queue()
    bus.rule({"Arn": queue, "InputPath": "$.detail"})
    bus.put(n=1)
    assert json.loads(bus.received(queue)["Body"]) == {"n": 1}


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ('{"tag": <tag>, "all": <detail>}', '{"tag": "v\\"1", "all": {"tag": "v\\"1", "n": 1}}'),
        ('{"text": "tag <tag>, <n>"}', '{"text": "tag v\\"1, 1"}'),
        ('"pushed <tag>"', '"pushed v\\"1"'),
        ('{"missing": <missing>}', '{"missing": ""}'),
        ('"from <aws.events.rule-name>"', '"from {rule}"'),
    ],
)
def test_an_input_transformer_fills_its_template(bus, template, result):
    queue = bus.queue()
    paths = {
        "tag": "$.detail.tag",
        "n": "$.detail.n",
        "detail": "$.detail",
        "missing": "$.detail.missing",
    }
    transformer = {"InputPathsMap": paths, "InputTemplate": template}
    bus.rule({"Arn": queue, "InputTransformer": transformer})
    bus.put(tag='v"1', n=1)
    assert bus.received(queue)["Body"] == result.replace("{rule}", bus.name)


def test_a_disabled_rule_delivers_nothing(bus):
    disabled, enabled = bus.queue(), bus.queue("-enabled")
    bus.rule({"Arn": disabled})
    bus.events.disable_rule(Name=bus.name)
    bus.put(n=1)
    bus.events.put_rule(Name=bus.name, EventPattern=json.dumps({"source": [bus.name]}))
    bus.events.put_targets(
        Rule=bus.name, Targets=[{"Id": "0", "Arn": disabled}, {"Id": "1", "Arn": enabled}]
    )
    bus.put(n=2)
    assert json.loads(bus.received(enabled)["Body"])["detail"] == {"n": 2}
    assert json.loads(bus.received(disabled)["Body"])["detail"] == {"n": 2}


def test_a_delivery_that_fails_on_the_targets_side_is_retried(bus, failing):
    attempts = failing(times=3)
    queue = bus.queue()
    bus.rule({"Arn": queue})
    bus.put(n=1)
    assert json.loads(bus.received(queue)["Body"])["detail"] == {"n": 1}
    assert len(attempts) == 4
    assert len(set(attempts)) == 1, "an execution would have one name"


def attributes(message: dict[str, Any]) -> dict[str, str]:
    return {name: item["StringValue"] for name, item in message["MessageAttributes"].items()}


@pytest.mark.parametrize(("status", "code"), [(500, "InternalError"), (429, "ThrottlingException")])
def test_exhausted_retries_end_in_the_dead_letter_queue(bus, failing, status, code):
    failing(times=float("inf"), status=status, code=code)
    target, letters = bus.queue(), bus.queue("-letters")
    arn = bus.rule(
        {
            "Arn": target,
            "RetryPolicy": {"MaximumRetryAttempts": 2},
            "DeadLetterConfig": {"Arn": letters},
        }
    )
    bus.put(n=1)
    letter = bus.received(letters)
    assert json.loads(letter["Body"])["detail"] == {"n": 1}
    said = attributes(letter)
    assert "no" in said.pop("ERROR_MESSAGE")
    assert said == {
        "RULE_ARN": arn,
        "TARGET_ARN": target,
        "ERROR_CODE": "THROTTLING" if status == 429 else "ERROR_FROM_TARGET",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "RETRY_ATTEMPTS": "2",
    }


def test_a_target_that_does_not_exist_is_not_retried(bus):
    letters = bus.queue("-letters")
    machine = f"arn:aws:states:us-east-1:123456789012:stateMachine:{bus.name}"
    bus.rule({"Arn": machine, "RoleArn": ROLE, "DeadLetterConfig": {"Arn": letters}})
    bus.put(n=1)
    said = attributes(bus.received(letters))
    assert said["ERROR_CODE"] == "NO_RESOURCE"
    assert said["RETRY_ATTEMPTS"] == "0"
    assert "EXHAUSTED_RETRY_CONDITION" not in said


def test_without_a_dead_letter_queue_the_loss_is_logged(bus, caplog):
    caplog.set_level(logging.ERROR)
    bus.rule({"Arn": QUEUES + "nowhere"})
    event_id = bus.put(n=1)
    wait_for(lambda: event_id in caplog.text and "is lost" in caplog.text, "the log")


def not_implemented(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as error:
        call()
    assert error.value.response["Error"]["Code"] == "NotImplemented"
    return str(error.value)


def test_a_target_that_nobody_delivers_to_is_refused_when_it_is_put(bus):
    bus.rule()
    arn = "arn:aws:kinesis:us-east-1:123456789012:stream/any"
    message = not_implemented(
        lambda: bus.events.put_targets(Rule=bus.name, Targets=[{"Id": "0", "Arn": arn}])
    )
    assert arn in message


def test_a_pattern_with_an_unknown_filter_is_refused_when_it_is_put(bus):
    with pytest.raises(bus.events.exceptions.InvalidEventPatternException):
        bus.events.put_rule(Name=bus.name, EventPattern='{"source": [{"contains": "x"}]}')


def test_a_pattern_looks_into_an_array_of_objects(bus):
    queue = bus.queue()
    bus.rule({"Arn": queue})
    pattern = {"source": [bus.name], "detail": {"tags": {"key": ["team"]}}}
    bus.events.put_rule(Name=bus.name, EventPattern=json.dumps(pattern))
    bus.put(tags=[{"key": "team"}])
    assert bus.received(queue)


def test_rules_can_be_put_while_an_event_is_matched_with_them(bus):
    bus.rule()
    backend = events_backends[local.ACCOUNT][local.REGION]
    for number, rule in enumerate(backend.event_buses["default"].rules.values()):
        if rule.name == bus.name:
            pattern = json.dumps({"source": [bus.name]})
            backend.put_rule(f"{bus.name}-{number}", event_pattern=pattern)


def test_the_local_services_emit_their_events_here(bus):
    queue = bus.queue()
    bus.rule({"Arn": queue})
    local.emit(bus.name, "Test", {"n": 1}, ["arn:any"])
    event = json.loads(bus.received(queue)["Body"])
    assert (event["detail"], event["resources"]) == ({"n": 1}, ["arn:any"])


def test_a_function_gets_one_event_for_each_execution_that_did_not_succeed(aws, bus, function):
    arn, invoked = function
    allow_rules(aws, arn)
    states = aws.client("stepfunctions")
    waits = {"W": {"Type": "Wait", "Seconds": 3600, "End": True}}
    definitions: dict[str, Any] = {
        "ABORTED": {"StartAt": "W", "States": waits},
        "TIMED_OUT": {"StartAt": "W", "States": waits, "TimeoutSeconds": 1},
        "FAILED": {
            "StartAt": "F",
            "States": {"F": {"Type": "Fail", "Error": "Broken", "Cause": "it is"}},
        },
        "SUCCEEDED": {"StartAt": "S", "States": {"S": {"Type": "Succeed"}}},
    }
    machines = {
        status: states.create_state_machine(
            name=f"{bus.name}-{status}", definition=json.dumps(definition), roleArn=ROLE
        )["stateMachineArn"]
        for status, definition in definitions.items()
    }
    pattern = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {
            "status": ["ABORTED", "TIMED_OUT", "FAILED"],
            "stateMachineArn": list(machines.values()),
        },
    }
    bus.events.put_rule(Name=bus.name, EventPattern=json.dumps(pattern))
    bus.events.put_targets(Rule=bus.name, Targets=[{"Id": "0", "Arn": arn}])
    executions = {
        status: states.start_execution(stateMachineArn=machine, input='{"n": 1}')["executionArn"]
        for status, machine in machines.items()
    }
    for _ in range(2):
        states.stop_execution(executionArn=executions["ABORTED"], error="Stop", cause="by hand")
    wait_for(lambda: len(invoked) == 3, "an invocation for each that did not succeed")
    states.stop_execution(executionArn=executions["TIMED_OUT"])  # it ended before
    last = states.start_execution(stateMachineArn=machines["FAILED"], name="last")["executionArn"]
    wait_for(lambda: invoked[-1]["resources"] == [last], "the invocation for the last one")
    assert len(invoked) == 4
    endings = {
        "ABORTED": ("Stop", "by hand"),
        "TIMED_OUT": ("States.Timeout", None),
        "FAILED": ("Broken", "it is"),
    }
    for event in invoked[:3]:
        status = event["detail"]["status"]
        execution, (error, cause) = executions.pop(status), endings.pop(status)
        described = states.describe_execution(executionArn=execution)
        detail = event.pop("detail")
        assert uuid.UUID(event.pop("id"))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event.pop("time"))
        assert event == {
            "version": "0",
            "detail-type": "Step Functions Execution Status Change",
            "source": "aws.states",
            "account": "123456789012",
            "region": "us-east-1",
            "resources": [execution],
        }
        assert detail == {
            "executionArn": execution,
            "stateMachineArn": machines[status],
            "name": described["name"],
            "status": status,
            "startDate": int(described["startDate"].timestamp() * 1000),
            "stopDate": int(described["stopDate"].timestamp() * 1000),
            "input": '{"n": 1}',
            "inputDetails": {"included": True},
            "output": None,
            "outputDetails": None,
            "error": error,
            "cause": cause,
            "redriveCount": 0,
        }


@pytest.mark.parametrize("by", ["name", "prefix"])
def test_a_function_gets_the_state_changes_of_the_alarms_that_a_rule_names(aws, tmp_path, by):
    stem = f"slipway-{uuid.uuid4().hex[:8]}"
    mine, other = f"{stem}-UndeliveredSlack", f"another-{stem}-UndeliveredSlack"
    function, events = Recorder(aws, tmp_path), aws.client("events")
    names = {"name": [mine, f"{stem}-none"], "prefix": [{"prefix": f"{stem}-"}]}[by]
    pattern = {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {"alarmName": names, "state": {"value": ["ALARM"]}},
    }
    rule = events.put_rule(Name=stem, EventPattern=json.dumps(pattern))["RuleArn"]
    function.allow(rule, "events.amazonaws.com")
    events.put_targets(Rule=stem, Targets=[{"Id": "f", "Arn": function.arn}])
    cloudwatch = aws.client("cloudwatch")
    for alarm in (other, mine):
        put_alarm(cloudwatch, alarm)
        for value in ("ALARM", "OK"):
            cloudwatch.set_alarm_state(AlarmName=alarm, StateValue=value, StateReason="testing")
    put_alarm(cloudwatch, f"{stem}-none")
    cloudwatch.set_alarm_state(AlarmName=f"{stem}-none", StateValue="ALARM", StateReason="last")
    told = {event["detail"]["alarmName"]: event for event in function.wait(2)}
    assert sorted(told) == sorted([mine, f"{stem}-none"])
    event = told[mine]
    assert event["detail-type"] == "CloudWatch Alarm State Change"
    assert (event["source"], event["region"]) == ("aws.cloudwatch", "us-east-1")
    assert event["account"] == "123456789012"
    assert event["resources"] == [f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{mine}"]
    assert event["detail"]["state"]["value"] == "ALARM"
    assert event["detail"]["previousState"]["value"] == "INSUFFICIENT_DATA"
