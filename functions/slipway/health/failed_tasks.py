"""Which stopped tasks failed, and which of their containers may have written why. Nothing talks to AWS."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain

from slipway.health.cause import Cause
from slipway.health.stopped_tasks import Container, StoppedTask
from slipway.model import Model
from slipway.reasons import and_more

# Why a pull fails for good, in the words of ECS and of the registries; a pull that timed out or was
# throttled may do better next time. From the error list in the ECS developer guide, "CannotPullContainer
# task errors": https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html
NO_IMAGE = re.compile(
    r"CannotPull\w*Error.*("
    r"not found|manifest unknown|no matching manifest|does not contain descriptor matching platform"
    r"|invalid reference format|does not exist)",
    re.IGNORECASE | re.DOTALL,
)
NOT_ALLOWED = re.compile(
    r"CannotPull\w*Error.*(access denied|accessdenied|not authorized"
    r"|denied:(?! your authorization token has expired)|no basic auth credentials|unauthorized|403 forbidden"
    r")|ResourceInitializationError.*registry auth.*(AccessDenied|not authorized)",
    re.IGNORECASE | re.DOTALL,
)

# The image's own command can't be executed. Other reasons for which a task does not start lie outside of it.
CANNOT_RUN = re.compile(r"CannotStartContainerError|CannotRunContainerError", re.IGNORECASE)
# In tasks and in events of the service. From "Service event messages" in the ECS developer guide:
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
NO_CAPACITY = re.compile(
    r"Capacity is unavailable|unable to place a task|No Container Instances were found|RESOURCE:"
    r"|reached the limit on the number of (vCPUs|tasks)",
    re.IGNORECASE,
)

# ECS stops a task that fails its checks as part of its schedule, and says so only in the reason.
FAILED_CHECKS = re.compile(r"failed (ELB|container) health checks", re.IGNORECASE)
FAILED_CONTAINER_CHECKS = re.compile(r"failed container health checks", re.IGNORECASE)

KINDS = 6
"""How many kinds of failures a sentence names."""
FAILED_TO_START = "TaskFailedToStart"
EXITED = "EssentialContainerExited"
NOT_SAID = "Task failed to start"
"""ECS's ``stoppedReason`` of a task that did not start, if only a container's reason says why."""
STOPPED = (0, 137, 143)
"""Exit codes of a container that ECS stopped: 0 if it handles SIGTERM, 137 if it was killed after its
``stopTimeout``, 143 if it does not handle SIGTERM. They don't tell which container ended first
(https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html)."""


class Failed(Model):
    """A container of a stopped task, which ran and may have written why it failed."""

    task_definition: str
    """ARN of the task definition that the task ran."""
    task: str
    """ID."""
    container: str
    """Name."""
    runtime_id: str = ""
    """What Docker knows it by: the name of its log stream where that has no prefix."""


def has_failed(task: StoppedTask) -> bool:
    """Whether the task failed, and was not just stopped: scaled in, drained, by a person, or by Spot."""
    return task.code in {FAILED_TO_START, EXITED} or bool(FAILED_CHECKS.search(task.reason))


def why_it_never_starts(task: StoppedTask) -> Cause | None:
    """Why no other task of this deployment can ever start either; None where another one may."""
    if _injected_to_blame(task):
        return None
    if _says(NOT_ALLOWED, task):
        return Cause.CONFIGURATION
    return Cause.IMAGE if _says(NO_IMAGE, task) else None


def cause_of_failure(task: StoppedTask) -> Cause:
    """What a failed task failed for. The image is to blame only if it was there, and did not do its work."""
    if _says(NO_CAPACITY, task):
        return Cause.CAPACITY
    if _injected_to_blame(task):
        return Cause.INJECTED
    if _says(NOT_ALLOWED, task):
        return Cause.CONFIGURATION
    if task.code == EXITED:
        # If ECS says of none of the task definition's containers how it ended, another one may be to blame.
        known = any(container.said for container in task.containers)
        return Cause.IMAGE if known or not task.injected else Cause.ECS
    ran = any(container.exit_code is not None for container in task.containers)
    of_image = ran or _says(NO_IMAGE, task) or _says(CANNOT_RUN, task)
    return Cause.IMAGE if of_image or task.code != FAILED_TO_START else Cause.CONFIGURATION


def _injected_to_blame(task: StoppedTask) -> Container | None:
    """The container that AWS added and that ended the task; None if another one did, or nobody knows.

    ECS does not say which container ended first. So an added one is to blame only if none of the task
    definition shows that it failed by itself.
    """
    own = [container for container in task.containers if container.essential or container.awaited]
    if any(_failed_by_itself(container, task) for container in own):
        return None
    return next((added for added in task.injected if _ended(added, task, own)), None)


def _ended(added: Container, task: StoppedTask, own: Sequence[Container]) -> bool:
    """Whether a container that AWS added ended the task, given that no other one failed by itself."""
    failed = bool(added.exit_code or added.reason)
    if task.code == EXITED:
        if not added.reason and added.exit_code in STOPPED and any(c.exit_code == 0 for c in own):
            return False  # the application ended by itself, and its proxy with it
        return failed or (bool(added.said) and not any(c.said for c in own))
    if task.code == FAILED_TO_START:
        if task.reason in ("", NOT_SAID):
            return failed
        return bool(added.reason) and added.reason in task.reason
    checked = any(container.checked for container in own)
    return bool(FAILED_CONTAINER_CHECKS.search(task.reason)) and not checked


def _failed_by_itself(container: Container, task: StoppedTask) -> bool:
    """Whether a container shows that it was not just stopped with its task."""
    if container.reason:
        # The other containers wait until the proxy is healthy. If they wait in vain, their reason names it in
        # brackets (https://github.com/aws/amazon-ecs-agent/pull/3178).
        return not any(f"[{other.name}" in container.reason for other in task.injected)
    return container.exit_code is not None and container.exit_code not in STOPPED


def _says(pattern: re.Pattern[str], task: StoppedTask) -> bool:
    return any(pattern.search(text) for text in _said(task))


def describe(*tasks: StoppedTask) -> str:
    """Stopped tasks that ECS says the same of, in one line: why, and what became of each container."""
    last = tasks[-1]
    which = f"{len(tasks)} tasks, the last one {last.id}" if len(tasks) > 1 else f"task {last.id}"
    return f"{_description(last)} ({which})"


def alike(tasks: Iterable[StoppedTask]) -> list[list[StoppedTask]]:
    """The tasks, with those together that ECS says the same of."""
    groups: dict[str, list[StoppedTask]] = {}
    for task in tasks:
        groups.setdefault(_description(task), []).append(task)
    return list(groups.values())


def what_happened(failed: Iterable[StoppedTask]) -> str:
    """In a sentence: ``2 tasks of container app exited with code 1``; of several kinds, each."""
    kinds = Counter(_failure(task) for task in failed)
    told = [f"{count} task{'s' if count > 1 else ''} {how}" for how, count in kinds.items()]
    return "; ".join(and_more(told, KINDS))


def _failure(task: StoppedTask) -> str:
    """How it failed, as a sentence about tasks goes on."""
    if task.code == FAILED_TO_START:
        return f"failed to start: {_description(task)}"
    if added := _injected_to_blame(task):
        if task.code != EXITED:
            return f"failed the health check of {added.described}"
        return f"ended with {added.said}"
    container = _to_blame(task)
    if container is None or container.exit_code is None or FAILED_CHECKS.search(task.reason):
        return f"failed: {_description(task)}"
    why = f" ({container.reason})" if container.reason else ""
    return f"of container {container.name} exited with code {container.exit_code}{why}"


def _description(task: StoppedTask) -> str:
    return "; ".join(_said(task)) or task.code or "no reason given"


def failed_container(stopped: Sequence[StoppedTask]) -> Failed | None:
    """The container whose log may say why the last task failed; None where none has run.

    Args:
        stopped: in the order in which they stopped.
    """
    for task in reversed(stopped):
        if not has_failed(task) or _injected_to_blame(task):
            continue
        if container := _to_blame(task):
            return Failed(
                task_definition=task.task_definition,
                task=task.id,
                container=container.name,
                runtime_id=container.runtime_id,
            )
    return None


def _to_blame(task: StoppedTask) -> Container | None:
    """The container that ran and that the task failed with; None if none ran.

    It had to run or, if it had to end before another one could start, it ended badly. A task that failed
    its checks may end with exit code 0: then it is the first one that had to run.
    """
    started = task.code != FAILED_TO_START
    ran = [c for c in task.containers if c.exit_code is not None or (started and c.reason)]
    failed = [c for c in ran if c.exit_code or c.reason]
    return next(
        chain(
            (c for c in failed if c.essential),
            (c for c in failed if c.awaited),
            (c for c in ran if c.essential),
        ),
        None,
    )


def _said(task: StoppedTask) -> list[str]:
    added = _injected_to_blame(task)
    containers = (*task.containers, added) if added else task.containers
    return [text for text in (task.reason, *(c.said for c in containers)) if text]
