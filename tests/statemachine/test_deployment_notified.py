"""How a deployment ended is written and notified; that neither can be done does not hide how it ended."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slipway.ecs.rollback import RollBackAction
from slipway.notices.news import News
from tests.support import definitions
from tests.support.builders import NEW, OLD, OLD_DIGEST, SERVICE, URI, image, release
from tests.support.machines import Machine, Machines, Run
from tests.support.step_answers import (
    FAILED,
    GOOD,
    Failure,
    deployment,
    end,
    failed,
    finding,
    healthy,
    pending,
    recorded,
    rolled_back,
    superseded,
)

BAD = failed("two tasks failed")
WELL = healthy(baked=True)
DENIED = Failure("AwsRefused", "denied")
TAKEN = Failure("Superseded", "release shop/api:v3 has claimed service production/api")
RETRIED = definitions.unfilled("deployment")["States"]["FinishDeployment"]["Retry"][0]
TRIES = 1 + RETRIED["MaxAttempts"]


def only_the_rollback_unchecked(event: Any) -> Any:
    return DENIED if event["watch"].get("rolling_back") else BAD


# Every end that people are notified of: its outcome, and the script.
ENDS: dict[str, tuple[str, dict[str, Any]]] = {
    "baked": ("SUCCEEDED", {}),
    "superseded": ("SUPERSEDED", {"CheckDeployment": superseded()}),
    "begin refused": ("FAILED", {"BeginDeployment": DENIED}),
    "rejected": ("REJECTED", {"BeginDeployment": end("REJECTED", "frozen")}),
    "register refused": ("FAILED", {"RegisterTaskDefinition": DENIED}),
    "taken before the update": ("SUPERSEDED", {"UpdateService": TAKEN}),
    "update refused": (
        "FAILED",
        {"UpdateService": DENIED, "RollBack": rolled_back(RollBackAction.NOTHING_CHANGED)},
    ),
    "superseded before the rollback": (
        "SUPERSEDED",
        {"CheckDeployment": BAD, "RollBack": rolled_back(RollBackAction.SUPERSEDED)},
    ),
    "claimed before the rollback": ("SUPERSEDED", {"CheckDeployment": BAD, "RollBack": TAKEN}),
    "superseded during the rollback": ("SUPERSEDED", {"CheckDeployment": [BAD, superseded()]}),
    "rolled back": ("ROLLED_BACK", {"CheckDeployment": [BAD, pending(), WELL]}),
    "rollback failed": ("ROLLBACK_FAILED", {"CheckDeployment": [BAD, failed()]}),
    "rollback refused": ("ROLLBACK_FAILED", {"CheckDeployment": BAD, "RollBack": DENIED}),
    "rollback not observed": ("ROLLBACK_FAILED", {"CheckDeployment": only_the_rollback_unchecked}),
}
NOT_GONE_ON = {"begin refused", "rejected"}


@pytest.fixture
def machine(machines: Machines) -> Machine:
    return machines.deployment


@pytest.fixture(scope="module", params=ENDS)
def ended(request: pytest.FixtureRequest, machines: Machines) -> tuple[str, str, Run]:
    """Each of them: its name, its outcome, and an execution that came to it."""
    outcome, script = ENDS[request.param]
    return request.param, outcome, machines.deployment.run(deployment(), **script)


def notified_of_the_end(run: Run) -> Any:
    """What Notify was given at the end, once."""
    (event,) = [event for event in run.calls["Notify"] if event["kind"] == "end"]
    return event


def test_every_end_is_notified_once_with_all_that_is_known(ended: tuple[str, str, Run]) -> None:
    name, outcome, run = ended
    notified = notified_of_the_end(run)
    of_others = {"release", "repository", "tag", "gates", "stage_number", "stage_count", "services"}
    of_others |= {"stopped_by", "remaining_stages"}
    assert notified.keys() == News.model_fields.keys() - of_others
    assert notified["reason"]
    gone_on = name not in NOT_GONE_ON
    registered = gone_on and name != "register refused"
    known = {
        "outcome": outcome,
        "execution": run.arn,
        "service": SERVICE,
        "stage": "production",
        "image": image().to_json(),
        "started_by": "push",
        "task_definition": NEW if registered else None,
        "rollback_target": OLD if gone_on else None,
        "rollback_target_tag": "v1" if gone_on else None,
        "rollback_target_images": {"api": f"{URI}@{OLD_DIGEST}"} if gone_on else {},
    }
    assert {field: notified[field] for field in known} == known


def test_every_end_is_written_once_before_it_is_notified(ended: tuple[str, str, Run]) -> None:
    name, outcome, run = ended
    written = run.called("FinishDeployment")
    assert written["outcome"] == outcome
    assert (written["claim"] is None) == (name == "begin refused")
    assert (written["rollback_reason"] is not None) == (outcome == "ROLLBACK_FAILED")
    assert run.states[-5:-1] == ["FinishDeployment", "DecideNotify", "Notify", "EndDeployment"]
    notified = notified_of_the_end(run)
    assert notified["claim"]["service"] == SERVICE
    assert written["claim"] in (None, notified["claim"])
    assert notified["evidence"] == written["evidence"]


def test_only_the_start_of_a_deployment_that_goes_on_is_notified(
    ended: tuple[str, str, Run],
) -> None:
    name, _, run = ended
    kinds = [notified["kind"] for notified in run.calls["Notify"]]
    assert kinds == (["end"] if name in NOT_GONE_ON else ["start", "end"])


def test_the_execution_ends_with_the_reason_as_people_read_it(
    ended: tuple[str, str, Run],
) -> None:
    _, outcome, run = ended
    sentence = News.model_validate(notified_of_the_end(run)).sentence
    if outcome in ("SUCCEEDED", "SUPERSEDED"):
        assert (run.status, run.output["outcome"]) == ("SUCCEEDED", outcome)
        assert run.output["reason"] == sentence
    else:
        assert (run.status, run.error, run.cause) == ("FAILED", outcome, sentence)


def test_a_failed_notification_does_not_change_how_a_deployment_ended(
    machine: Machine, ended: tuple[str, str, Run]
) -> None:
    name, _, notified = ended
    _, script = ENDS[name]
    undelivered = machine.run(deployment(), **script, Notify=Failure("AwsRefused", "no such topic"))
    assert (undelivered.status, undelivered.error, undelivered.states) == (
        notified.status,
        notified.error,
        notified.states,
    )
    assert (undelivered.cause, undelivered.output) == (notified.cause, notified.output)


def test_a_deployment_that_could_not_begin_is_notified_with_what_finish_deployment_found(
    machine: Machine,
) -> None:
    manual = release(id="of-jo", started_by="manual start", by="jo")
    given = deployment(release=manual, stage="staging", service="staging/worker")
    run = machine.run(given, BeginDeployment=DENIED)
    assert run.called("FinishDeployment")["deployment"] is None
    notified = run.called("Notify")
    assert notified["claim"]["execution"] == run.arn
    assert (notified["service"], notified["stage"]) == ("staging/worker", "staging")
    assert (notified["image"], notified["started_by"]) == (image().to_json(), "manual start")
    assert notified["by"] == "jo"


def test_the_notice_of_the_end_is_about_the_deployment_that_finish_deployment_answers(
    machine: Machine,
) -> None:
    other = recorded(deployment(stage="staging", service="staging/worker"))
    found = finding("SUPERSEDED", "another release has the service", deployment=other)
    run = machine.run(deployment(), FinishDeployment=found)
    notified = notified_of_the_end(run)
    assert (notified["service"], notified["stage"]) == ("staging/worker", "staging")
    assert run.output["service"] == "staging/worker"


@pytest.mark.parametrize("outcome", ["SUCCEEDED", "NO_CHANGE", "SUPERSEDED"])
def test_a_good_end_that_was_recorded_before_is_kept_though_the_deployment_could_not_begin_again(
    machine: Machine, outcome: str
) -> None:
    recorded_before = finding(outcome, "it was recorded before")
    run = machine.run(deployment(), BeginDeployment=DENIED, FinishDeployment=recorded_before)
    assert (run.status, run.output) == (
        "SUCCEEDED",
        {
            "outcome": outcome,
            "cause": None,
            "reason": "it was recorded before",
            "service": SERVICE,
            "task_definition": None,
            "rollback_target": None,
        },
    )


@pytest.mark.parametrize("finished", [[], [DENIED] * TRIES], ids=["empty ledger", "no ledger"])
def test_a_deployment_of_which_the_ledger_tells_nothing_is_notified_without_a_service(
    machine: Machine, finished: list[Any]
) -> None:
    unknown = {"release": "r-0", "stage": "production", "service": "production/worker"}
    script = {"FinishDeployment": finished} if finished else {}
    run = machine.run(unknown, BeginDeployment=Failure("AwsUnavailable"), **script)
    notified = News.model_validate(run.called("Notify"))
    assert (notified.outcome, notified.service) == ("FAILED", None), "anybody may write an input"
    assert (notified.claim, notified.stage, notified.image) == (None, None, None)
    assert (notified.started_by, notified.by) == (None, None)


@pytest.mark.parametrize("error", ["AwsUnavailable", "AwsRefused", "KeyError", "Superseded"])
def test_the_end_is_written_again_and_again_whatever_the_error(
    machine: Machine, error: str
) -> None:
    tries = [Failure(error)] * (TRIES - 1)
    run = machine.run(deployment(), FinishDeployment=[*tries, GOOD["FinishDeployment"]])
    assert run.output["outcome"] == "SUCCEEDED"
    written = run.calls["FinishDeployment"]
    assert written == [written[0]] * TRIES, "every try is given the same"


def unwritten(machine: Machine, outcome: str) -> Run:
    """An execution that came to this end, and the ledger can't be written."""
    _, script = next((o, s) for o, s in ENDS.values() if o == outcome)
    return machine.run(deployment(), **script, FinishDeployment=[Failure("AwsUnavailable")] * TRIES)


