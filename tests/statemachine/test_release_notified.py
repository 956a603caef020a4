"""What a release notifies of itself: which stage starts, and, if they ask for it, what it ignored."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.notices.news import News
from tests.support.builders import image
from tests.support.machines import Machine, Machines, Run
from tests.support.scripted_functions import by_service
from tests.support.step_answers import (
    MANUAL,
    PUSH,
    Failure,
    end,
    failed,
    go,
    healthy,
    ignored,
    notified,
    resolution,
    superseded,
)

TWO_STAGES = {"staging": ["staging/api"], "production": ["production/api", "production/worker"]}
THREE_STAGES = {
    "staging": ["staging/api"],
    "canary": ["canary/web"],
    "production": ["production/api", "production/worker"],
}
WELL = healthy(baked=True)
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


def stopped(run: Run) -> list[News]:
    """What Notify was given about the release's end."""
    given = (News.model_validate(notified) for notified in run.calls["Notify"])
    return [news for news in given if news.kind == "end" and news.service is None]


def test_the_stages_that_a_failed_one_keeps_from_starting_are_notified_once(
    machine: Machine,
) -> None:
    found = resolution(**THREE_STAGES)
    run = machine.run(
        PUSH,
        ResolveRelease=found,
        CheckDeployment=by_service(None, api=[WELL], web=[failed("too many 5xx"), WELL]),
    )
    [news] = stopped(run)
    assert (news.outcome, news.cause, news.release) == ("FAILED", None, found["release"]["id"])
    assert (news.stage, news.stage_number, news.stage_count) == ("canary", 2, 3)
    assert [end.model_dump() for end in news.stopped_by] == [
        {"service": "canary/web", "outcome": "ROLLED_BACK", "reason": "too many 5xx"}
    ]
    assert [stage.model_dump() for stage in news.remaining_stages] == [
        {"name": "production", "services": ("production/api", "production/worker")}
    ]
    assert (news.image, news.started_by, news.by) == (image(), "push", None)
    assert run.cause == "canary/web ROLLED_BACK: too many 5xx"


def test_every_deployment_that_stopped_the_release_is_notified(machine: Machine) -> None:
    found = resolution(staging=["staging/api", "staging/web", "staging/worker"], production=["p/a"])
    run = machine.run(
        PUSH,
        ResolveRelease=found,
        CheckDeployment=by_service(
            None, api=[failed("slow"), WELL], web=[superseded()], worker=[WELL]
        ),
    )
    [news] = stopped(run)
    assert news.sentence.split("\n") == [
        "staging/api ROLLED_BACK: slow",
        f"staging/web SUPERSEDED: {superseded()['reason']}",
    ]
    assert [stage.services for stage in news.remaining_stages] == [("p/a",)]


def test_a_release_that_a_person_superseded_before_its_last_stage_is_notified_as_superseded(
    machine: Machine,
) -> None:
    run = machine.run(PUSH, ResolveRelease=resolution(**TWO_STAGES), CheckDeployment=superseded())
    [news] = stopped(run)
    assert (news.outcome, run.output["outcome"]) == ("SUPERSEDED", "SUPERSEDED")
    assert [stage.name for stage in news.remaining_stages] == ["production"]


def test_a_release_whose_service_ran_no_task_is_notified_as_unproven_with_what_remains(
    machine: Machine,
) -> None:
    idle = healthy(baked=True) | {"proven": False, "reason": "no task runs"}
    run = machine.run(PUSH, ResolveRelease=resolution(**TWO_STAGES), CheckDeployment=idle)
    [news] = stopped(run)
    assert (news.outcome, run.output["outcome"]) == ("UNPROVEN", "UNPROVEN")
    assert news.sentence == "staging/api UNPROVEN: no task runs"
    assert [stage.name for stage in news.remaining_stages] == ["production"]


def test_a_single_stage_that_ran_no_task_is_notified_by_its_deployment_only(
    machine: Machine,
) -> None:
    idle = healthy(baked=True) | {"proven": False}
    found = resolution(production=["production/api"])
    run = machine.run(PUSH, ResolveRelease=found, CheckDeployment=idle)
    assert run.states[-2:] == ["DecideNextStage", "Unproven"]
    assert stopped(run) == []


TAKEN = {"cause": "NEWER_RELEASE", "reason": "v3 has claimed staging/api"}


