"""The log lines of a container, in the stream of its awslogs log driver.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html

The stream exists from the start of the container on. Its name is ``prefix/container/task id``, or the
container's runtime id if there is no prefix. The log group must exist, unless the driver is told to
create it. Containers with other drivers write no logs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from moto.logs.models import logs_backends

from localaws.aws import ACCOUNT, REGION
from localaws.ecs import events as ecs_events
from localaws.ecs.images import StartError

_ON_FARGATE = "ResourceInitializationError: failed to validate logger args: create stream has been"
_ON_FARGATE += " retried 1 times"
_ON_INSTANCE = "CannotStartContainerError: Error response from daemon: failed to initialize logging"
_ON_INSTANCE += " driver"
# These options combine several lines into one event.
_NOT_SIMULATED = ("awslogs-datetime-format", "awslogs-multiline-pattern")


def start(
    definition: Mapping[str, Any],
    task_id: str,
    runtime_id: str,
    lines: Sequence[str],
    *,
    on_instance: bool,
) -> None:
    """Open the stream of a container and write its lines. Raises StartError if that stops the
    task.
    """
    configuration = definition.get("logConfiguration") or {}
    if configuration.get("logDriver") != "awslogs":
        return
    options = configuration.get("options") or {}
    for option in _NOT_SIMULATED:
        if option in options:
            raise StartError(f"localaws: the log option {option} is not simulated")
    if (region := options.get("awslogs-region", REGION)) != REGION:
        raise StartError(f"localaws: awslogs-region {region}: there is {REGION} only")
    group, prefix = options.get("awslogs-group", ""), options.get("awslogs-stream-prefix")
    logs = logs_backends[ACCOUNT][REGION]
    if options.get("awslogs-create-group") == "true" and group:
        logs.ensure_log_group(group)
    if group not in logs.groups:
        raise StartError(
            f"{_ON_INSTANCE if on_instance else _ON_FARGATE}: failed to create Cloudwatch log stream:"
            " ResourceNotFoundException: The specified log group does not exist."
        )
    stream = f"{prefix}/{definition['name']}/{task_id}" if prefix else runtime_id
    logs.ensure_log_stream(group, stream)
    if lines:
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in lines]
        if logs.groups[group].subscription_filters:  # a subscriber may call ECS
            ecs_events.later(lambda: _put(group, stream, events))
        else:  # at once, before a container that crashes has ended
            _put(group, stream, events)


def _put(group: str, stream: str, events: list[dict[str, Any]]) -> None:
    logs_backends[ACCOUNT][REGION].put_log_events(group, stream, events)