def test_a_success_that_can_not_be_written_fails_so_that_it_is_recovered(machine: Machine) -> None:
    run = unwritten(machine, "SUCCEEDED")
    assert run.states[-4:] == ["FinishDeployment", "Notify", "EndDeployment", "EndedBadly"]
    assert (run.status, run.error, run.cause) == (
        "FAILED",
        "LedgerNotWritten",
        "every task is healthy",
    )
    notified = notified_of_the_end(run)
    assert (notified["outcome"], notified["claim"]) == ("LedgerNotWritten", None)
    assert notified["evidence"] == ["the ledger could not be written: AwsUnavailable"]


@pytest.mark.parametrize("outcome", ["SUPERSEDED", "FAILED", "REJECTED", "ROLLED_BACK"])
def test_an_end_without_success_that_can_not_be_written_keeps_its_outcome(
    machine: Machine, outcome: str
) -> None:
    run = unwritten(machine, outcome)
    assert (run.error or run.output["outcome"]) == outcome
    assert notified_of_the_end(run)["claim"] is None


def test_a_rollback_that_fails_and_can_not_be_written_is_notified_with_both_reasons(
    machine: Machine,
) -> None:
    checks = {"CheckDeployment": Failure("AwsRefused", "denied"), "RollBack": DENIED}
    unwritten = [Failure("AwsUnavailable")] * TRIES
    run = machine.run(deployment(), **checks, FinishDeployment=unwritten)
    assert (run.error, run.cause) == ("ROLLBACK_FAILED", "denied")
    notified = notified_of_the_end(run)
    assert json.loads(notified["evidence"][0])["errorMessage"] == "denied"
    assert notified["evidence"][1:] == ["the ledger could not be written: AwsUnavailable"]


def test_the_notice_of_the_end_names_the_container_that_failed(ended: tuple[str, str, Run]) -> None:
    name, _, run = ended
    failed_tasks = "CheckDeployment" in ENDS[name][1] and name != "superseded"
    assert notified_of_the_end(run)["failed"] == (FAILED.to_json() if failed_tasks else None)


def test_the_notice_of_the_end_names_the_container_of_a_rollback_that_failed(
    machine: Machine,
) -> None:
    run = machine.run(deployment(), UpdateService=DENIED, CheckDeployment=BAD)
    assert notified_of_the_end(run)["failed"] == FAILED.to_json()


def test_each_check_is_given_the_progress_that_was_published_last(machine: Machine) -> None:
    run = machine.run(deployment(), CheckDeployment=[pending(), BAD, pending(), WELL])
    notified = [check["watch"]["progress"] for check in run.calls["CheckDeployment"]]
    assert notified == ["", *(check["progress"] for check in (pending(), BAD, pending()))]
