"""Alarms that images raise, and alarms that end deployments.

An image with the behaviour `regression` is healthy and raises a CloudWatch alarm. In each round the
alarms that the running tasks should have raised by now are compared with those that are raised.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import partial
from typing import Any

from moto.cloudwatch.exceptions import ResourceNotFound
from moto.cloudwatch.models import cloudwatch_backends

from localaws.aws import ACCOUNT, REGION
from localaws.cloudwatch import cloudwatch
from localaws.ecs import events
from localaws.ecs.state import backend
from localaws.ecs.task import Task


def reflect_regressions(tasks: Iterable[Task], now: float) -> None:
    """Raise the alarms of running regressions that are due, and reset those without such a task."""
    raised: set[str] = vars(backend()).setdefault("raised_alarms", set())  # reset with moto
    due = set()
    for task in tasks:
        for behaviour in task.behaviours:
            if behaviour.kind != "regression" or task.status == "STOPPED":
                continue
            healthy_for = now - task.healthy_since if task.healthy_since is not None else -1.0
            if behaviour.alarm in raised or 0 <= behaviour.alarm_after_seconds <= healthy_for:
                due.add(behaviour.alarm)
    for name in due - raised:
        reason = "localaws: tasks of an image with localaws.behaviour regression are running"
        events.later(partial(_set, name, "ALARM", reason))
    for name in raised - due:
        reason = "localaws: no task of an image with localaws.behaviour regression runs any more"
        events.later(partial(_set, name, "OK", reason))
    raised.clear()
    raised.update(due)


def watched(configuration: dict[str, Any]) -> list[str]:
    """The alarms that a deployment which begins now watches.

    There are none if one of them is in ALARM already. ECS then ignores them all, so that a fix can be
    deployed.
    """
    alarms = configuration.get("alarms", {})
    names = alarms.get("alarmNames", []) if alarms.get("enable") else []
    return [] if in_alarm(names) else names


def in_alarm(names: Iterable[str]) -> list[str]:
    """Those of the alarms that are in ALARM. ECS accepts names of alarms that do not exist."""
    known = cloudwatch_backends[ACCOUNT][REGION].alarms
    found = {name: known.get(name) for name in names}
    return [name for name, alarm in found.items() if alarm and alarm.state_value == "ALARM"]


def _set(name: str, value: str, reason: str) -> None:
    try:
        cloudwatch.set_state(name, value, reason)
    except ResourceNotFound:
        print(f"localaws: there is no alarm {name!r} to set to {value}", file=sys.stderr)  # noqa: T201
