"""Two answers are the same where only made-up ids and times differ."""

from __future__ import annotations

from typing import Any

import pytest

from tools.samlocal.compare import differences, normalised


def differ(recorded: Any, got: Any) -> list[str]:
    return list(differences(normalised(recorded), normalised(got)))


@pytest.mark.parametrize(
    ("recorded", "got"),
    [
        ("2026-11-26T11:35:03.720000Z", "2027-01-01T00:00:00Z"),
        ("2026-11-26T11:35:03Z", "2026-11-26 11:35:03.1+00:00"),
        ("b597c74a-3977-4ec9-8d60-6da2d0d99a75", "15cca986-5ecf-41f6-84f4-c5eb483a74a7"),
        (
            "ECS deployment ecs-svc/4055011169962135182 completed",
            "ECS deployment ecs-svc/1 completed",
        ),
        ("execution recover-api-0123456789abcdef", "execution recover-api-fedcba9876543210"),
        ("task 0123456789abcdef0123456789abcdef", "task fedcba9876543210fedcba9876543210"),
        (
            "container 0123456789abcdef0123456789abcdef-1683088511",
            "container fedcba9876543210fedcba9876543210-1",
        ),
        (1796052334812, 1796052691739),
        ("baking until 15:07:00 UTC", "baking until 00:00:01 UTC"),
        ("target 10.0.1.17 is unhealthy", "target 10.0.2.4 is unhealthy"),
        ("2 tasks of container app exited", "6 tasks of container app exited"),
        ("exit code 1 (2 tasks, the last one x)", "exit code 1 (4 tasks, the last one x)"),
    ],
)
def test_a_value_that_every_run_makes_up_does_not_count(recorded: Any, got: Any) -> None:
    assert differ({"deep": [{"down": recorded}]}, {"deep": [{"down": got}]}) == []


@pytest.mark.parametrize(
    ("recorded", "got", "difference"),
    [
        ({"a": 1}, {"a": 2}, "answer.a is 2, recorded is 1"),
        ({"a": 1}, {"a": 1.0}, "answer.a is 1.0, recorded is 1"),
        ({"a": True}, {"a": 1}, "answer.a is 1, recorded is True"),
        ({"a": None}, {}, "answer.a is missing, recorded is None"),
        ({}, {"a": None}, "answer.a is None, which is not recorded"),
        ([{"a": "x"}], [{"a": "y"}], "answer[0].a is 'y', recorded is 'x'"),
        ([1], [1, 2], "answer is [1, 2], recorded is [1]"),
        ({"a": 1}, None, "answer is None, recorded is {'a': 1}"),
        # A digest says which image it is, a revision which task definition.
        ("sha256:" + 64 * "a", "sha256:" + 64 * "b", None),
        ("task-definition/api:2", "task-definition/api:3", None),
    ],
)
def test_every_other_difference_of_an_answer_counts(
    recorded: Any, got: Any, difference: str | None
) -> None:
    (line,) = differ(recorded, got)
    assert difference in (None, line)


def test_how_many_tasks_were_stopped_alike_does_not_count() -> None:
    task, other = "stopped (task 0123456789abcdef0123456789abcdef)", f"stopped (task {32 * 'a'})"
    recorded, got = {"evidence": ["0 run", task]}, {"evidence": ["0 run", task, other]}
    assert differ(recorded, got) == []
    assert differ({"released": ["v4"]}, {"released": ["v4", "v4"]}) != [], "what was done does"
    assert differ(["0 run", task], ["0 run"]) != []


def test_the_stack_trace_and_the_request_id_of_an_error_do_not_count() -> None:
    raised = {"errorMessage": "no", "errorType": "InvalidInput"}
    assert (
        differ({**raised, "stackTrace": ["a"]}, {**raised, "stackTrace": [], "requestId": "1"})
        == []
    )
    assert differ({"requestId": "1"}, {"requestId": "2"}) != []


def test_an_exception_is_reported_where_an_answer_was_recorded() -> None:
    raised = {"errorMessage": "no", "errorType": "InvalidInput"}
    assert differ({"verdict": "HEALTHY"}, raised) == [
        "answer.verdict is missing, recorded is 'HEALTHY'",
        "answer.errorMessage is 'no', which is not recorded",
        "answer.errorType is 'InvalidInput', which is not recorded",
    ]
