"""What time does to a verdict: deadline, bake, recovery, and how long to wait."""

from __future__ import annotations

import pytest

from slipway.health.verdict import Verdict, judge
from tests.support.builders import alarm, at, observation, service_deployment, watch

UNHEALTHY = observation(service_deployment=service_deployment(running=1))


@pytest.mark.parametrize(("seconds", "verdict"), [(599, "PENDING"), (600, "FAILED")])
def test_a_deployment_times_out_exactly_at_its_timeout(seconds, verdict):
    assert judge(UNHEALTHY, watch(timeout_seconds=600), at(seconds)).verdict == verdict


def test_a_timeout_says_how_long_it_was_and_what_was_missing():
    judged = judge(UNHEALTHY, watch(timeout_seconds=600), at(600))

    assert judged.reason == "not healthy after 600 seconds: 1 of 2 tasks are running"


def test_a_deployment_that_is_healthy_at_last_has_not_timed_out():
    assert judge(observation(), watch(timeout_seconds=600), at(900)).verdict is Verdict.HEALTHY


def test_the_bake_begins_with_the_first_healthy_check():
    assert judge(observation(), watch(), at(40)).healthy_at == at(40)


def test_a_pending_deployment_does_not_bake():
    assert judge(UNHEALTHY, watch(), at(40)).healthy_at is None


def test_later_checks_do_not_begin_the_bake_anew():
    assert judge(observation(), watch(healthy_at=at(40)), at(90)).healthy_at == at(40)


@pytest.mark.parametrize(("seconds", "baked"), [(339, False), (340, True)])
def test_the_bake_is_over_exactly_after_bake_seconds(seconds, baked):
    judged = judge(observation(), watch(healthy_at=at(40), bake_seconds=300), at(seconds))

    assert (judged.verdict, judged.baked) == (Verdict.HEALTHY, baked)


def test_without_a_bake_the_first_healthy_check_is_the_end():
    assert judge(observation(), watch(bake_seconds=0), at(40)).baked


def test_an_alarm_during_the_bake_fails_the_deployment():
    judged = judge(observation(alarm("ALARM", changed=100)), watch(healthy_at=at(40)), at(110))

    assert (judged.verdict, judged.baked) == (Verdict.FAILED, False)


def test_an_alarm_at_the_end_of_the_bake_comes_before_its_success():
    judged = judge(observation(alarm("ALARM", changed=300)), watch(healthy_at=at(0)), at(300))

    assert (judged.verdict, judged.baked) == (Verdict.FAILED, False)


def test_a_deployment_that_is_unhealthy_during_the_bake_may_recover():
    judged = judge(UNHEALTHY, watch(healthy_at=at(40)), at(100))

    assert (judged.verdict, judged.healthy_at) == (Verdict.PENDING, at(40))


def test_an_unhealthy_deployment_is_not_baked_when_the_bake_is_over():
    judged = judge(UNHEALTHY, watch(healthy_at=at(40), bake_seconds=300), at(340))

    assert (judged.verdict, judged.baked) == (Verdict.PENDING, False)


def test_a_deployment_that_recovered_by_the_end_of_the_bake_is_baked():
    assert judge(observation(), watch(healthy_at=at(40), bake_seconds=300), at(355)).baked


@pytest.mark.parametrize(("seconds", "verdict"), [(939, "PENDING"), (940, "FAILED")])
def test_recovering_has_the_timeout_again_after_the_bake(seconds, verdict):
    watching = watch(healthy_at=at(40), bake_seconds=300, timeout_seconds=600)

    assert judge(UNHEALTHY, watching, at(seconds)).verdict == verdict


def test_a_deployment_that_did_not_recover_says_that_it_was_healthy_once():
    watching = watch(healthy_at=at(40), bake_seconds=300, timeout_seconds=600)

    assert judge(UNHEALTHY, watching, at(940)).reason.startswith("not healthy again after 600")


UNREADABLE = observation(
    alarms_unreadable="Throttling from cloudwatch:DescribeAlarms on alarms a: slow"
)


@pytest.mark.parametrize(
    ("healthy_at", "seconds", "verdict"),
    [
        (None, 599, "PENDING"),
        (None, 600, "FAILED"),
        (40, 340, "PENDING"),
        (40, 939, "PENDING"),
        (40, 940, "FAILED"),
    ],
)
def test_alarms_that_cannot_be_read_fail_a_deployment_only_when_its_time_is_over(
    healthy_at, seconds, verdict
):
    since = None if healthy_at is None else at(healthy_at)
    watching = watch(since, alarms=("a",), bake_seconds=300, timeout_seconds=600)
    judged = judge(UNREADABLE, watching, at(seconds))

    assert (judged.verdict, judged.baked) == (verdict, False)
    assert judged.reason.endswith(f"alarm a can't be read: {UNREADABLE.alarms_unreadable}")


def test_alarms_that_can_be_read_again_let_the_deployment_go_on():
    assert judge(UNREADABLE, watch(alarms=("a",)), at(30)).verdict is Verdict.PENDING
    assert judge(observation(alarm(name="a")), watch(alarms=("a",)), at(45)).healthy_at == at(45)


@pytest.mark.parametrize(
    ("observed", "healthy_at", "now", "wait"),
    [
        (UNHEALTHY, None, 30, 15),
        (observation(), None, 30, 15),
        (observation(), 0, 280, 15),
        (observation(), 0, 290, 11),
        (observation(), 0, 299.5, 1),
        (observation(), 0, 300, 15),
        (UNHEALTHY, 0, 400, 15),
    ],
)
def test_the_next_check_is_after_poll_seconds_or_just_when_the_bake_is_over(
    observed, healthy_at, now, wait
):
    watching = watch(healthy_at=None if healthy_at is None else at(healthy_at), bake_seconds=300)

    assert judge(observed, watching, at(now)).wait_seconds == wait