def test_notify_learns_what_a_release_leaves_out_that_a_newer_one_took_over(
    machine: Machine,
) -> None:
    taken = superseded() | TAKEN
    run = machine.run(PUSH, ResolveRelease=resolution(**TWO_STAGES), CheckDeployment=taken)
    assert run.states[-3:] == ["NotifyStopped", "DecideEnd", "Superseded"]
    [news] = stopped(run)
    assert (news.outcome, news.cause) == ("SUPERSEDED", "NEWER_RELEASE")
    assert news.sentence == "staging/api SUPERSEDED: v3 has claimed staging/api"
    assert [stage.name for stage in news.remaining_stages] == ["production"]


def test_a_newer_release_that_took_over_is_no_news_beside_a_failure(machine: Machine) -> None:
    found = resolution(staging=["staging/api", "staging/web"], production=["p/a"])
    checks = by_service(None, api=[failed("slow"), WELL], web=[superseded() | TAKEN])
    run = machine.run(PUSH, ResolveRelease=found, CheckDeployment=checks)
    [news] = stopped(run)
    assert (news.outcome, news.cause) == ("FAILED", None)
    assert news.sentence == "staging/api ROLLED_BACK: slow"


def test_a_newer_release_that_takes_over_the_last_stage_leaves_nothing_out(
    machine: Machine,
) -> None:
    found = resolution(production=["production/api"])
    run = machine.run(PUSH, ResolveRelease=found, CheckDeployment=superseded() | TAKEN)
    assert run.states[-2:] == ["DecideNextStage", "Superseded"]
    assert stopped(run) == []


def test_a_second_delivery_that_finds_its_deployments_made_is_not_notified(
    machine: Machine,
) -> None:
    found = resolution(**TWO_STAGES)
    assert machine.run(PUSH, ResolveRelease=found).output["outcome"] == "SUCCEEDED"
    again = machine.run(PUSH, ResolveRelease=found)
    assert again.output["outcome"] == "SUCCEEDED"
    assert stopped(again) == []


def test_a_release_that_failed_in_its_last_stage_has_no_notice_beside_its_deployments(
    machine: Machine,
) -> None:
    run = machine.run(
        PUSH,
        ResolveRelease=resolution(**TWO_STAGES),
        CheckDeployment=by_service([failed(), WELL], api=[WELL, WELL]),
    )
    assert run.error == "ReleaseFailed"
    assert stopped(run) == []


def test_a_deployment_that_can_not_be_started_is_notified_once_with_the_stages_that_remain(
    machines: Machines,
) -> None:
    gone = machines.deployment.arn + "-gone"
    run = machines.release_but(of=gone).run(PUSH, ResolveRelease=resolution(**TWO_STAGES))
    [news] = stopped(run)
    assert (news.outcome, news.cause) == ("FAILED", "ERROR")
    assert gone in news.sentence
    assert [stage.name for stage in news.remaining_stages] == ["production"]


def test_a_release_that_stopped_ends_as_it_is_where_it_can_not_be_notified(
    machine: Machine,
) -> None:
    refused = Failure("AwsRefused", "no such topic")
    run = machine.run(
        PUSH,
        ResolveRelease=resolution(**TWO_STAGES),
        CheckDeployment=[failed("slow"), WELL],
        Notify=refused,
    )
    assert run.states[-3:] == ["NotifyStopped", "DecideEnd", "Failed"]
    assert run.cause == "staging/api ROLLED_BACK: slow"


def test_a_stopped_release_with_the_longest_reasons_is_notified(machine: Machine) -> None:
    services = [f"staging/s{number}" for number in range(6)]
    found = resolution(staging=services, production=["production/api"])
    checks = {f"s{number}": [failed("\u20ac" * 10_000), WELL] for number in range(6)}
    run = machine.run(
        PUSH, ResolveRelease=found, CheckDeployment=by_service(None, **checks), Notify=notified
    )
    [news] = stopped(run)
    assert len(news.stopped_by) == 6
    assert run.error == "ReleaseFailed"


def test_a_deployment_that_gave_no_reason_is_notified_all_the_same(machine: Machine) -> None:
    run = machine.run(
        PUSH,
        ResolveRelease=resolution(**TWO_STAGES),
        BeginDeployment=end("REJECTED", ""),
    )
    [news] = stopped(run)
    assert news.sentence == "staging/api REJECTED: "


def test_an_execution_without_an_outcome_is_notified_as_one_that_a_recovery_finishes(
    machine: Machine, machines: Machines
) -> None:
    def abort(event: Any) -> Any:
        machines.deployment.client.stop_execution(executionArn=event["execution"], cause="enough")
        return go(event)

    run = machine.run(PUSH, ResolveRelease=resolution(**TWO_STAGES), BeginDeployment=abort)
    [news] = stopped(run)
    assert news.sentence == (
        "staging/api ABORTED: its execution ended without an outcome; a recovery finishes it, and "
        "notifies people"
    )


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
