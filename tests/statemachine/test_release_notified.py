"""What a release notifies of itself: which stage starts, and, if they ask for it, what it ignored."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.notices.news import News
from tests.support.builders import image
from tests.support.machines import Machine, Machines, Run
from tests.support.step_answers import MANUAL, PUSH, Failure, end, failed, ignored, resolution

TWO_STAGES = {"staging": ["staging/api"], "production": ["production/api", "production/worker"]}
NO_PLAN = "repository shop/api has no plan"


@pytest.fixture
def machine(machines: Machines) -> Machine:
    return machines.release


def stages(run: Run) -> list[Any]:
    """What Notify was given about stages."""
    return [notified for notified in run.calls["Notify"] if notified["kind"] == "stage"]


def id_of(run: Run) -> str:
    """The id of what came to no release: names of executions may repeat after 90 days."""
    return f"{run.called('ResolveRelease')['started_at']} {run.arn.rpartition(':')[2]}"


def test_each_of_several_stages_is_notified_before_it_starts(machine: Machine) -> None:
    found = resolution(**TWO_STAGES)
    run = machine.run(PUSH, ResolveRelease=found)
    first, second = stages(run)
    assert first == {
        "kind": "stage",
        "outcome": None,
        "reason": "",
        "execution": run.arn,
        "release": found["release"]["id"],
        "stage": "staging",
        "stage_number": 1,
        "stage_count": 2,
        "services": ["staging/api"],
        "image": image().to_json(),
        "started_by": "push",
        "by": None,
    }
    assert (second["stage"], second["stage_number"]) == ("production", 2)
    assert second["services"] == ["production/api", "production/worker"]
    notified = [state for state in run.states if state in ("NotifyStage", "DeployStage")]
    assert notified == ["NotifyStage", "DeployStage"] * 2


def test_a_single_stage_is_notified_by_its_deployments_only(machine: Machine) -> None:
    run = machine.run(PUSH, ResolveRelease=resolution(production=["production/api"]))
    assert "NotifyStage" not in run.states
    assert stages(run) == []


def test_a_stage_that_does_not_start_is_not_notified(machine: Machine) -> None:
    run = machine.run(PUSH, ResolveRelease=resolution(**TWO_STAGES), CheckDeployment=[failed()] * 2)
    assert [notified["stage"] for notified in stages(run)] == ["staging"]


def test_the_notices_of_stages_name_who_started_the_release(machine: Machine) -> None:
    found = resolution(**TWO_STAGES)
    found["release"] |= {"started_by": "manual start", "by": "jo"}
    run = machine.run(MANUAL, ResolveRelease=found)
    starters = {(notified["started_by"], notified["by"]) for notified in stages(run)}
    assert starters == {("manual start", "jo")}


def test_a_stage_goes_on_where_it_can_not_be_notified(machine: Machine) -> None:
    refused = Failure("AwsRefused", "no such topic")
    run = machine.run(PUSH, ResolveRelease=resolution(**TWO_STAGES), Notify=refused)
    assert run.output["outcome"] == "SUCCEEDED"


@pytest.mark.parametrize("start", [PUSH, MANUAL], ids=["push", "manual start"])
def test_an_ignored_push_is_notified_with_the_reason_if_notify_no_change_is_set(
    machines: Machines, start: dict[str, Any]
) -> None:
    release, _ = machines.notifying_no_change
    run = release.run(start, ResolveRelease=ignored(NO_PLAN))
    assert run.states[-3:] == ["DecideRelease", "NotifyIgnored", "Ignored"]
    assert run.called("Notify") == {
        "kind": "end",
        "outcome": "IGNORED",
        "reason": NO_PLAN,
        "execution": run.arn,
        "release": id_of(run),
        "repository": "shop/api",
        "tag": "v2",
    }
    assert run.output == {"outcome": "IGNORED", "reason": NO_PLAN}


def test_an_ignored_push_ends_ignored_where_it_can_not_be_notified(machines: Machines) -> None:
    release, _ = machines.notifying_no_change
    refused = Failure("AwsRefused", "no such topic")
    run = release.run(PUSH, ResolveRelease=ignored(NO_PLAN), Notify=refused)
    assert run.output == {"outcome": "IGNORED", "reason": NO_PLAN}


def test_a_service_that_ran_the_image_already_is_notified_if_notify_no_change_is_set(
    machines: Machines,
) -> None:
    release, _ = machines.notifying_no_change
    why = "the service runs this image already, and it is good"
    found = resolution(production=["production/api"])
    run = release.run(PUSH, ResolveRelease=found, BeginDeployment=end("NO_CHANGE", why))
    notified = News.model_validate(run.called("Notify"))
    assert (notified.kind, notified.outcome, notified.reason) == ("end", "NO_CHANGE", why)
    assert run.output["outcome"] == "SUCCEEDED"


@pytest.mark.parametrize("forged", [{"detail-type": "x", "id": PUSH["id"]}, PUSH])
def test_no_execution_is_notified_under_the_id_of_an_event_that_was_not_read(
    machine: Machine, forged: dict[str, Any]
) -> None:
    """Whoever sent an event with the same id before would keep the failure of the real one quiet."""
    wrong = Failure("InvalidInput", "the plan is not JSON")
    runs = [machine.run(given, ResolveRelease=wrong) for given in (forged, PUSH)]
    first, second = (News.model_validate(run.called("Notify")) for run in runs)
    assert first.about != second.about
    assert [run.called("Notify")["release"] for run in runs] == [id_of(runs[0]), id_of(runs[1])]
