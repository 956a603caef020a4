"""How far a deployment is, in one line."""

from __future__ import annotations

import pytest

from slipway.health.verdict import Watch, judge
from slipway.notices.notice import Kind, Tasks
from slipway.notices.progress import progress_line, progress_notice
from slipway.redaction import MASK
from tests.support.builders import (
    GROUP_2,
    NOW,
    OTHER,
    SERVICE,
    alarm,
    at,
    claim,
    execution,
    observation,
    recorded,
    service_deployment,
    stopped,
    target,
    task,
    watch,
)

STARTING = observation(
    service_deployment=service_deployment(state="IN_PROGRESS", running=1), running=(task(),)
)
FIRED = alarm("ALARM")


def said(observed, watching: Watch | None = None, seconds: float = 30) -> str:
    watching = watching or watch()
    return progress_line(judge(observed, watching, at(seconds)), watching, observed)


def back(**changes) -> Watch:
    return watch(**changes).model_copy(update={"rolling_back": True})


@pytest.mark.parametrize(
    ("observed", "line"),
    [
        (STARTING, "1 of 2 tasks healthy"),
        (
            observation(running=(task(), task(target("initial", GROUP_2)))),
            "1 of 2 tasks healthy",
        ),
        (
            STARTING.model_copy(update={"stopped": (stopped(),)}),
            "1 of 2 tasks healthy, 1 failed",
        ),
        (
            observation(service_deployment=service_deployment(state="IN_PROGRESS")),
            "2 of 2 tasks healthy; ECS's service deployment is IN_PROGRESS",
        ),
        (
            observation(
                service_deployment=service_deployment(state="IN_PROGRESS"), running=(task(),) * 3
            ),
            "2 of 2 tasks healthy; ECS's service deployment is IN_PROGRESS",
        ),
        (observation(service_deployment=None, running=()), "ECS does not list the deployment"),
        (observation(), "baking until 03:05:30 UTC"),
        (observation(FIRED), "failed: alarm api-5xx went to ALARM: too many 5xx"),
    ],
)
def test_the_progress_line_says_how_far_a_deployment_is(observed, line):
    assert said(observed) == line


def test_the_end_of_the_bake_does_not_move():
    assert said(observation(), watch(healthy_at=at(30)), 45) == "baking until 03:05:30 UTC"


def test_the_progress_line_says_that_a_baking_deployment_is_no_longer_healthy():
    assert said(STARTING, watch(healthy_at=at(30)), 45) == "1 of 2 tasks healthy"


@pytest.mark.parametrize(
    ("observed", "line"),
    [
        (STARTING, "rolling back: 1 of 2 tasks healthy"),
        (observation(), "rolling back: baking until 03:05:30 UTC"),
    ],
)
def test_the_progress_line_of_a_rollback_says_that_it_rolls_back(observed, line):
    assert said(observed, back()) == line


@pytest.mark.parametrize(
    ("observed", "watching", "seconds"),
    [
        (observation(), watch(healthy_at=NOW), 300),
        (observation(), watch(bake_seconds=0), 30),
        (observation(newer=recorded(task_definition=OTHER)), watch(), 30),
        (observation(exists=False), watch(), 30),
        (observation(FIRED), back(), 30),
    ],
    ids=["baked", "nothing to bake", "superseded", "gone", "failed to go back"],
)
def test_the_progress_line_is_empty_where_the_end_follows_at_once(observed, watching, seconds):
    assert said(observed, watching, seconds) == ""


def test_the_notice_is_about_the_deployment():
    judged = judge(STARTING, watch(), at(30)).model_copy(update={"progress": "halfway"})

    notice = progress_notice(claim(), judged, at(30))

    assert (notice.kind, notice.about) == (Kind.PROGRESS, f"{SERVICE}#{claim().deployment}")
    assert (notice.at, notice.title, notice.reason) == (at(30), SERVICE, "halfway")
    assert notice.tasks == Tasks(desired=2, healthy=1)
    assert (notice.service, notice.execution) == (SERVICE, execution())


def test_a_secret_in_a_failure_is_not_shown():
    denied = "CannotPullContainerError: access denied, password=hunter2"
    failed = observation(stopped=(stopped("TaskFailedToStart", denied),))

    assert f"password={MASK}" in said(failed)
    assert "hunter2" not in said(failed)
