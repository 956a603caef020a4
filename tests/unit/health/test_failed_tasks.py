"""Whose log may say why a task failed."""

from __future__ import annotations

import pytest

from slipway.health.cause import Cause
from slipway.health.failed_tasks import Failed, cause_of_failure, failed_container, what_happened
from slipway.health.verdict import judge
from tests.support.builders import NEW, alarm, at, exited, observation, stopped, watch

EXITED = "EssentialContainerExited"
SIDECAR = exited(1, "sidecar", essential=False)


def test_the_container_that_failed_is_known_by_its_task_and_its_runtime_id():
    failed = failed_container([stopped(EXITED, "", exited(1, runtime_id="d0c5"))])

    assert failed == Failed(task_definition=NEW, task="s1", container="api", runtime_id="d0c5")


@pytest.mark.parametrize(
    ("containers", "name"),
    {
        "the first one with an exit code": ((exited(0, "init"), exited(1), exited(2, "b")), "api"),
        "one with a reason": ((exited(0, "init"), exited(None, reason="OutOfMemoryError")), "api"),
        "no helper": ((SIDECAR, exited(137)), "api"),
        "the first that had to run, where all ended well": ((exited(0), exited(0, "b")), "api"),
        "none that did not run": ((exited(None, "never"), exited(0)), "api"),
    }.values(),
    ids=str,
)
def test_the_failed_container_is_the_first_that_its_task_failed_with(containers, name):
    failed = failed_container([stopped(EXITED, "", *containers)])

    assert failed is not None
    assert failed.container == name


def test_the_failed_container_is_of_the_last_task_that_failed():
    tasks = [
        stopped(EXITED, "", exited(), task="first"),
        stopped(EXITED, "", exited(), task="last"),
        stopped("ServiceSchedulerInitiated", "Scaling activity", exited(143), task="scaled in"),
        stopped("TaskFailedToStart", "no space", exited(None, reason="no space"), task="unstarted"),
    ]

    failed = failed_container(tasks)

    assert failed is not None
    assert failed.task == "last"


def test_a_container_of_a_task_that_failed_its_health_checks_is_a_failed_container():
    checks = "Task failed ELB health checks in (target-group arn:x)"

    assert failed_container([stopped("ServiceSchedulerInitiated", checks, exited(0))]) is not None


@pytest.mark.parametrize(
    "task",
    [
        stopped("TaskFailedToStart", "CannotPullContainerError: not found", exited(None)),
        stopped("TaskFailedToStart", "no space", exited(None, reason="no space")),
        stopped("UserInitiated", "Task stopped by user", exited(137)),
        stopped(EXITED, "", SIDECAR),
        stopped(EXITED, ""),
    ],
)
def test_a_task_in_which_no_essential_container_failed_has_no_failed_container(task):
    assert failed_container([task]) is None


def test_an_init_container_that_another_one_waited_for_is_the_failed_container():
    init = exited(3, "migrate", essential=False, awaited=True)
    never = exited(None, "api")

    failed = failed_container([stopped("TaskFailedToStart", "dependency failed", never, init)])

    assert failed is not None
    assert failed.container == "migrate"


CHECKS = "Task failed ELB health checks in (target-group api)"
HAPPENED = {
    "1 task of container api exited with code 1": [stopped(EXITED, "", exited())],
    "2 tasks of container api exited with code 1": [
        stopped(EXITED, "one", exited(), task="s1"),
        stopped(EXITED, "other", exited(), exited(0, "web"), task="s2"),
    ],
    "2 tasks of container api exited with code 137 (OutOfMemoryError)": [
        stopped(EXITED, "", exited(137, reason="OutOfMemoryError"))
    ]
    * 2,
    "1 task of container api exited with code 0": [stopped(EXITED, "", exited(0))],
    "2 tasks of container web exited with code 1": [stopped(EXITED, "", SIDECAR, exited(1, "web"))]
    * 2,
    f"2 tasks failed: {CHECKS}; container api, exit code 0": [
        stopped("ServiceSchedulerInitiated", CHECKS, exited(0))
    ]
    * 2,
    "2 tasks failed to start: no space; container api, no space": [
        stopped("TaskFailedToStart", "no space", exited(None, reason="no space"))
    ]
    * 2,
    "2 tasks failed: EssentialContainerExited": [stopped(EXITED)] * 2,
    "2 tasks of container api exited with code 1; 1 task of container api exited with code 3": [
        stopped(EXITED, "", exited()),
        stopped(EXITED, "", exited(3)),
        stopped(EXITED, "", exited()),
    ],
}


@pytest.mark.parametrize(("sentence", "tasks"), HAPPENED.items(), ids=HAPPENED)
def test_the_failure_of_tasks_is_described_in_one_sentence(sentence, tasks):
    assert what_happened(tasks) == sentence


CRASHED = stopped(EXITED, "", exited())


def test_a_failed_deployment_names_the_container_that_failed():
    judged = judge(observation(stopped=(CRASHED, CRASHED)), watch(), at(1))

    assert judged.failed == failed_container([CRASHED])


def test_a_deployment_that_an_alarm_failed_names_the_container_that_failed():
    assert (
        judge(observation(alarm("ALARM"), stopped=(CRASHED,)), watch(), at(30)).failed is not None
    )


def test_a_deployment_that_has_not_failed_names_no_container():
    assert judge(observation(stopped=(CRASHED,)), watch(), at(1)).failed is None


@pytest.mark.parametrize(
    ("task", "cause"),
    {
        "it exited": (stopped(EXITED, "", exited(1)), Cause.IMAGE),
        "it failed its checks": (
            stopped("ServiceSchedulerInitiated", "Task failed ELB health checks in (x)"),
            Cause.IMAGE,
        ),
        "no such image": (
            stopped("TaskFailedToStart", "CannotPullContainerError: image not found"),
            Cause.IMAGE,
        ),
        "no such command": (
            stopped("TaskFailedToStart", "CannotStartContainerError: exec: no such file"),
            Cause.IMAGE,
        ),
        "the registry denies the role": (
            stopped("TaskFailedToStart", "CannotPullContainerError: access denied"),
            Cause.CONFIGURATION,
        ),
        "a secret is missing": (
            stopped("TaskFailedToStart", "ResourceInitializationError: unable to pull secrets"),
            Cause.CONFIGURATION,
        ),
        "no capacity": (
            stopped("TaskFailedToStart", "Capacity is unavailable at this time."),
            Cause.CAPACITY,
        ),
    }.values(),
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_the_image_is_to_blame_only_if_it_was_there_and_did_not_do_its_work(task, cause):
    assert cause_of_failure(task) is cause
