"""Alarms on what Lambda and Step Functions report of functions and state machines."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloudwatch import datapoints
from localaws.cloudwatch.cloudwatch import warm_up_anew
from localaws.server import LocalAws
from tests.support.localaws.alarms import put_alarm
from tests.support.localaws.ecs import unique
from tests.support.waiting import wait_for

ROLE = "arn:aws:iam::123456789012:role/any"
CODE = b"def handler(event, context):\n    return 1 / event['by']\n"
MINUTE, HOUR = 60, 3600


@pytest.fixture
def cloudwatch(aws: LocalAws) -> Any:
    return aws.client("cloudwatch")


def on_lambda(cloudwatch: Any, function: str, metric: str, **settings: Any) -> str:
    """An alarm that fires on more than none of these in the last hour."""
    defaults = {
        "Namespace": "AWS/Lambda",
        "MetricName": metric,
        "Dimensions": [{"Name": "FunctionName", "Value": function}],
        "Statistic": "Sum",
        "Period": HOUR,
        "Threshold": 0,
        "TreatMissingData": "notBreaching",
    }
    return put_alarm(cloudwatch, **{**defaults, **settings})


def on_invocations(cloudwatch: Any, function: str, **settings: Any) -> str:
    """An alarm that fires on less than one invocation in a period."""
    missed = {"Threshold": 1, "ComparisonOperator": "LessThanThreshold"}
    treatment = {"TreatMissingData": "breaching"}
    return on_lambda(cloudwatch, function, "Invocations", **{**missed, **treatment, **settings})


def described(cloudwatch: Any, name: str) -> dict[str, Any]:
    [alarm] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return dict(alarm)


def wait_state(cloudwatch: Any, name: str, value: str) -> dict[str, Any]:
    found: dict[str, Any] = wait_for(
        lambda: (alarm := described(cloudwatch, name))["StateValue"] == value and alarm,
        f"{name} in {value}",
    )
    return found


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def report(function: str, metric: str, value: float, seconds_ago: float = 1) -> None:
    datapoints.record("AWS/Lambda", metric, function, value, ago(seconds_ago))


# --- who reports --------------------------------------------------------------------------------------


def test_a_function_reports_its_invocations_its_errors_and_their_duration(
    aws: LocalAws, cloudwatch: Any
) -> None:
    packed, function = io.BytesIO(), unique("divides")
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", CODE)
    role = aws.client("iam").create_role(RoleName=function, AssumeRolePolicyDocument="{}")["Role"]
    aws.client("lambda").create_function(
        FunctionName=function,
        Role=role["Arn"],
        Runtime=f"python3.{sys.version_info.minor}",
        Handler="app.handler",
        Code={"ZipFile": packed.getvalue()},
    )
    errors = on_lambda(cloudwatch, function, "Errors")
    runs = on_lambda(cloudwatch, function, "Invocations", Threshold=1)
    took_time = on_lambda(cloudwatch, function, "Duration", Statistic="Maximum")
    took_an_hour = on_lambda(cloudwatch, function, "Duration", Threshold=1000 * HOUR)
    for name in (errors, runs, took_time, took_an_hour):
        wait_state(cloudwatch, name, "OK")

    aws.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"by": 1}))
    wait_state(cloudwatch, took_time, "ALARM")
    assert described(cloudwatch, errors)["StateValue"] == "OK"
    assert described(cloudwatch, runs)["StateValue"] == "OK"
    aws.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"by": 0}))

    wait_state(cloudwatch, errors, "ALARM")
    wait_state(cloudwatch, runs, "ALARM")
    assert described(cloudwatch, took_an_hour)["StateValue"] == "OK"


@pytest.mark.parametrize(
    ("metric", "top", "stop"),
    [("ExecutionsAborted", {}, True), ("ExecutionsTimedOut", {"TimeoutSeconds": 1}, False)],
)
def test_a_state_machine_reports_how_its_executions_ended(
    aws: LocalAws, cloudwatch: Any, metric: str, top: dict[str, int], stop: bool
) -> None:
    states = aws.client("stepfunctions")
    definition = {
        "StartAt": "Wait",
        "States": {"Wait": {"Type": "Wait", "Seconds": HOUR, "End": True}},
        **top,
    }
    machine = states.create_state_machine(
        name=unique("waits"), definition=json.dumps(definition), roleArn=ROLE
    )["stateMachineArn"]
    dimensions = [{"Name": "StateMachineArn", "Value": machine}]
    alarms = {
        name: on_lambda(
            cloudwatch, "", name, Namespace="AWS/States", Dimensions=dimensions, Period=300
        )
        for name in ("ExecutionsAborted", "ExecutionsTimedOut")
    }
    execution = states.start_execution(stateMachineArn=machine)["executionArn"]
    if stop:
        states.stop_execution(executionArn=execution)

    wait_state(cloudwatch, alarms.pop(metric), "ALARM")
    [other] = alarms.values()
    wait_state(cloudwatch, other, "OK")


# --- how an alarm judges --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statistic", "threshold", "value"),
    [
        ("Sum", 5, "ALARM"),
        ("Sum", 6, "OK"),
        ("Maximum", 3, "ALARM"),
        ("Maximum", 4, "OK"),
        ("Minimum", 1, "ALARM"),
        ("Minimum", 2, "OK"),
        ("Average", 2.9, "ALARM"),
        ("Average", 3, "OK"),
        ("SampleCount", 1, "ALARM"),
        ("SampleCount", 2, "OK"),
    ],
)
def test_an_alarm_takes_the_statistic_of_a_period(
    cloudwatch: Any, statistic: str, threshold: float, value: str
) -> None:
    function = unique("function")
    report(function, "Duration", 2)
    report(function, "Duration", 4, MINUTE)
    settings = {"Statistic": statistic, "Threshold": threshold, "Period": HOUR}
    wait_state(cloudwatch, on_lambda(cloudwatch, function, "Duration", **settings), value)


def test_what_was_reported_before_the_period_does_not_count(cloudwatch: Any) -> None:
    function = unique("function")
    report(function, "Errors", 1, HOUR - MINUTE)
    inside = on_lambda(cloudwatch, function, "Errors", Period=HOUR)
    outside = on_lambda(cloudwatch, function, "Errors", Period=HOUR - 2 * MINUTE)
    alarm = wait_state(cloudwatch, inside, "ALARM")

    assert "[1.0 (" in alarm["StateReason"]
    assert "was greater than the threshold (0.0)" in alarm["StateReason"]
    wait_state(cloudwatch, outside, "OK")


@pytest.mark.parametrize(
    ("minutes_ago", "value"), [(1, "OK"), (8, "OK"), (10, "ALARM")], ids=["now", "earlier", "long"]
)
def test_an_alarm_of_several_periods_fires_when_all_of_them_breach(
    cloudwatch: Any, minutes_ago: int, value: str
) -> None:
    function = unique("function")
    report(function, "Invocations", 1, minutes_ago * MINUTE)
    name = on_invocations(cloudwatch, function, Period=3 * MINUTE, EvaluationPeriods=3)
    wait_state(cloudwatch, name, value)


def test_an_alarm_of_several_periods_may_fire_on_some_of_them(cloudwatch: Any) -> None:
    function = unique("function")
    report(function, "Errors", 1, 90)
    settings = {"Period": MINUTE, "EvaluationPeriods": 3}
    some = on_lambda(cloudwatch, function, "Errors", **settings, DatapointsToAlarm=1)
    more = on_lambda(cloudwatch, function, "Errors", **settings, DatapointsToAlarm=2)

    wait_state(cloudwatch, some, "ALARM")
    wait_state(cloudwatch, more, "OK")


def test_periods_without_data_are_what_the_alarm_says_of_missing_data(cloudwatch: Any) -> None:
    function = unique("function")
    missed = on_invocations(cloudwatch, function, Period=180, EvaluationPeriods=15)
    alarm = wait_state(cloudwatch, missed, "ALARM")

    assert alarm["StateReason"] == (
        "Threshold Crossed: no datapoints were received for 15 periods and 15 missing datapoints were treated"
        " as [Breaching]."
    )
    wait_state(cloudwatch, on_lambda(cloudwatch, function, "Errors"), "OK")


def test_another_functions_datapoints_do_not_count(cloudwatch: Any) -> None:
    function, other = unique("function"), unique("function")
    report(other, "Errors", 1)
    alarms = [on_lambda(cloudwatch, each, "Errors") for each in (other, function)]
    wait_state(cloudwatch, alarms[0], "ALARM")
    wait_state(cloudwatch, alarms[1], "OK")


# --- warming up -----------------------------------------------------------------------------------------


def test_an_alarm_that_warms_up_is_not_evaluated(cloudwatch: Any) -> None:
    function = unique("function")
    warm_up = {
        "WarmUpPeriodDurationInMinutes": 60,
        "OnlyStartEvaluatingAfterWarmUpPeriodEnds": True,
    }
    warming = on_invocations(cloudwatch, function, WarmUpConfiguration=warm_up)
    cold = on_invocations(cloudwatch, function)
    wait_state(cloudwatch, cold, "ALARM")  # by then both were evaluated

    alarm = described(cloudwatch, warming)
    assert alarm["StateValue"] == "INSUFFICIENT_DATA"
    assert alarm["WarmUpConfiguration"] == warm_up


def test_an_alarm_whose_warm_up_is_over_is_evaluated(
    cloudwatch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm_up = {
        "WarmUpPeriodDurationInMinutes": 60,
        "OnlyStartEvaluatingAfterWarmUpPeriodEnds": True,
    }
    name = on_invocations(cloudwatch, unique("function"), WarmUpConfiguration=warm_up)
    an_hour_later = datetime.now(UTC) + timedelta(hours=1)
    monkeypatch.setattr(datapoints, "now", lambda: an_hour_later)

    wait_state(cloudwatch, name, "ALARM")


def test_alarms_of_a_restored_local_aws_warm_up_anew(
    cloudwatch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can have been reported while it was stopped."""
    warm_up = {
        "WarmUpPeriodDurationInMinutes": 60,
        "OnlyStartEvaluatingAfterWarmUpPeriodEnds": True,
    }
    restored = on_invocations(cloudwatch, unique("function"), WarmUpConfiguration=warm_up)
    a_day_later = datetime.now(UTC) + timedelta(days=1)
    monkeypatch.setattr(datapoints, "now", lambda: a_day_later)
    warm_up_anew()
    cold = on_invocations(cloudwatch, unique("function"))
    wait_state(cloudwatch, cold, "ALARM")  # by then both were evaluated

    assert described(cloudwatch, restored)["StateValue"] == "INSUFFICIENT_DATA"


