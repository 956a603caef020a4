"""Stale answers: ECS is eventually consistent, and a fault makes it answer with what was so before.

What a call has changed need not be visible to the next one. With a fault ``stale`` each service is seen as it
was before the latest call that changed it or before its latest deployment ended, each task and each revision
of a task definition in its former status, and what has just been created not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

from localaws.ecs import state
from localaws.faults import stale

ACTIONS = (
    "DescribeServices",
    "ListServices",
    "DescribeTasks",
    "ListTasks",
    "DescribeTaskDefinition",
    "ListTaskDefinitions",
    "ListServiceDeployments",
    "DescribeServiceDeployments",
    "DescribeServiceRevisions",
)


def answer(action: Callable[[dict[str, Any]], Any], params: dict[str, Any]) -> Any:
    """Answer a request, with what was so before if a fault wants it."""
    reading = stale.current_reading()
    if reading is None:
        return deepcopy(action(params))
    with state.seeing(**_before()):
        before = _outcome(action, params)
    now = _outcome(action, params)
    reading.hit = repr(before) != repr(now)  # also of errors, which are equal to themselves only
    if isinstance(before, Exception):
        raise before
    return before


def _outcome(action: Callable[[dict[str, Any]], Any], params: dict[str, Any]) -> Any:
    """What an action answers or raises."""
    try:
        return deepcopy(action(params))
    except Exception as error:  # noqa: BLE001 - it is an answer, which is raised if it is the one wanted
        return error


def _before() -> dict[str, dict[Any, Any]]:
    """The services, tasks and task definitions of the backend as they were before."""
    now = state.backend()
    return {
        "services": _earlier(now.services),
        "tasks": {cluster: _earlier(tasks) for cluster, tasks in now.tasks.items()},
        "task_definitions": {
            family: _earlier(revisions) for family, revisions in now.task_definitions.items()
        },
    }


def _earlier(things: dict[Any, Any]) -> dict[Any, Any]:
    """Those of the services, tasks or revisions that were there before, as they were."""
    found = {key: thing.past.read(partial(_self, thing)) for key, thing in things.items()}
    return {key: thing for key, thing in found.items() if thing is not None}


def _self(thing: Any) -> Any:
    return thing
