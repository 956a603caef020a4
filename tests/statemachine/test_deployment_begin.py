"""What BeginDeployment decides is followed, and people are notified that a deployment starts."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.deployment.beginning import Decision
from tests.support.builders import OLD, OLD_DIGEST, SERVICE, URI, image, release
from tests.support.machines import Machine, Machines
from tests.support.step_answers import Failure, deciding, deployment, end, go

BEGIN = ["BeginDeployment", "DecideBeginning"]
START = ["NotifyStart", "DecideDirection", "RegisterTaskDefinition"]
NOTIFY = ["FinishDeployment", "DecideNotify", "Notify", "EndDeployment"]


@pytest.fixture
def machine(machines: Machines) -> Machine:
    return machines.deployment


def wait(
    seconds: int, reason: str = "release shop/api:v1 is changing the service right now"
) -> Any:
    return deciding(Decision.WAIT, wait_seconds=seconds, reason=reason)


def test_a_deployment_that_may_begin_notifies_its_start_and_goes_on(
    machine: Machine,
) -> None:
    run = machine.run(deployment())
    assert run.states[:6] == ["AcceptDeployment", *BEGIN, *START]


def test_a_deployment_that_has_to_wait_begins_again_as_long_as_it_has_to(machine: Machine) -> None:
    run = machine.run(deployment(), BeginDeployment=[wait(2), wait(15), go])
    assert run.states[1:9] == [*BEGIN, "WaitToBegin", *BEGIN, "WaitToBegin", *BEGIN]
    assert run.pauses[:2] == [("WaitToBegin", 2), ("WaitToBegin", 15)]
    assert run.output["outcome"] == "SUCCEEDED"
    first, *others = run.calls["BeginDeployment"]
    assert others == [first] * 2, "every try is given the same"


def test_the_reason_of_a_wait_is_forgotten_once_the_deployment_goes_on(machine: Machine) -> None:
    run = machine.run(deployment(), BeginDeployment=[wait(2), go])
    assert run.calls["Notify"][0]["reason"] == ""


def test_an_error_after_a_wait_ends_the_deployment_under_its_own_claim(
    machine: Machine,
) -> None:
    run = machine.run(deployment(), BeginDeployment=[wait(2), Failure("AwsRefused", "denied")])
    assert (run.error, run.cause) == ("FAILED", "denied")
    assert run.called("FinishDeployment")["claim"]["execution"] == run.arn


def test_a_service_that_runs_the_image_and_is_good_is_left_alone_and_nobody_is_notified(
    machine: Machine,
) -> None:
    why = "the service runs this image already, and it is good"
    run = machine.run(deployment(), BeginDeployment=end("NO_CHANGE", why))
    assert run.states[1:] == [*BEGIN, *NOTIFY[:2], "EndDeployment", "EndedWell"]
    assert run.output == {
        "outcome": "NO_CHANGE",
        "cause": None,
        "reason": why,
        "service": SERVICE,
        "task_definition": None,
        "rollback_target": None,
    }
    assert run.calls.keys() == {"BeginDeployment", "FinishDeployment"}


def test_a_deployment_that_may_not_begin_fails_as_rejected_and_is_notified_with_the_evidence(
    machine: Machine,
) -> None:
    rejected = end("REJECTED", "image shop/api:v2 is quarantined", "alarm api-5xx is in ALARM")
    run = machine.run(deployment(), BeginDeployment=rejected)
    assert run.states[1:] == [*BEGIN, *NOTIFY, "EndedBadly"]
    assert (run.status, run.error) == ("FAILED", "REJECTED")
    assert run.cause == "image shop/api:v2 is quarantined"
    notified = run.called("Notify")
    assert (notified["kind"], notified["outcome"]) == ("end", "REJECTED")
    assert notified["evidence"] == ["alarm api-5xx is in ALARM"]
    assert run.called("FinishDeployment")["evidence"] == notified["evidence"]


def test_an_older_release_ends_superseded_without_a_change(machine: Machine) -> None:
    older = end("SUPERSEDED", "release shop/api:v3 was pushed or started later than this one")
    run = machine.run(deployment(), BeginDeployment=older)
    assert run.states[1:] == [*BEGIN, *NOTIFY, "EndedWell"]
    assert run.output["outcome"] == "SUPERSEDED"
    assert not {"RegisterTaskDefinition", "UpdateService", "RollBack"} & run.calls.keys()


def test_a_deployment_that_could_not_begin_in_time_fails_with_nothing_changed(
    machine: Machine,
) -> None:
    late = end("FAILED", "it could not begin within 600 seconds")
    run = machine.run(deployment(), BeginDeployment=[wait(15), late])
    assert (run.error, run.cause) == ("FAILED", "it could not begin within 600 seconds")
    assert not {"RegisterTaskDefinition", "UpdateService", "RollBack"} & run.calls.keys()


def test_the_start_is_notified_with_all_that_is_known_by_then(machine: Machine) -> None:
    images = {"api": f"{URI}@{OLD_DIGEST}"}
    begun = deciding(
        Decision.GO,
        rollback_target=OLD,
        rollback_target_tag="v1",
        rollback_target_images=images,
        gates=["no freeze is in force"],
        alarms_firing=["api-5xx"],
        evidence=["the service ran shop-api:40"],
    )
    run = machine.run(deployment(), BeginDeployment=begun)
    notified = run.calls["Notify"][0]
    assert notified == {
        "kind": "start",
        "outcome": None,
        "claim": run.called("UpdateService")["claim"],
        "reason": "",
        "evidence": ["the service ran shop-api:40"],
        "execution": run.arn,
        "service": SERVICE,
        "stage": "production",
        "image": image().to_json(),
        "started_by": "push",
        "by": None,
        "rollback_target": OLD,
        "rollback_target_tag": "v1",
        "rollback_target_images": images,
        "gates": ["no freeze is in force"],
        "alarms_firing": ["api-5xx"],
    }


def test_the_notices_of_a_manual_start_name_who_started_it(machine: Machine) -> None:
    manual_rollback = release(started_by="manual start", by="jo")
    run = machine.run(deployment(release=manual_rollback))
    starters = [(notified["started_by"], notified["by"]) for notified in run.calls["Notify"]]
    assert starters == [("manual start", "jo")] * 2


def test_a_deployment_goes_on_where_its_start_can_not_be_notified(machine: Machine) -> None:
    refused = Failure("AwsRefused", "no such topic")
    run = machine.run(deployment(), Notify=refused)
    assert run.states[3:6] == START
    assert run.output["outcome"] == "SUCCEEDED"
