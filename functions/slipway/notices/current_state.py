"""Reads what the notice of an end has besides the news: what runs now, and the failed container's log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from aws_lambda_powertools import Logger

from slipway.aws import resource_name
from slipway.ecs.service import primary_deployment, read_service
from slipway.ecs.task_definition import read_task_definition
from slipway.model import Model
from slipway.notices.logs import read_log
from slipway.notices.news import News, without_registries
from slipway.notices.notice import ContainerLog, Running, Tasks

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_logs import CloudWatchLogsClient

T = TypeVar("T")

# A call that AWS does not answer takes half a minute with its retries. After one such call, even if it was
# the ledger's, nothing more is read, so that the function still has time to publish within its minute.
PATIENCE_SECONDS = 10


class CurrentState(Model):
    """What was read. A field is None if there was nothing to read, or if it could not be read."""

    running: Running | None = None
    log: ContainerLog | None = None


def read_current_state(
    news: News,
    ecs: ECSClient,
    logs_for: Callable[[str], CloudWatchLogsClient],
    logger: Logger,
    begun: float,
    clock: Callable[[], float] = time.monotonic,
) -> CurrentState:
    """Read what can be read: an error is logged, and what it concerns is left out.

    Args:
        logs_for: makes the client for a region.
        begun: when the function began, in seconds of ``clock``.
    """

    def attempt(what: str, read: Callable[[], T]) -> T | None:
        if clock() - begun > PATIENCE_SECONDS:
            logger.error("there is no time left to read %s", what)
            return None
        try:
            return read()
        except Exception:  # whatever it is, people have to be notified
            logger.exception("can't read %s", what)
            return None

    def running() -> Running | None:
        return _running(news.service, ecs) if news.service else None

    def log() -> ContainerLog | None:
        return read_log(news.failed, ecs, logs_for) if news.failed else None

    if news.kind != "end":
        return CurrentState()
    # The log comes first, because it says why. What runs now, the reader can also look up.
    written = attempt("the log of the failed container", log)
    return CurrentState(log=written, running=attempt("what runs now", running))


def _running(service: str, ecs: ECSClient) -> Running:
    now = primary_deployment(read_service(service, ecs))
    return Running(
        task_definition=resource_name(now["taskDefinition"]),
        images=without_registries(read_task_definition(now["taskDefinition"], ecs).images),
        tasks=Tasks(desired=now["desiredCount"], healthy=now["runningCount"]),
    )
