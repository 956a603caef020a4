"""What is read before an end is notified, and that nothing of it is in the way of the notice."""

from __future__ import annotations

import logging

import pytest

from slipway import aws
from slipway.health.failed_tasks import Failed
from slipway.notices.current_state import PATIENCE_SECONDS, CurrentState, read_current_state
from slipway.notices.notice import Running, Tasks
from tests.support.builders import NEW, OLD, OLD_DIGEST, URI
from tests.support.container_logs import AWSLOGS
from tests.support.ecs_answers import before, container, defined, described, ecs_deployment
from tests.support.endings import ending, failed_release, stage, start

LOGGER = logging.getLogger("read_current_state")
FAILED = Failed(task_definition=NEW, task="t-1", container="api")
BACK = Running(
    task_definition="shop-api:41",
    images={"api": f"shop/api@{OLD_DIGEST}"},
    tasks=Tasks(desired=2, healthy=1),
)


def observed(news, clock=lambda: 0.0):
    return read_current_state(news, aws.ecs(), aws.logs, LOGGER, 0.0, clock)


def is_back(ecs):
    described(ecs, before(status="PRIMARY", desiredCount=2, runningCount=1))
    defined(ecs, asked=OLD)


def test_the_running_version_is_read_from_the_service(ecs):
    is_back(ecs)

    assert observed(ending("ROLLED_BACK")) == CurrentState(running=BACK)


def test_the_running_version_of_a_service_that_is_changing_is_the_one_that_it_changes_to(ecs):
    described(ecs, before(), ecs_deployment(rolloutState="IN_PROGRESS", runningCount=0))
    defined(ecs, container(image=f"{URI}:v2"), asked=NEW)

    running = observed(ending("ROLLBACK_FAILED")).running

    assert (running.task_definition, running.images) == ("shop-api:42", {"api": "shop/api:v2"})
    assert running.tasks == Tasks(desired=2, healthy=0)


def test_the_log_of_the_failed_container_is_read_first(ecs, logs):
    defined(ecs, container(logConfiguration=AWSLOGS))
    logs.answers(
        "get_log_events",
        {"events": [{"message": "boom", "timestamp": 1}], "nextBackwardToken": "b/1"},
    )
    is_back(ecs)

    state = observed(ending("ROLLED_BACK", failed=FAILED))

    assert (state.log.lines, state.running) == (("boom",), BACK)


@pytest.mark.parametrize("news", [start(), stage(), failed_release()])
def test_the_current_state_is_read_only_for_the_end_of_a_deployment(ecs, news):
    assert observed(news) == CurrentState()


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "ThrottlingException", "ClusterNotFoundException"]
)
def test_a_service_that_can_not_be_read_is_left_out_and_written_to_the_log(ecs, caplog, code):
    ecs.refuses("describe_services", code)

    assert observed(ending("ROLLED_BACK")) == CurrentState()
    assert "can't read what runs now" in caplog.text


def test_an_unexpected_answer_is_left_out(ecs, caplog):
    described(ecs, before(status="PRIMARY"), deployments=[])

    assert observed(ending("ROLLED_BACK")) == CurrentState()
    assert "StopIteration" in caplog.text


def test_the_current_state_is_not_read_where_the_function_has_waited_long_before(ecs):
    assert (
        observed(ending("ROLLED_BACK", failed=FAILED), lambda: PATIENCE_SECONDS + 1.0)
        == CurrentState()
    )


def test_the_running_version_is_not_read_after_a_call_that_took_long(ecs, logs, caplog):
    ecs.refuses("describe_task_definition", "ServerException", status=500)
    times = iter([0.0, PATIENCE_SECONDS + 1.0])

    state = observed(ending("ROLLED_BACK", failed=FAILED), lambda: next(times))

    assert state.running is None
    assert "there is no time left to read what runs now" in caplog.text
