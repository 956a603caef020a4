"""The longest deployment and the longest release that a plan allows still come to an end of their own."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from slipway.release.plan import Policy, Route
from tests.support import definitions
from tests.support.definitions import MACHINES, template
from tests.support.machines import Machines
from tests.support.step_answers import deployment, healthy, pending

HISTORY_EVENTS = 25_000  # of one execution: Step Functions' quota


def most(model: type[Any], field: str) -> int:
    """The most that a model allows for a field."""
    constraints = model.model_fields[field].metadata
    return next(
        v for c in constraints for v in (getattr(c, n, None) for n in ("le", "max_length")) if v
    )


def longest_seconds(timeout: int, bake: int) -> int:
    """Begun and healthy at the last moment, unhealthy while it bakes and again up to the last, then back."""
    return timeout + timeout + (bake + timeout if bake else 0) + timeout


LONGEST = longest_seconds(most(Policy, "timeout_seconds"), most(Policy, "bake_seconds"))


def test_the_longest_deployment_is_over_before_its_machines_timeout() -> None:
    finish = MACHINES["deployment"]["States"]["FinishDeployment"]
    tries = finish["Retry"][0]["MaxAttempts"] + 1
    a_try = finish["TimeoutSeconds"] + finish["Retry"][0]["MaxDelaySeconds"]
    assert MACHINES["deployment"]["TimeoutSeconds"] > LONGEST + tries * a_try


def test_a_release_waits_longer_for_a_deployment_than_that_may_take() -> None:
    stage = MACHINES["release"]["States"]["DeployStage"]["ItemProcessor"]
    allowed = MACHINES["deployment"]["TimeoutSeconds"]
    assert stage["States"]["DeployService"]["TimeoutSeconds"] > allowed


def test_the_longest_release_is_over_before_its_machines_timeout() -> None:
    stage = MACHINES["release"]["States"]["DeployStage"]["ItemProcessor"]
    waits = stage["States"]["DeployService"]["TimeoutSeconds"]
    assert MACHINES["release"]["TimeoutSeconds"] > most(Route, "stages") * waits


def test_a_rollback_waits_longer_for_its_deployment_than_that_may_take() -> None:
    waits = MACHINES["rollback"]["States"]["RollBackService"]["TimeoutSeconds"]
    assert waits > MACHINES["deployment"]["TimeoutSeconds"]


def test_the_longest_rollback_is_over_before_its_machines_timeout() -> None:
    states = MACHINES["rollback"]["States"]
    resolve = states["ResolveRollback"]
    tries = resolve["Retry"][0]["MaxAttempts"] + 1
    a_try = resolve["TimeoutSeconds"] + resolve["Retry"][0]["MaxDelaySeconds"]
    waits = states["RollBackService"]["TimeoutSeconds"]
    assert MACHINES["rollback"]["TimeoutSeconds"] > tries * a_try + waits


def test_a_step_times_out_only_after_its_function() -> None:
    function = template()["Globals"]["Function"]["Timeout"]
    for machine in MACHINES.values():
        for _, state in definitions.states(machine):
            if state.get("Resource", "").endswith("lambda:invoke"):
                assert state["TimeoutSeconds"] > function


def least_poll(timeout: int, bake: int) -> int:
    """The shortest poll that a plan may have with them."""
    for seconds in range(1, 301):
        try:
            Policy(timeout_seconds=timeout, bake_seconds=bake, poll_seconds=seconds)
        except ValidationError:
            continue
        return seconds
    raise AssertionError("no poll is allowed")


@pytest.mark.parametrize(
    ("timeout", "bake"), [(1, 86_400), (21_600, 0), (21_600, 300), (21_600, 86_400)]
)
def test_the_history_of_the_longest_deployment_stays_within_the_quota(
    machines: Machines, timeout: int, bake: int
) -> None:
    machine = machines.deployment
    checks = [pending(), pending(), pending(), healthy(baked=True)]
    resource_name, longer = (
        len(machine.history(machine.run(deployment(), CheckDeployment=some).arn))
        for some in (checks[2:], checks)
    )
    events_of_a_check = (longer - resource_name) // 2
    count = longest_seconds(timeout, bake) // least_poll(timeout, bake)
    assert count * events_of_a_check < HISTORY_EVENTS
