"""How far a deployment is, in one line."""

from __future__ import annotations

import pytest

from slipway.health.verdict import Watch, judge
from slipway.notices.notice import Kind, Tasks
from slipway.notices.progress import progress, progress_notice
from slipway.notices.redaction import MASK
from tests.support.builders import (
    GROUP_2,
    NOW,
    SERVICE,
    THEIRS,
    alarm,
    at,
    execution,
    hold,
    rollout,
    seen,
    stopped,
    target,
    task,
    watch,
)

STARTING = seen(rollout=rollout(state="IN_PROGRESS", running=1), running=(task(),))
FIRED = alarm("ALARM")


def told(look, watching: Watch | None = None, seconds: float = 30) -> str:
    watching = watching or watch()
    return progress(judge(look, watching, at(seconds)), watching, look)


def back(**changes) -> Watch:
    return watch(**changes).model_copy(update={"back": True})


@pytest.mark.parametrize(
    ("look", "line"),
    [
        (STARTING, "1 of 2 tasks healthy"),
        (
            seen(running=(task(), task(target("initial", GROUP_2)))),
            "1 of 2 tasks healthy",
        ),
        (
            STARTING.model_copy(update={"stopped": (stopped(),)}),
            "1 of 2 tasks healthy, 1 failed",
        ),
        (
            seen(rollout=rollout(state="IN_PROGRESS")),
            "2 of 2 tasks healthy; ECS's rollout is IN_PROGRESS",
        ),
        (
            seen(rollout=rollout(state="IN_PROGRESS"), running=(task(),) * 3),
            "2 of 2 tasks healthy; ECS's rollout is IN_PROGRESS",
        ),
        (seen(rollout=None, running=()), "ECS does not list the deployment"),
        (seen(), "baking until 03:05:30 UTC"),
        (seen(FIRED), "failed: alarm api-5xx went to ALARM: too many 5xx"),
    ],
)
def test_people_are_told_how_far_it_is(look, line):
    assert told(look) == line


def test_the_end_of_the_bake_does_not_move():
    assert told(seen(), watch(healthy_at=at(30)), 45) == "baking until 03:05:30 UTC"


def test_one_that_is_no_longer_healthy_while_it_bakes_says_so():
    assert told(STARTING, watch(healthy_at=at(30)), 45) == "1 of 2 tasks healthy"


@pytest.mark.parametrize(
    ("look", "line"),
    [
        (STARTING, "going back: 1 of 2 tasks healthy"),
        (seen(), "going back: baking until 03:05:30 UTC"),
    ],
)
def test_the_way_back_is_told_as_such(look, line):
    assert told(look, back()) == line


@pytest.mark.parametrize(
    ("look", "watching", "seconds"),
    [
        (seen(), watch(healthy_at=NOW), 300),
        (seen(), watch(bake_seconds=0), 30),
        (seen(primary=THEIRS), watch(), 30),
        (seen(exists=False), watch(), 30),
        (seen(FIRED), back(), 30),
    ],
    ids=["baked", "nothing to bake", "superseded", "gone", "failed to go back"],
)
def test_where_the_end_follows_at_once_there_is_nothing_to_tell(look, watching, seconds):
    assert told(look, watching, seconds) == ""


def test_the_notice_is_about_the_deployment():
    judged = judge(STARTING, watch(), at(30)).model_copy(update={"progress": "halfway"})

    notice = progress_notice(hold(), judged, at(30))

    assert (notice.kind, notice.about) == (Kind.PROGRESS, f"{SERVICE}#{hold().deployment}")
    assert (notice.at, notice.title, notice.reason) == (at(30), SERVICE, "halfway")
    assert notice.tasks == Tasks(desired=2, healthy=1)
    assert (notice.service, notice.execution) == (SERVICE, execution())


def test_a_secret_in_what_failed_is_not_told():
    line = "failed: a task can never start: no access with password=hunter2"
    judged = judge(STARTING, watch(), at(30)).model_copy(update={"progress": line})

    assert progress_notice(hold(), judged, at(30)).reason == line.replace("hunter2", MASK)
