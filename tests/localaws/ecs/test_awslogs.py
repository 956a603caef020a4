"""What containers write, where the awslogs driver of their task definition puts it."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from localaws.server import LocalAws
from tests.support.localaws.ecs import World, unique
from tests.support.localaws.sns import Recorder


@pytest.fixture
def world(aws: LocalAws) -> World:
    return World(aws)


def awslogs(group: str, **options: str) -> dict[str, Any]:
    named = {f"awslogs-{name.replace('_', '-')}": value for name, value in options.items()}
    given = {"awslogs-group": group, "awslogs-region": "us-east-1", **named}
    return {"logConfiguration": {"logDriver": "awslogs", "options": given}}


def group(world: World) -> str:
    name = unique("/ecs/logs")
    world.aws.client("logs").create_log_group(logGroupName=name)
    return name


def written(world: World, group: str, stream: str) -> list[str]:
    answer = world.aws.client("logs").get_log_events(
        logGroupName=group, logStreamName=stream, startFromHead=True
    )
    return [event["message"] for event in answer["events"]]


def streams(world: World, group: str) -> list[str]:
    answer = world.aws.client("logs").describe_log_streams(logGroupName=group)
    return [stream["logStreamName"] for stream in answer["logStreams"]]


def test_a_container_that_crashes_has_written_its_lines_before(world: World) -> None:
    logged, image = group(world), world.push("crash", log="starting\n\nno database\n")
    world.create(world.definition(image, **awslogs(logged, stream_prefix="task")))
    task = world.stopped(lambda task: task["stopCode"] == "EssentialContainerExited")
    stream = f"task/app/{task['taskArn'].rpartition('/')[2]}"
    assert written(world, logged, stream) == ["starting", "no database"]


def test_a_container_that_goes_on_has_written_too_and_one_without_lines_has_a_stream(
    world: World,
) -> None:
    logged = group(world)
    for image, lines in ((world.push(log="hello"), ["hello"]), (world.push(), [])):
        definition = world.definition(image, **awslogs(logged, stream_prefix="task"))
        if lines:
            world.create(definition)
        else:
            world.update(taskDefinition=definition)
        world.settle()
        [task] = world.tasks()
        stream = f"task/app/{task['taskArn'].rpartition('/')[2]}"
        assert written(world, logged, stream) == lines


def test_without_a_prefix_the_stream_is_called_after_the_container(world: World) -> None:
    logged = group(world)
    world.create(world.definition(world.push(log="hello"), **awslogs(logged)))
    world.settle()
    [task] = world.tasks()
    runtime_id = task["containers"][0]["runtimeId"]
    assert written(world, logged, runtime_id) == ["hello"]


def test_a_task_whose_log_group_is_not_there_does_not_start(world: World) -> None:
    missing = unique("/ecs/none")
    options = awslogs(missing, stream_prefix="task")
    world.create(world.definition(world.push("crash", log="hello"), **options))
    task = world.stopped(lambda task: task["stopCode"] == "TaskFailedToStart")
    assert task["stoppedReason"].startswith("ResourceInitializationError: failed to validate")
    assert "The specified log group does not exist" in task["stoppedReason"]
    [container] = task["containers"]
    assert container["reason"] == task["stoppedReason"]
    assert "exitCode" not in container
    assert "startedAt" not in task
    found = world.aws.client("logs").describe_log_groups(logGroupNamePrefix=missing)
    assert found["logGroups"] == []


def test_the_log_driver_makes_its_log_group_where_create_group_is_true(world: World) -> None:
    made = unique("/ecs/made")
    options = awslogs(made, stream_prefix="task", create_group="true")
    world.create(world.definition(world.push(log="hello"), **options))
    world.settle()
    [stream] = streams(world, made)
    assert written(world, made, stream) == ["hello"]


@pytest.mark.parametrize(
    ("option", "value"),
    [("region", "eu-west-1"), ("multiline_pattern", "^x"), ("datetime_format", "%d")],
)
def test_a_log_option_that_is_not_simulated_fails_the_task(
    world: World, option: str, value: str
) -> None:
    options = awslogs(group(world), stream_prefix="task", **{option: value})
    world.create(world.definition(world.push(), **options))
    task = world.stopped(lambda task: task["stopCode"] == "TaskFailedToStart")
    assert task["stoppedReason"].startswith("localaws: ")
    assert value in task["stoppedReason"] or option.replace("_", "-") in task["stoppedReason"]


def test_a_subscriber_of_the_log_group_gets_the_lines(world: World, tmp_path: Path) -> None:
    logged, function = group(world), Recorder(world.aws, tmp_path)
    function.allow(
        f"arn:aws:logs:us-east-1:123456789012:log-group:{logged}:*", "logs.amazonaws.com"
    )
    world.aws.client("logs").put_subscription_filter(
        logGroupName=logged, filterName="f", filterPattern="", destinationArn=function.arn
    )
    world.create(world.definition(world.push(log="hello"), **awslogs(logged, stream_prefix="task")))
    [event] = function.wait()
    told = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    assert [line["message"] for line in told["logEvents"]] == ["hello"]
    world.settle()


def test_a_log_driver_other_than_awslogs_writes_no_log(world: World) -> None:
    splunk = {"logConfiguration": {"logDriver": "splunk", "options": {}}}
    world.create(world.definition(world.push(log="hello"), **splunk))
    assert world.settle()["runningCount"] == 1