# --- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"TreatMissingData": "missing"},
        {"TreatMissingData": "ignore"},
        {"Unit": "Seconds"},
        {"Dimensions": [{"Name": "Resource", "Value": "function:1"}]},
        {"Dimensions": []},
        {"ComparisonOperator": "GreaterThanUpperThreshold"},
        {"WarmUpConfiguration": {"WarmUpPeriodDurationInMinutes": 5}},
    ],
)
def test_an_alarm_that_could_not_be_judged_is_not_implemented(
    cloudwatch: Any, settings: dict[str, Any]
) -> None:
    with pytest.raises(ClientError, match="NotImplemented"):
        on_lambda(cloudwatch, unique("function"), "Errors", **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"Period": 180, "EvaluationPeriods": 481}, "86400"),
        ({"Period": HOUR, "EvaluationPeriods": 169}, "604800"),
        ({"Period": 90}, "Period"),
        ({"EvaluationPeriods": 2, "DatapointsToAlarm": 3}, "DatapointsToAlarm"),
    ],
)
def test_an_alarm_that_looks_back_further_than_cloudwatch_does_is_refused(
    cloudwatch: Any, settings: dict[str, int], message: str
) -> None:
    with pytest.raises(ClientError, match=f"ValidationError.*{message}"):
        on_lambda(cloudwatch, unique("function"), "Errors", **settings)


@pytest.mark.parametrize(
    "settings",
    [{"Period": 180, "EvaluationPeriods": 480}, {"Period": HOUR, "EvaluationPeriods": 168}],
)
def test_an_alarm_may_look_back_a_day_or_with_hours_a_week(
    cloudwatch: Any, settings: dict[str, int]
) -> None:
    wait_state(cloudwatch, on_lambda(cloudwatch, unique("function"), "Errors", **settings), "OK")
