"""Whether a deployment may begin, what it starts from, and why not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slipway import aws
from slipway.deployment.begin import begin
from slipway.deployment.beginning import Beginning, Decision, Start, World
from slipway.errors import AwsRefused, AwsUnavailable, InvalidInput
from slipway.health.cause import Cause
from slipway.ledger.ledger import LATE_SECONDS
from slipway.ledger.operations import Operations
from slipway.ledger.records import Audit, Freeze
from slipway.model import parse
from tests.support.asked import quarantined_by_ada, taken_up
from tests.support.builders import (
    DIGEST,
    NEW,
    NOW,
    OLD,
    OLD_DIGEST,
    OTHER,
    SERVICE,
    URI,
    accepted,
    at,
    claim,
    deployment,
    ended,
    execution,
    good,
    image,
    quarantined,
    release,
)
from tests.support.ecs_answers import (
    REVISED,
    alarms_read,
    balancer,
    before,
    container,
    defined,
    described,
    ecs_deployment,
    revision_read,
)
from tests.support.pushes import frozen, planned, unfrozen, unguarded

ON_OLD = before(status="PRIMARY")
ON_NEW = ecs_deployment()
IN_PROGRESS = ecs_deployment(rolloutState="IN_PROGRESS")
OURS = f"{URI}@{DIGEST}"
THEIRS = f"{URI}@{OLD_DIGEST}"
ANOTHER_DIGEST = "sha256:" + "ef" * 32
OLDER = release(id="event-0", released_at=at(-60), image=image(tag="v1", digest=ANOTHER_DIGEST))
NEWER = release(id="event-2", released_at=at(60), image=image(tag="v3", digest=ANOTHER_DIGEST))
BLOCKING = {"alarms": ({"name": "errors", "when_firing": "block"}, "latency")}
LATTICE = {"roleArn": "r", "targetGroupArn": "t", "portName": "http"}
# Rules for test traffic are for other strategies than ROLLING, which ignores them.
TEST_TRAFFIC = {
    "enabled": True,
    "services": [
        {
            "portName": "http",
            "clientAliases": [
                {
                    "port": 80,
                    "testTrafficRules": {"header": {"name": "test", "value": {"exact": "1"}}},
                }
            ],
        }
    ],
}
FROZEN = {"from": "2026-11-21T00:00:00Z", "until": "2026-11-23T00:00:00Z"}


@pytest.fixture
def world(ledger, ecs, ecr, cloudwatch, ssm, stepfunctions):
    return World(
        ledger, ecs.client, ecr.client, cloudwatch.client, ssm.client, stepfunctions.client
    )


def begun(world, now=NOW, name="e-1", patient_since=None, **changes) -> Beginning:
    """The decision on a deployment that the execution of this name has taken up."""
    start = taken_up(world.ledger, deployment(**changes), name)
    return begin(starting(start, name, patient_since=patient_since), now, world)


def starting(start, name="e-1", **facts) -> Start:
    return Start(start=start, execution=execution(name), started_at=NOW, **facts)


def runs(ecs, *deployments, image=THEIRS, on=OLD, **service):
    """What the service has, and its task definition."""
    described(ecs, *(deployments or [ON_OLD]), **service)
    defined(ecs, container(image=image), asked=on, taskDefinitionArn=on)


def limited(desired, minimum, maximum):
    """How many tasks the service has, and how many may run during a deployment."""
    limits = {"minimumHealthyPercent": minimum, "maximumPercent": maximum}
    return {"desiredCount": desired, "deploymentConfiguration": limits}


def goes_back_to(ecs, arn, image=THEIRS):
    defined(ecs, container(image=image), asked=arn, taskDefinitionArn=arn)


def may_begin(ecs, ssm):
    runs(ecs)
    unfrozen(ssm)
    goes_back_to(ecs, OLD)


def under_way(ledger, puts=NEW):
    """An older release has put something on the service, or is about to."""
    own = accepted(ledger, "e-0", baseline=OLD, release=OLDER)
    ledger.start_change(own, "UpdateService", at(-40), unproven=puts)
    return own


def while_it_checks(monkeypatch, ledger, something):
    """Something happens just before it claims the service."""
    claim_it = ledger.claim

    def late(*arguments, **how):
        monkeypatch.undo()
        something()
        claim_it(*arguments, **how)

    monkeypatch.setattr(ledger, "claim", late)


# --- what it starts from ----------------------------------------------------------------------------


def test_a_first_deployment_starts_from_what_the_service_runs(world, ecs, ssm):
    may_begin(ecs, ssm)

    beginning = begun(world)

    assert (beginning.decision, beginning.rollback_target) == (Decision.GO, OLD)
    assert beginning.rollback_target_images == {"api": THEIRS}
    assert (beginning.began_at, beginning.evidence, beginning.alarms_firing) == (NOW, (), ())
    assert not beginning.manual_rollback


def test_a_deployment_claims_the_service_and_has_a_history_from_then_on(world, ecs, ssm, ledger):
    may_begin(ecs, ssm)

    beginning = begun(world)

    service, record = ledger.service(SERVICE), ledger.deployment(claim())
    assert beginning.claim == claim()
    assert service.claim.execution == execution()
    assert (service.newest_at("shop/api"), service.baseline) == (NOW, OLD)
    assert (record.deployment, record.rollback_target, record.good_target) == (
        deployment(),
        OLD,
        None,
    )
    assert (record.changing, dict(record.steps)) == (False, {"BeginDeployment": NOW})


def test_a_decision_is_read_back_equal_from_json(world, ecs, ssm):
    may_begin(ecs, ssm)
    beginning = begun(world)

    assert parse(Beginning, beginning.to_json(), "x") == beginning


def test_the_rollback_target_during_a_service_deployment_is_the_version_that_completed_before(
    world, ecs, ssm, ledger
):
    runs(ecs, IN_PROGRESS, before(), on=NEW)
    unfrozen(ssm)
    goes_back_to(ecs, OLD)

    beginning = begun(world)

    assert (beginning.rollback_target, beginning.evidence) == (OLD, ())
    assert ledger.service(SERVICE).baseline == OLD


def test_the_baseline_of_a_deployment_that_has_ended_is_no_rollback_target(world, ecs, ssm, ledger):
    own = accepted(ledger, "e-0", baseline=OTHER, release=OLDER)
    ledger.finish(
        own, deployment(), {"outcome": "FAILED", "reason": "", "evidence": []}, None, None
    )
    may_begin(ecs, ssm)

    assert begun(world).rollback_target == OLD


def test_the_rollback_target_is_the_last_good_version_and_drift_is_reported(
    world, ecs, ssm, ledger
):
    ended(ledger, found=good(OTHER))
    runs(ecs)
    unfrozen(ssm)
    goes_back_to(ecs, OTHER, "another:1")

    beginning = begun(world)

    assert (beginning.rollback_target, beginning.replaced) == (OTHER, OLD)
    [said] = beginning.evidence
    assert said == (
        "the service ran shop-api:41, which is not what Slipway last found good there; "
        "it would go back to shop-api:43"
    )
    assert ledger.deployment(claim()).good_target == good(OTHER)


def test_the_rollback_target_is_the_good_image_with_the_settings_that_the_service_has(
    world, ecs, ssm, ledger
):
    """As its stack may have given it them; going back must not undo that."""
    ended(ledger, found=good(OTHER))
    runs(ecs)
    unfrozen(ssm)
    goes_back_to(ecs, OTHER)

    beginning = begun(world)

    assert (beginning.rollback_target, beginning.evidence) == (OLD, ())
    assert ledger.deployment(claim()).good_target == good(OLD, at=good(OTHER).at)


def test_what_runs_with_another_sidecar_than_the_last_good_version_is_no_rollback_target(
    world, ecs, ssm, ledger
):
    """No deployment has ever proved that sidecar."""
    ended(ledger, found=good(OTHER))
    described(ecs, ON_OLD)
    defined(ecs, container(image=THEIRS), container(name="proxy", image="envoy:2"), asked=OLD)
    unfrozen(ssm)
    before = (container(image=THEIRS), container(name="proxy", image="envoy:1"))
    defined(ecs, *before, asked=OTHER, taskDefinitionArn=OTHER)

    beginning = begun(world)

    assert beginning.rollback_target == OTHER
    assert beginning.evidence[0].startswith(
        "the service ran shop-api:41, which is not what Slipway"
    )
    assert ledger.deployment(claim()).good_target == good(OTHER)


def test_the_start_of_a_deployment_names_the_rollback_target_by_the_tag_of_its_own_container(
    world, ecs, ssm, ledger
):
    worker = f"{URI}@{ANOTHER_DIGEST}"
    images = {"api": THEIRS, "worker": worker}
    ended(ledger, found=good(OLD, ANOTHER_DIGEST, tag="worker-2", images=images))
    described(ecs, ON_OLD)
    for _ in range(2):
        defined(ecs, container(image=THEIRS), container(name="worker", image=worker), asked=OLD)
    unguarded(ssm)
    planned(ssm)
    unfrozen(ssm)

    beginning = begun(world, policy={"container": "api"})

    assert (beginning.rollback_target, beginning.rollback_target_tag) == (OLD, None)


def test_settings_that_are_just_being_deployed_are_no_rollback_target(world, ecs, ssm, ledger):
    ended(ledger, found=good(OTHER))
    described(
        ecs,
        before(status="PRIMARY", rolloutState="IN_PROGRESS"),
        ecs_deployment(id="ecs-svc/0", status="ACTIVE", taskDefinition=OTHER, createdAt=at(-9999)),
    )
    defined(ecs, container(image=THEIRS))
    unfrozen(ssm)
    goes_back_to(ecs, OTHER)

    assert begun(world).rollback_target == OTHER


def test_a_service_that_runs_its_last_good_version_has_no_drift(world, ecs, ssm, ledger):
    ended(ledger, found=good(OLD))
    may_begin(ecs, ssm)

    beginning = begun(world)

    assert (beginning.rollback_target, beginning.evidence) == (OLD, ())


def test_a_takeover_from_an_older_release_has_the_version_before_that_as_its_rollback_target(
    world, ecs, ssm, ledger
):
    """What the older one has put there may look settled, but it has not baked."""
    under_way(ledger)
    runs(ecs, ON_NEW, on=NEW)
    unfrozen(ssm)
    goes_back_to(ecs, OLD)

    beginning = begun(world)

    assert (beginning.rollback_target, beginning.unproven) == (OLD, (NEW,))
    assert ledger.service(SERVICE).claim.execution == execution()
    assert ledger.service(SERVICE).baseline == OLD


def test_the_version_of_an_older_release_under_way_is_no_drift(world, ecs, ssm, ledger):
    ended(ledger, found=good(OLD))
    under_way(ledger)
    runs(ecs, ON_NEW, on=NEW)
    unfrozen(ssm)
    goes_back_to(ecs, OLD)

    assert begun(world).evidence == ()


def test_the_version_that_an_older_release_put_on_the_service_at_the_last_moment_is_unproven(
    world, ecs, ssm, ledger
):
    under_way(ledger)
    may_begin(ecs, ssm)

    assert begun(world).unproven == (NEW,)


def test_a_takeover_before_the_service_was_changed_leaves_nothing_to_undo(world, ecs, ssm, ledger):
    accepted(ledger, "e-0", baseline=OLD, release=OLDER)
    may_begin(ecs, ssm)

    assert begun(world).unproven == ()


def test_the_next_deployment_takes_over_the_unproven_version_of_a_service(world, ecs, ssm, ledger):
    """The deployment's claim is gone, as if only its end had been recorded."""
    ledger.free(under_way(ledger))
    runs(ecs, ON_NEW, on=NEW)
    unfrozen(ssm)
    goes_back_to(ecs, OLD)

    beginning = begun(world)

    assert (beginning.rollback_target, beginning.unproven, beginning.evidence) == (OLD, (NEW,), ())


def test_a_good_version_that_was_deleted_is_passed_over_for_an_older_one(world, ecs, ssm, ledger):
    ended(ledger, found=good(OLD))
    ended(ledger, "e-1", found=good(OTHER, DIGEST))
    runs(ecs)
    unfrozen(ssm)
    ecs.refuses("describe_task_definition", "ClientException", "Unable to describe")
    goes_back_to(ecs, OLD)

    beginning = begun(world)

    assert beginning.rollback_target == OLD
    assert ledger.deployment(claim()).good_target == good(OLD)


def test_a_good_version_that_may_not_be_read_is_not_taken_for_deleted(world, ecs, ssm, ledger):
    ended(ledger, found=good(OTHER))
    runs(ecs)
    unfrozen(ssm)
    ecs.refuses("describe_task_definition", "AccessDeniedException")

    with pytest.raises(AwsRefused):
        begun(world)


def test_a_deployment_of_a_free_service_fails_where_the_rollback_target_may_not_be_read(
    world, ecs, ssm, ledger
):
    runs(ecs)
    unfrozen(ssm)
    ecs.refuses("describe_task_definition", "AccessDeniedException")

    with pytest.raises(AwsRefused):
        begun(world)


def test_a_second_try_remembers_the_unproven_version_that_the_first_one_took_over(
    world, ecs, ssm, ledger
):
    under_way(ledger)
    runs(ecs, ON_NEW, on=NEW)
    unfrozen(ssm)
    goes_back_to(ecs, OLD)
    first = begun(world)
    runs(ecs, ON_NEW, on=NEW)
    goes_back_to(ecs, OLD)

    assert (first.unproven, begun(world, at(5)).unproven) == ((NEW,), (NEW,))


def test_a_second_try_finds_the_unproven_version_that_a_dead_try_did_not_write_down(
    world, ecs, ssm, ledger
):
    under_way(ledger)
    ledger.claim(claim(), deployment(), OLD, NOW)  # and no more than that
    runs(ecs, ON_NEW, on=NEW)
    goes_back_to(ecs, OLD)

    assert begun(world).unproven == (NEW,)


def test_a_version_that_became_good_meanwhile_is_the_rollback_target(
    world, ecs, ssm, ledger, monkeypatch
):
    own = accepted(ledger, "e-0", release=OLDER)
    ending = {"outcome": "SUCCEEDED", "reason": "", "evidence": []}
    late = lambda: ledger.finish(own, deployment(), ending, good(NEW), None)  # noqa: E731
    while_it_checks(monkeypatch, ledger, late)
    runs(ecs, ON_NEW, on=NEW)
    unfrozen(ssm)
    goes_back_to(ecs, NEW)

    assert begun(world).rollback_target == NEW


def test_a_second_try_decides_the_same_without_asking_the_gates_again(world, ecs, ssm, ledger):
    """It has the service: what it took over has to be seen to, whatever has been frozen meanwhile."""
    may_begin(ecs, ssm)
    runs(ecs)
    goes_back_to(ecs, OLD)

    first, second = begun(world), begun(world, at(5))

    assert second == first.model_copy(update={"began_at": at(5)})
    assert ledger.deployment(claim()).steps["BeginDeployment"] == NOW


# --- the order of releases --------------------------------------------------------------------------


def test_a_deployment_waits_while_another_deployment_changes_the_service(world, ecs, ssm, ledger):
    ledger.start_change(accepted(ledger, "e-0", release=OLDER), "UpdateService", NOW)
    runs(ecs)
    unfrozen(ssm)

    beginning = begun(world)

    assert (beginning.decision, beginning.wait_seconds) == (Decision.WAIT, 2)
    assert "shop/api:v1 (efefefefefef) is changing service production/api" in beginning.reason
    assert ledger.service(SERVICE).claim.execution == execution("e-0")


def test_a_release_that_was_pushed_before_a_manual_rollback_is_superseded_by_its_person(
    world, ledger
):
    accepted(
        ledger, "e-2", release=release(id="r", released_at=at(60), started_by="manual rollback")
    )

    beginning = begun(world)

    assert (beginning.outcome, beginning.cause) == ("SUPERSEDED", Cause.PERSON)
    assert beginning.reason.startswith(f"a person has rolled service {SERVICE} back manually")


def test_a_release_that_is_older_than_an_accepted_one_is_superseded(world, ledger):
    accepted(ledger, "e-2", release=NEWER)

    beginning = begun(world)

    assert (beginning.decision, beginning.outcome) == (Decision.END, "SUPERSEDED")
    assert beginning.cause is Cause.NEWER_RELEASE
    assert beginning.reason.startswith("a newer release of repository shop/api was pushed")
    assert ledger.service(SERVICE).claim.execution == execution("e-2")


def test_a_deployment_is_superseded_where_a_newer_release_comes_while_it_checks(
    world, ecs, ssm, ledger, monkeypatch
):
    while_it_checks(monkeypatch, ledger, lambda: accepted(ledger, "e-2", release=NEWER))
    runs(ecs)
    unfrozen(ssm)

    assert begun(world).outcome == "SUPERSEDED"
    assert ledger.service(SERVICE).claim.execution == execution("e-2")


# --- nothing to change ------------------------------------------------------------------------------


def runs_ours(ecs, *deployments, **changes):
    runs(ecs, *(deployments or [ON_NEW]), **{"image": OURS, "on": NEW, **changes})


def test_a_settled_service_whose_last_good_runs_the_image_is_not_changed(world, ecs, ledger):
    """Whatever is frozen: neither SSM nor CloudWatch is asked."""
    ended(ledger, found=good(NEW, DIGEST))
    runs_ours(ecs)
    described(ecs)

    beginning = begun(world, policy=BLOCKING)

    assert (beginning.decision, beginning.outcome) == (Decision.END, "NO_CHANGE")
    assert beginning.reason == "the service runs this image already, and it is good"


def test_an_image_that_runs_by_the_dual_stack_name_of_its_registry_is_not_deployed_again(
    world, ecs, ledger
):
    ended(ledger, found=good(NEW, DIGEST))
    dual_stack = OURS.replace(".dkr.ecr.", ".dkr-ecr.").replace(".amazonaws.com", ".on.aws")
    runs_ours(ecs, image=dual_stack)
    described(ecs)

    assert begun(world).outcome == "NO_CHANGE"


def test_a_release_that_changes_nothing_takes_the_claim_of_an_older_one_under_way(
    world, ecs, ledger
):
    ended(ledger, found=good(NEW, DIGEST))
    accepted(ledger, "e-0", release=OLDER)
    runs_ours(ecs)
    described(ecs)

    assert begun(world).outcome == "NO_CHANGE"
    assert ledger.service(SERVICE).claim.execution == execution()
    assert ledger.service(SERVICE).newest_at("shop/api") == NOW


@pytest.mark.parametrize(
    "meanwhile", [IN_PROGRESS, before(status="PRIMARY")], ids=["service_deployment", "another"]
)
def test_a_service_that_changed_while_it_was_claimed_is_checked_again(
    world, ecs, ledger, meanwhile
):
    ended(ledger, found=good(NEW, DIGEST))
    runs_ours(ecs)
    described(ecs, meanwhile)

    beginning = begun(world)

    assert (beginning.decision, beginning.wait_seconds) == (Decision.WAIT, 1)
    assert beginning.reason == "the service was changed a moment ago"


def test_no_change_is_not_decided_while_another_deployment_changes_the_service(world, ecs, ledger):
    ended(ledger, found=good(NEW, DIGEST))
    ledger.start_change(accepted(ledger, "e-0", release=OLDER), "UpdateService", NOW)
    runs_ours(ecs)

    assert begun(world).decision is Decision.WAIT


@pytest.mark.parametrize(
    ("found_good", "deployments", "reference"),
    [
        (NEW, [IN_PROGRESS, before()], OURS),
        (NEW, [ON_NEW], THEIRS),
        (NEW, [ON_NEW], f"{URI}:v2"),
        (OTHER, [ON_NEW], OURS),
        (None, [ON_NEW], OURS),
    ],
    ids=["not settled", "another image", "by tag", "another one is good", "none is good"],
)
def test_an_image_that_is_not_known_to_be_good_as_it_runs_is_deployed(
    world, ecs, ssm, ledger, found_good, deployments, reference
):
    if found_good:
        ended(ledger, found=good(found_good, DIGEST))
    runs_ours(ecs, *deployments, image=reference)
    unfrozen(ssm)
    goes_back_to(ecs, found_good or NEW)

    assert begun(world).decision is Decision.GO


def test_the_images_of_other_containers_are_no_reason_to_deploy(world, ecs, ledger):
    ended(ledger, found=good(NEW, DIGEST))
    described(ecs)
    sidecar = container(name="proxy", image="public.ecr.aws/envoy:1")
    defined(ecs, container(image=OURS), sidecar, taskDefinitionArn=NEW)
    described(ecs)

    assert begun(world).outcome == "NO_CHANGE"


# --- the gates that it passed -----------------------------------------------------------------------

FREE = (
    "no newer release has claimed the service",
    "its image is not quarantined",
    "no freeze is in force",
)


def test_the_gates_that_a_deployment_passed_are_listed(world, ecs, ssm):
    may_begin(ecs, ssm)

    assert begun(world).gates == FREE


@pytest.mark.parametrize(
    ("states", "notified"),
    [
        ({"a": "OK"}, ("its alarm is not firing",)),
        ({"a": "OK", "b": "INSUFFICIENT_DATA"}, ("its 2 alarms are not firing",)),
        ({"a": "OK", "b": "ALARM"}, ("1 of its 2 alarms is not firing",)),
        ({"a": "OK", "b": "ALARM", "c": "OK"}, ("2 of its 3 alarms are not firing",)),
        ({"a": "ALARM"}, ()),
    ],
    ids=str,
)
def test_the_alarms_that_guard_a_deployment_are_counted_among_its_gates(
    world, ecs, ssm, cloudwatch, states, notified
):
    runs(ecs)
    unfrozen(ssm)
    alarms_read(cloudwatch, **states)
    goes_back_to(ecs, OLD)

    assert begun(world, policy={"alarms": tuple(states)}).gates == (*FREE, *notified)


def test_a_forced_start_of_a_quarantined_image_is_listed_among_its_gates(world, ecs, ssm, ledger):
    ended(ledger, "ROLLED_BACK", good(), quarantined(), digest=DIGEST)
    may_begin(ecs, ssm)

    assert begun(world, release=release(force=True)).gates == (
        FREE[0],
        "its image is quarantined; it was started by force",
        FREE[2],
    )


def test_a_quarantine_that_came_after_the_gate_is_not_listed(world, ecs, ssm, ledger, monkeypatch):
    may_begin(ecs, ssm)
    bad = quarantined()
    while_it_checks(monkeypatch, ledger, lambda: ended(ledger, "ROLLED_BACK", None, bad, DIGEST))

    assert begun(world).gates == (FREE[0], FREE[2])


def test_a_deployment_that_does_not_begin_has_no_gates(world, ecs, ssm):
    runs(ecs)
    frozen(ssm, FROZEN)

    assert begun(world).gates == ()


# --- the quarantine ---------------------------------------------------------------------------------


def test_a_quarantined_image_is_rejected_with_the_reason_for_its_quarantine(world, ledger):
    ended(ledger, "ROLLED_BACK", good(), quarantined("two tasks failed"), digest=DIGEST)

    beginning = begun(world)

    assert (beginning.decision, beginning.outcome) == (Decision.END, "REJECTED")
    assert beginning.cause is Cause.QUARANTINED
    assert beginning.reason == (
        "image shop/api:v2 (abababababab) is quarantined on service production/api since "
        "2026-11-22T02:59:00.000000Z: two tasks failed; "
        'start it manually with "force": true, or release the quarantine'
    )
    assert ledger.service(SERVICE).claim is None


def test_a_quarantined_image_is_deployed_by_force(world, ecs, ssm, ledger):
    ended(ledger, "ROLLED_BACK", good(), quarantined(), digest=DIGEST)
    may_begin(ecs, ssm)

    assert begun(world, release=release(force=True)).decision is Decision.GO


def test_the_quarantine_of_another_image_does_not_matter(world, ecs, ssm, ledger):
    ended(ledger, "ROLLED_BACK", good(), quarantined(), digest="sha256:" + "ef" * 32)
    may_begin(ecs, ssm)

    assert begun(world).decision is Decision.GO


# --- freezes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("whole", "own", "until"),
    [
        ([FROZEN], (), "2026-11-23T00:00:00.000000Z"),
        ([], (FROZEN,), "2026-11-23T00:00:00.000000Z"),
        (
            [FROZEN],
            ({"from": FROZEN["until"], "until": "2026-12-01T00:00:00Z"},),
            "2026-12-01T00:00:00.000000Z",
        ),
    ],
    ids=["of the whole pipeline", "of the service", "of both"],
)
def test_a_deployment_in_a_freeze_is_rejected_until_every_freeze_has_ended(
    world, ecs, ssm, ledger, whole, own, until
):
    runs(ecs)
    frozen(ssm, *whole)

    beginning = begun(world, policy={"freeze": own})

    assert (beginning.decision, beginning.outcome) == (Decision.END, "REJECTED")
    assert beginning.cause is Cause.FROZEN
    assert beginning.reason == (
        f"deployments to service production/api are frozen until {until} "
        '(see /slipway/freeze, and "freeze" in the plans of the images that the service runs and in '
        "/slipway/services/production/api); start it "
        "manually after that"
    )
    assert ledger.service(SERVICE).claim is None


def test_a_freeze_of_the_service_counts_where_the_pipeline_is_not_frozen(world, ecs, ssm):
    runs(ecs)
    unfrozen(ssm)

    assert begun(world, policy={"freeze": (FROZEN,)}).outcome == "REJECTED"


def test_a_freeze_that_is_over_stops_no_deployment(world, ecs, ssm):
    runs(ecs)
    frozen(ssm, FROZEN | {"until": "2026-11-22T03:00:00Z"})
    goes_back_to(ecs, OLD)

    assert begun(world).decision is Decision.GO


def test_a_freeze_that_is_not_valid_stops_every_deployment(world, ecs, ssm):
    runs(ecs)
    frozen(ssm, text="friday")

    with pytest.raises(InvalidInput, match=r"SSM parameter /slipway/freeze.* is not JSON"):
        begun(world)


def test_a_freeze_that_may_not_be_read_is_not_taken_for_missing(world, ecs, ssm):
    runs(ecs)
    ssm.refuses("get_parameter", "AccessDeniedException")

    with pytest.raises(AwsRefused, match="ssm:GetParameter on /slipway/freeze"):
        begun(world)


# --- alarms -----------------------------------------------------------------------------------------


def test_a_deployment_is_rejected_while_a_blocking_alarm_fires(world, ecs, ssm, cloudwatch, ledger):
    runs(ecs)
    unfrozen(ssm)
    alarms_read(cloudwatch, errors="ALARM", latency="ALARM")

    beginning = begun(world, policy=BLOCKING)

    assert (beginning.decision, beginning.outcome) == (Decision.END, "REJECTED")
    assert beginning.cause is Cause.ALARM
    assert beginning.alarms_fired == ("errors",)
    assert beginning.reason == (
        "nothing is deployed to service production/api while errors is in ALARM "
        '("when_firing": "block" in a plan of an image that the service runs, or in '
        "/slipway/services/production/api)"
    )
    assert beginning.evidence == ("alarm errors is in ALARM: errors says so",)
    assert ledger.service(SERVICE).claim is None


@pytest.mark.parametrize("state", ["OK", "INSUFFICIENT_DATA"])
def test_alarms_that_fire_but_do_not_block_are_noted(world, ecs, ssm, cloudwatch, state):
    runs(ecs)
    unfrozen(ssm)
    alarms_read(cloudwatch, errors=state, latency="ALARM")
    goes_back_to(ecs, OLD)

    beginning = begun(world, policy=BLOCKING)

    assert (beginning.decision, beginning.alarms_firing) == (Decision.GO, ("latency",))


def test_alarms_that_do_not_exist_are_named(world, ecs, ssm, cloudwatch):
    runs(ecs)
    unfrozen(ssm)
    alarms_read(cloudwatch, errors="OK")

    with pytest.raises(InvalidInput, match=r"service production/api .* not have .*: gone, lost$"):
        begun(world, policy={"alarms": ("gone", "errors", "lost")})


@pytest.mark.parametrize("code", ["AccessDenied", "Throttling"])
def test_a_deployment_waits_while_a_blocking_alarm_cannot_be_read(
    world, ecs, ssm, cloudwatch, ledger, code
):
    runs(ecs)
    unfrozen(ssm)
    cloudwatch.refuses("describe_alarms", code)

    beginning = begun(world, at(599), policy=BLOCKING)

    assert (beginning.decision, beginning.wait_seconds) == (Decision.WAIT, 15)
    assert beginning.reason.startswith(
        f"an alarm that can't be read is neither good nor bad: {code} from "
    )
    assert ledger.service(SERVICE).claim is None


def test_a_deployment_waits_for_an_unreadable_alarm_no_longer_than_its_timeout(
    world, ecs, ssm, cloudwatch
):
    """It counts from when the alarm was first asked for: until then the deployment may wait for its turn."""
    for _ in range(2):
        runs(ecs)
        unfrozen(ssm)
        cloudwatch.refuses("describe_alarms", "AccessDenied")
    waits = begun(world, at(7000), policy=BLOCKING)
    assert (waits.decision, waits.patient_since) == (Decision.WAIT, at(7000))

    beginning = begun(world, at(7600), policy=BLOCKING, patient_since=waits.patient_since)

    assert (beginning.decision, beginning.outcome) == (Decision.END, "FAILED")
    assert beginning.cause is Cause.UNREADABLE
    assert beginning.reason.startswith("it could not begin within 600 seconds: an alarm that can't")


# --- freezes that a person has set ------------------------------------------------------------------


def operate(service, **freeze):
    known = {"at": NOW, "by": "Ada", "why": "the sale"} | freeze
    audit = {"id": "1", "at": NOW, "action": "freeze", "service": service, "by": "Ada"}
    Operations(aws.table()).freeze(
        service, Freeze(**known), Audit(**audit, why="the sale", expires_at=0)
    )


@pytest.mark.parametrize(
    ("service", "whose"), [(SERVICE, "service production/api"), (None, "the whole pipeline")]
)
def test_a_freeze_of_a_person_names_who_set_it_and_why(service, whose, world, ecs):
    runs(ecs)
    operate(service)

    beginning = begun(world)

    assert (beginning.outcome, beginning.cause) == ("REJECTED", Cause.FROZEN)
    assert beginning.reason == (
        f"Ada has frozen {whose} until somebody unfreezes it (the sale); start it manually after that"
    )


def test_a_freeze_of_a_person_ends_at_its_time(world, ecs, ssm):
    runs(ecs)
    operate(SERVICE, until=at(60))

    beginning = begun(world)
    assert "until 2026-11-22T03:01:00" in beginning.reason

    may_begin(ecs, ssm)
    assert begun(world, at(60)).decision is Decision.GO


def test_a_freeze_of_another_service_stops_nothing(world, ecs, ssm):
    may_begin(ecs, ssm)
    operate("production/web")

    assert begun(world).decision is Decision.GO


def test_a_lower_version_than_one_that_was_accepted_after_its_release_began_is_superseded(
    world, ledger
):
    accepted(ledger, "e-0", release=release(version="1.10.0", released_at=at(-60)))

    beginning = begun(world, release=release(version="1.9.1"))

    assert (beginning.decision, beginning.outcome) == (Decision.END, "SUPERSEDED")
    assert beginning.cause is Cause.NEWER_RELEASE
    assert beginning.reason.startswith("version 1.9.1 of repository shop/api is lower than 1.10.0")


# --- the same image under another tag ---------------------------------------------------------------

EARLIER_TAG = release(id="event-0", released_at=at(-60), image=image(tag="main-1"))
LATER_TAG = release(id="event-2", released_at=at(60), image=image(tag="main-1"))
"""With a route of its own, so that each release has other stages after this one."""
EITHER = pytest.mark.parametrize("other", [EARLIER_TAG, LATER_TAG], ids=["earlier", "later"])


@EITHER
def test_a_deployment_waits_for_one_of_the_same_image_under_another_tag(world, ledger, other):
    accepted(ledger, "e-0", release=other)
    before = ledger.service(SERVICE)

    beginning = begun(world)

    assert (beginning.decision, beginning.reason) == (
        Decision.WAIT,
        "release shop/api:main-1 (abababababab) has claimed service production/api",
    )
    assert ledger.service(SERVICE).model_copy(update={"waiting": {}}) == before


@EITHER
def test_the_good_end_of_the_other_deployment_counts_for_both(world, ecs, ledger, other):
    own = accepted(ledger, "e-0", release=other)
    ledger.finish(own, deployment(), {"outcome": "SUCCEEDED"}, good(NEW, DIGEST), None)
    runs(ecs, ON_NEW, image=OURS, on=NEW)
    described(ecs, ON_NEW)

    beginning = begun(world)

    assert (beginning.decision, beginning.outcome) == (Decision.END, "NO_CHANGE")
    assert ledger.service(SERVICE).newest_at("shop/api") == max(NOW, other.released_at)


@EITHER
def test_an_image_that_has_failed_under_another_tag_is_rejected(world, ledger, other):
    own = accepted(ledger, "e-0", release=other)
    bad = quarantined("two tasks failed")
    ledger.finish(own, deployment(), {"outcome": "ROLLED_BACK"}, None, bad)

    assert begun(world).outcome == "REJECTED"


@EITHER
def test_a_deployment_begins_if_the_other_one_has_changed_nothing(world, ecs, ssm, ledger, other):
    own = accepted(ledger, "e-0", release=other)
    ledger.finish(own, deployment(), {"outcome": "FAILED"}, None, None)
    may_begin(ecs, ssm)

    assert begun(world).decision is Decision.GO


def test_a_newer_release_of_another_image_ends_the_wait(world, ledger):
    accepted(ledger, "e-0", release=EARLIER_TAG)
    assert begun(world).decision is Decision.WAIT
    accepted(ledger, "e-2", release=NEWER)

    assert begun(world).outcome == "SUPERSEDED"


def test_an_older_release_of_another_image_that_took_over_meanwhile_is_taken_over(
    world, ecs, ssm, ledger
):
    accepted(ledger, "e-0", release=EARLIER_TAG)
    assert begun(world).decision is Decision.WAIT
    accepted(ledger, "e-2", release=NEWER.model_copy(update={"released_at": at(-30)}))
    may_begin(ecs, ssm)

    assert begun(world).decision is Decision.GO
    assert ledger.service(SERVICE).claim.execution == execution()


def test_a_deployment_does_not_wait_for_one_that_may_have_died(world, ecs, ssm, ledger):
    accepted(ledger, "e-0", release=EARLIER_TAG)
    may_begin(ecs, ssm)

    beginning = begun(world, now=at(906))

    assert beginning.decision is Decision.GO
    assert ledger.service(SERVICE).claim.execution == execution()


def test_a_deployment_waits_for_one_of_the_same_image_that_came_while_it_checked(
    world, ecs, ssm, ledger, monkeypatch
):
    runs(ecs)
    unfrozen(ssm)
    while_it_checks(monkeypatch, ledger, lambda: accepted(ledger, "e-0", release=EARLIER_TAG))

    assert begun(world).decision is Decision.WAIT
    assert ledger.service(SERVICE).claim.execution == execution("e-0")


# --- its turn ---------------------------------------------------------------------------------------

SIDECAR = image(
    repository="shop/sidecar",
    uri=URI.replace("shop/api", "shop/sidecar"),
    tag="v9",
    digest=ANOTHER_DIGEST,
)
OF_SIDECAR = release(id="event-9", image=SIDECAR, released_at=at(-60))
LATER_OF_SIDECAR = release(id="event-10", image=SIDECAR, released_at=at(70))
ADMIN = release(id="event-8", image=image(repository="shop/admin", digest=OLD_DIGEST))


def waiting(ledger, now=NOW):
    """The lanes that wait for their turn."""
    return {lane for lane, place in ledger.service(SERVICE).waiting.items() if place.until >= now}


@pytest.mark.parametrize("other", [OF_SIDECAR, LATER_OF_SIDECAR], ids=["earlier", "later"])
def test_a_deployment_waits_for_one_of_another_repository(world, ledger, other):
    own = accepted(ledger, "e-0", release=other)

    beginning = begun(world)

    assert (beginning.decision, beginning.reason) == (
        Decision.WAIT,
        f"release {SIDECAR} has claimed service production/api",
    )
    assert ledger.service(SERVICE).claim.execution == own.execution


def test_a_deployment_begins_when_the_one_of_the_other_repository_has_ended(
    world, ecs, ssm, ledger
):
    own = accepted(ledger, "e-0", release=OF_SIDECAR)
    assert begun(world).decision is Decision.WAIT
    ledger.finish(own, deployment(release=OF_SIDECAR), {"outcome": "SUCCEEDED"}, good(OLD), None)
    may_begin(ecs, ssm)

    assert begun(world, at(60)).decision is Decision.GO
    assert waiting(ledger) == set()


@pytest.mark.parametrize(
    ("waited", "seconds"), [(0, 15), (149, 15), (600, 60), (17_999, 1799), (100_000, 1800)]
)
def test_a_deployment_that_has_waited_for_long_asks_less_often(world, ledger, waited, seconds):
    ledger.renew(accepted(ledger, "e-0", release=OF_SIDECAR), at(waited))

    assert begun(world, at(waited)).wait_seconds == seconds


def test_a_deployment_waits_for_its_turn_no_longer_than_two_days(world, ledger):
    ledger.renew(accepted(ledger, "e-0", release=OF_SIDECAR), at(172_800))
    assert begun(world, at(172_799)).decision is Decision.WAIT

    beginning = begun(world, at(172_800))

    assert (beginning.outcome, beginning.cause) == ("FAILED", Cause.TIMEOUT)
    assert beginning.reason == (
        "it could not begin within 172800 seconds: "
        f"release {SIDECAR} has claimed service production/api"
    )


def test_two_containers_of_one_repository_are_deployed_one_after_the_other(world, ledger):
    web = accepted(ledger, "e-0", release=OLDER, policy={"container": "web"})

    beginning = begun(world, policy={"container": "worker"})

    assert beginning.decision is Decision.WAIT
    assert ledger.service(SERVICE).claim.execution == web.execution


def test_no_release_takes_over_while_one_of_another_repository_waits(world, ecs, ssm, ledger):
    """Otherwise a repository that is pushed to all the time would keep the other one from its turn."""
    ours = accepted(ledger, "e-0", release=OLDER)
    assert begun(world, name="e-9", release=OF_SIDECAR).decision is Decision.WAIT

    waits = begun(world, at(1))
    assert (waits.decision, waits.reason) == (
        Decision.WAIT,
        f"release {SIDECAR} has waited for service production/api for longer",
    )

    ledger.finish(ours, deployment(release=OLDER), {"outcome": "SUCCEEDED"}, good(OLD), None)
    assert begun(world, at(2)).decision is Decision.WAIT
    two_run(ecs, ssm, None, other="shop/api")
    unfrozen(ssm)
    goes_back_to(ecs, OLD)
    assert begun(world, at(3), name="e-9", release=OF_SIDECAR).decision is Decision.GO


def test_whoever_waits_for_longest_comes_first(world, ledger):
    own = accepted(ledger, "e-0", release=OF_SIDECAR)
    begun(world, at(1), name="e-8", release=ADMIN)
    begun(world, at(2))
    ledger.finish(own, deployment(release=OF_SIDECAR), {"outcome": "SUCCEEDED"}, good(OLD), None)

    assert begun(world, at(3)).reason == (
        f"release {ADMIN.image} has waited for service production/api for longer"
    )


def test_a_release_that_has_stopped_asking_keeps_nobody_waiting(world, ecs, ssm, ledger):
    own = accepted(ledger, "e-0", release=OF_SIDECAR)
    begun(world, at(1), name="e-8", release=ADMIN)
    ledger.finish(own, deployment(release=OF_SIDECAR), {"outcome": "SUCCEEDED"}, good(OLD), None)
    may_begin(ecs, ssm)

    assert begun(world, at(1 + 45 + LATE_SECONDS + 1)).decision is Decision.GO


def test_a_newer_release_ends_the_wait_of_an_older_one_of_its_repository_and_keeps_its_place(
    world, ledger
):
    accepted(ledger, "e-0", release=OF_SIDECAR)
    begun(world, at(1), name="e-old", release=OLDER)
    begun(world, at(2), name="e-8", release=ADMIN)

    begun(world, at(3))
    older = begun(world, at(4), name="e-old", release=OLDER)

    assert (older.outcome, older.cause) == ("SUPERSEDED", Cause.NEWER_RELEASE)
    assert older.reason == "a newer release of repository shop/api waits for service production/api"
    assert ledger.service(SERVICE).waiting["shop/api"].since == at(1)


def test_a_deployment_that_is_rejected_while_it_waits_keeps_nobody_waiting(world, ledger):
    accepted(ledger, "e-0", release=OF_SIDECAR)
    begun(world)
    quarantined_by_ada(DIGEST)

    rejected = begun(world, at(1))
    assert rejected.outcome == "REJECTED"
    ledger.finish_without_service(rejected.claim, rejected.deployment, {"outcome": "REJECTED"})

    assert waiting(ledger) == set()


def test_an_image_of_another_repository_that_waits_is_not_forgotten(world, ledger):
    """A deployment that has no claim ends; it may only take its own place away."""
    accepted(ledger, "e-0", release=OF_SIDECAR)
    begun(world, name="e-8", release=ADMIN)

    ledger.finish_without_service(claim(), deployment(), {"outcome": "REJECTED"})

    assert waiting(ledger) == {"shop/admin"}


def test_the_alarms_of_a_deployment_that_is_waited_for_reject_nothing(world, ledger):
    """A deployment that fails may make them fire until it has gone back."""
    accepted(ledger, "e-0", release=OF_SIDECAR)

    assert begun(world, policy=BLOCKING).decision is Decision.WAIT  # no alarm is read


THIRD_TAG = release(id="event-3", released_at=at(30), image=image(tag="latest"))


@pytest.mark.parametrize("holder", [OF_SIDECAR, EARLIER_TAG], ids=["another image", "the same"])
def test_two_releases_of_one_image_wait_together(world, ledger, holder):
    """Each has stages of its own after this one."""
    accepted(ledger, "e-0", release=holder)
    begun(world, at(1))
    begun(world, at(2), name="e-3", release=THIRD_TAG)

    assert begun(world, at(3)).decision is Decision.WAIT
    assert begun(world, at(4), name="e-3", release=THIRD_TAG).decision is Decision.WAIT


def test_a_newer_image_ends_the_wait_of_two_releases_of_an_older_one(world, ledger):
    accepted(ledger, "e-0", release=OF_SIDECAR)
    begun(world, at(1))
    begun(world, at(2), name="e-3", release=THIRD_TAG)

    assert begun(world, at(3), name="e-2", release=NEWER).decision is Decision.WAIT
    assert begun(world, at(4)).outcome == "SUPERSEDED"
    assert begun(world, at(5), name="e-3", release=THIRD_TAG).outcome == "SUPERSEDED"


HIGH = release(version="1.10.0", image=image(tag="v1.10.0"))
LOW = release(
    id="event-2",
    version="1.9.9",
    image=image(tag="v1.9.9", digest=ANOTHER_DIGEST),
    released_at=at(5),
)


@pytest.mark.parametrize("holder", ["is there", "has ended"])
def test_a_lower_version_does_not_take_the_place_of_a_higher_one_that_waits(world, ledger, holder):
    own = accepted(ledger, "e-0", release=OF_SIDECAR)
    assert begun(world, at(1), release=HIGH).decision is Decision.WAIT
    if holder == "has ended":
        ledger.finish(own, deployment(release=OF_SIDECAR), {"outcome": "SUCCEEDED"}, None, None)

    low = begun(world, at(6), name="e-2", release=LOW)

    assert low.outcome == "SUPERSEDED"
    assert low.reason.startswith("version 1.9.9 of repository shop/api is lower than 1.10.0")
    assert ledger.lower_version([deployment(release=LOW)], at(6)) == low.reason
    assert ledger.lower_version([deployment(release=LOW)], at(9_000)) == ""


@pytest.mark.parametrize(
    ("before", "after"), [(None, "web"), ("web", None)], ids=["is named now", "is not named now"]
)
def test_an_order_lasts_though_a_plan_begins_or_ceases_to_name_the_container(
    world, ledger, before, after
):
    newer = HIGH.model_copy(update={"id": "event-2", "released_at": at(60)})
    own = accepted(ledger, "e-2", release=newer, policy={"container": before})
    ledger.finish(own, deployment(release=newer), {"outcome": "SUCCEEDED"}, None, None)

    older = begun(world, release=OLDER, policy={"container": after})
    lower = begun(world, name="e-3", release=LOW, policy={"container": after})

    assert older.reason.startswith("a newer release of repository shop/api was pushed")
    assert lower.reason.startswith("version 1.9.9")


def test_a_slow_try_that_waits_after_its_deployment_began_keeps_nobody_waiting(world, ledger):
    own = accepted(ledger, "e-1")
    ledger.wait(own, deployment(), ledger.service(SERVICE), NOW, 15)

    ledger.finish(own, deployment(), {"outcome": "SUCCEEDED"}, good(NEW, DIGEST), None)

    assert waiting(ledger) == set()


def test_a_place_that_expired_as_it_was_ended_is_none(ledger):
    ledger.claim(claim(), deployment(), OLD, NOW, waited=True)

    assert ledger.service(SERVICE).waiting == {}


# --- the gates of the other plans -------------------------------------------------------------------


def both_run(ecs):
    """The service runs images of two repositories."""
    described(ecs, ON_OLD)
    images = container(image=THEIRS), container(name="proxy", image=f"{SIDECAR.uri}@{OLD_DIGEST}")
    defined(ecs, *images, asked=OLD, taskDefinitionArn=OLD)


def two_run(ecs, ssm, plan, policy=None, other="shop/sidecar"):
    """The service runs two repositories' images; what SSM has of the one that is not deployed."""
    both_run(ecs)
    has(ssm, "/slipway/services/production/api", policy)
    if policy is None or other in policy["repositories"]:
        has(ssm, f"/slipway/repositories/{other}", plan)


def has(ssm, name, value):
    """Expect GetParameter of this name; it has this value, or there is no such parameter."""
    if value is None:
        ssm.refuses("get_parameter", "ParameterNotFound")
    else:
        answer = {"Parameter": {"Name": name, "Value": json.dumps(value), "Type": "String"}}
        ssm.answers("get_parameter", answer, Name=name, WithDecryption=False)


def plan_of(**policy):
    services = [{"service": SERVICE, **policy}]
    return {"routes": [{"tags": ["*"], "stages": [{"name": "production", "services": services}]}]}


def test_the_alarms_of_every_plan_of_the_service_guard_a_deployment(world, ecs, ssm, cloudwatch):
    two_run(ecs, ssm, plan_of(alarms=["proxy-5xx", "errors"], bake_seconds=7))
    unfrozen(ssm)
    alarms_read(cloudwatch, **{"errors": "OK", "proxy-5xx": "OK"})
    goes_back_to(ecs, OLD)

    beginning = begun(world, policy={"alarms": ("errors",)})

    assert beginning.deployment.policy.alarm_names == ("errors", "proxy-5xx")
    assert beginning.deployment.policy.bake_seconds == 300


def test_a_freeze_of_another_plan_of_the_service_holds(world, ecs, ssm):
    two_run(ecs, ssm, plan_of(freeze=[FROZEN]))
    unfrozen(ssm)

    assert begun(world).cause is Cause.FROZEN


def test_the_gates_of_every_route_of_another_plan_hold(world, ecs, ssm):
    routes = plan_of(freeze=[FROZEN])["routes"] + plan_of()["routes"]
    two_run(ecs, ssm, {"routes": routes})
    unfrozen(ssm)

    assert begun(world).cause is Cause.FROZEN


def test_a_freeze_that_the_service_got_while_its_release_waited_holds(world, ecs, ssm):
    policy = {"repositories": ["shop/api", "shop/sidecar"], "freeze": [FROZEN]}
    two_run(ecs, ssm, None, policy)
    unfrozen(ssm)

    assert begun(world).cause is Cause.FROZEN


def test_an_invalid_plan_that_does_not_name_the_service_stops_nothing(world, ecs, ssm):
    two_run(ecs, ssm, {"routes": [{"services": ["production/other"]}]})
    unfrozen(ssm)
    goes_back_to(ecs, OLD)

    assert begun(world).decision is Decision.GO


def test_a_plan_that_cannot_be_read_for_another_reason_than_its_place_stops_the_deployment(
    world, ecs, ssm
):
    both_run(ecs)
    has(ssm, "/slipway/services/production/api", None)
    ssm.refuses("get_parameter", "InvalidKeyId")

    with pytest.raises(AwsRefused, match="InvalidKeyId"):
        begun(world)


def test_an_invalid_plan_of_another_image_of_the_service_is_named(world, ecs, ssm):
    two_run(ecs, ssm, {"routes": [{"service": SERVICE}]})

    with pytest.raises(InvalidInput, match="the plan of repository shop/sidecar"):
        begun(world)


def test_a_plan_outside_of_the_stacks_prefix_adds_no_gate(world, ecs, ssm):
    both_run(ecs)
    has(ssm, "/slipway/services/production/api", None)
    ssm.refuses("get_parameter", "AccessDeniedException")
    unfrozen(ssm)
    goes_back_to(ecs, OLD)

    assert begun(world).decision is Decision.GO


def test_a_plan_whose_repository_the_service_does_not_admit_has_no_say(world, ecs, ssm):
    two_run(ecs, ssm, plan_of(freeze=[FROZEN]), {"repositories": ["shop/api"]})
    unfrozen(ssm)
    goes_back_to(ecs, OLD)

    assert begun(world).decision is Decision.GO


@pytest.mark.parametrize("plan", [None, {"routes": [{"tags": ["*"], "stages": []}]}])
def test_an_image_without_a_plan_for_the_service_adds_no_gate(world, ecs, ssm, plan):
    other = plan_of()
    other["routes"][0]["stages"][0]["services"][0]["service"] = "production/other"
    two_run(ecs, ssm, other if plan else None)
    unfrozen(ssm)
    goes_back_to(ecs, OLD)

    assert begun(world).deployment.policy == deployment().policy


def test_the_other_containers_route_of_the_same_plan_adds_its_gates(world, ecs, ssm, cloudwatch):
    runs(ecs)
    both = plan_of(container="worker", alarms=["queue-age"])
    both["routes"] += plan_of(container="api", alarms=["another-stage"])["routes"]
    has(ssm, "/slipway/services/production/api", None)
    has(ssm, "/slipway/repositories/shop/api", both)
    unfrozen(ssm)
    alarms_read(cloudwatch, **{"queue-age": "OK"})
    goes_back_to(ecs, OLD)

    beginning = begun(world, policy={"container": "api"})

    assert beginning.deployment.policy.alarm_names == ("queue-age",)


# --- what a deployment left without proof -----------------------------------------------------------


def test_no_version_is_built_on_one_that_no_task_has_proved(world, ecs, ssm, ledger):
    ended(ledger, found=good(OLD))
    unproven = accepted(ledger, "e-0", release=OLDER)
    ledger.start_change(unproven, "UpdateService", at(-40), unproven=NEW)
    ledger.finish(unproven, deployment(release=OLDER), {"outcome": "UNPROVEN"}, None, None)
    runs(ecs, ON_NEW, image=f"{URI}@{ANOTHER_DIGEST}", on=NEW)
    unfrozen(ssm)
    goes_back_to(ecs, OLD)

    beginning = begun(world)

    assert (beginning.rollback_target, beginning.left) == (OLD, (NEW,))
    assert beginning.unproven == ()  # nothing forces it away if this deployment can't begin


def test_people_learn_which_image_the_new_version_leaves_out(world, ecs, ssm, ledger):
    ended(ledger, found=good(OLD))
    of_proxy = release(id="event-0", image=SIDECAR, released_at=at(-60))
    own = accepted(ledger, "e-0", release=of_proxy)
    ledger.start_change(own, "UpdateService", at(-40), unproven=NEW)
    ledger.finish(own, deployment(release=of_proxy), {"outcome": "UNPROVEN"}, None, None)
    described(ecs, ON_NEW)
    proxy = container(name="proxy", image=SIDECAR.reference)
    defined(ecs, container(image=THEIRS), proxy, asked=NEW, taskDefinitionArn=NEW)
    has(ssm, "/slipway/services/production/api", None)
    has(ssm, "/slipway/repositories/shop/sidecar", None)
    unfrozen(ssm)
    before = container(name="proxy", image=f"{SIDECAR.uri}@{OLD_DIGEST}")
    defined(ecs, container(image=THEIRS), before, asked=OLD, taskDefinitionArn=OLD)

    [_, left_out] = begun(world).evidence

    assert left_out == (
        f"the new version leaves out {SIDECAR.reference} in container proxy, which no deployment has proved "
        "good: start its release again afterwards"
    )


def test_the_baseline_stays_what_it_was_if_nothing_is_good(world, ecs, ssm, ledger):
    own = accepted(ledger, "e-0", baseline=OLD, release=OLDER)
    ledger.start_change(own, "UpdateService", at(-40), unproven=NEW)
    ledger.finish(own, deployment(release=OLDER), {"outcome": "UNPROVEN"}, None, None)
    runs(ecs, ON_NEW, on=NEW)
    unfrozen(ssm)
    goes_back_to(ecs, OLD)

    beginning = begun(world)

    assert (beginning.rollback_target, beginning.replaced) == (OLD, OLD)
    assert ledger.service(SERVICE).baseline == OLD


# --- what can't be deployed to ----------------------------------------------------------------------


def test_a_container_that_the_service_does_not_have_is_named(world, ecs):
    runs(ecs)

    with pytest.raises(InvalidInput, match="service production/api has no container web"):
        begun(world, policy={"container": "web"})


def test_a_service_that_does_not_exist_is_named(world, ecs):
    ecs.answers("describe_services", {"services": []})

    with pytest.raises(InvalidInput, match="cluster production has no service api"):
        begun(world)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ({"deploymentController": {"type": "CODE_DEPLOY"}}, "is deployed by CODE_DEPLOY"),
        ({"deploymentController": {"type": "EXTERNAL"}}, "is deployed by EXTERNAL"),
        ({"deploymentConfiguration": {"strategy": "BLUE_GREEN"}}, "has strategy BLUE_GREEN"),
        ({"deploymentConfiguration": {"strategy": "CANARY"}}, "has strategy CANARY"),
        (
            {"loadBalancers": [balancer(), {"loadBalancerName": "old"}]},
            "uses a Classic Load Balancer",
        ),
        (
            {"deploymentConfiguration": {"lifecycleHooks": [{"targetType": "PAUSE"}]}},
            "has lifecycle hooks",
        ),
        ({"resourceManagementType": "ECS"}, "is an Express service"),
        (
            {"deployments": [before(status="PRIMARY", vpcLatticeConfigurations=[LATTICE])]},
            "uses VPC Lattice",
        ),
    ],
)
def test_a_service_of_another_kind_is_refused_with_its_kind(world, ecs, kind, why):
    described(ecs, **kind)

    with pytest.raises(InvalidInput, match=f"service production/api {why}"):
        begun(world)


GROUP = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/{}/0123456789abcdef"
LOG_GROUP = {"arn": "arn", "logGroupName": "x", "status": "ACTIVE", "updatedAt": NOW}
BLUE, GREEN = GROUP.format("blue"), GROUP.format("green")


def managed(kind: str) -> dict[str, Any]:
    return {"ecsManagedResources": {kind: [{"accessType": "PUBLIC", "endpoint": "https://a"}]}}


@pytest.mark.parametrize(
    ("revision", "why"),
    [
        ({"gatewayConnectors": [{"portName": "http"}]}, "has a gateway connector"),
        (
            {"ecsManagedResources": {"gatewayConnections": [{"gatewayArn": "arn"}]}},
            "has a gateway connector",
        ),
        (managed("ingressPaths"), "has ingress paths that ECS manages"),
        ({"vpcLatticeConfigurations": [LATTICE]}, "uses VPC Lattice"),
        (
            {"resolvedConfiguration": {"vpcLatticeConfigurations": [{"targetGroupArn": BLUE}]}},
            "uses VPC Lattice",
        ),
        (
            {
                "loadBalancers": [{"targetGroupArn": BLUE}],
                "resolvedConfiguration": {"loadBalancers": [{"targetGroupArn": GREEN}]},
            },
            f"serves traffic through target group {GREEN}",
        ),
    ],
)
def test_a_service_with_targets_that_only_its_revision_shows_is_refused(world, ecs, revision, why):
    described(ecs, **REVISED)
    revision_read(ecs, **revision)

    with pytest.raises(InvalidInput, match=f"service production/api {why}"):
        begun(world)


@pytest.mark.parametrize(
    "revision",
    [
        {},
        {"gatewayConnectors": [], "ecsManagedResources": {"logGroups": [LOG_GROUP]}},
        {
            "loadBalancers": [{"targetGroupArn": BLUE}],
            "resolvedConfiguration": {"loadBalancers": [{"targetGroupArn": BLUE}]},
        },
    ],
)
def test_a_service_whose_revision_shows_no_other_targets_is_deployed_to(world, ecs, ssm, revision):
    described(ecs, ON_OLD, **REVISED)
    revision_read(ecs, **revision)
    defined(ecs, container(image=THEIRS), asked=OLD, taskDefinitionArn=OLD)
    unfrozen(ssm)
    goes_back_to(ecs, OLD)

    assert begun(world).decision is Decision.GO


def test_a_service_whose_revision_is_not_there_yet_is_deployed_to(world, ecs, ssm):
    described(ecs, ON_OLD, **REVISED)
    ecs.answers("describe_service_revisions", {"serviceRevisions": []})
    defined(ecs, container(image=THEIRS), asked=OLD, taskDefinitionArn=OLD)
    unfrozen(ssm)
    goes_back_to(ecs, OLD)

    assert begun(world).decision is Decision.GO


@pytest.mark.parametrize(
    "kind",
    [
        {"deploymentController": {"type": "ECS"}},
        {"deploymentConfiguration": {"strategy": "ROLLING"}},
        {"deploymentConfiguration": {"lifecycleHooks": []}},
        {"loadBalancers": [balancer()]},
        {"resourceManagementType": "CUSTOMER"},
        {"deployments": [ON_OLD, before(vpcLatticeConfigurations=[LATTICE])]},
        {"deployments": [before(status="PRIMARY", serviceConnectConfiguration=TEST_TRAFFIC)]},
    ],
)
def test_a_service_with_rolling_updates_is_deployed_to(world, ecs, ssm, kind):
    runs(ecs, **kind)
    unfrozen(ssm)
    goes_back_to(ecs, OLD)

    assert begun(world).decision is Decision.GO


@pytest.mark.parametrize(
    ("desired", "minimum", "maximum", "remedy"),
    [
        (1, 100, 100, "lower minimumHealthyPercent to 0 or raise maximumPercent to 200"),
        # https://github.com/aws/containers-roadmap/issues/485
        (1, 50, 150, "lower minimumHealthyPercent to 0 or raise maximumPercent to 200"),
        (1, 100, 199, "lower minimumHealthyPercent to 0 or raise maximumPercent to 200"),
        (1, 1, 100, "lower minimumHealthyPercent to 0 or raise maximumPercent to 200"),
        (2, 51, 149, "lower minimumHealthyPercent to 50 or raise maximumPercent to 150"),
        (3, 67, 133, "lower minimumHealthyPercent to 66 or raise maximumPercent to 134"),
        (100, 100, 100, "lower minimumHealthyPercent to 99 or raise maximumPercent to 101"),
    ],
)
def test_a_service_that_may_neither_start_nor_stop_a_task_is_refused_with_its_percentages(
    world, ecs, desired, minimum, maximum, remedy
):
    described(ecs, **limited(desired, minimum, maximum))

    with pytest.raises(InvalidInput) as refused:
        begun(world)

    assert str(refused.value) == (
        f"service production/api can never be updated: of its {desired} tasks, minimumHealthyPercent "
        f"{minimum} lets ECS stop none, and maximumPercent {maximum} lets it start none beside them; {remedy}"
    )


def test_a_daemon_that_may_stop_no_task_is_refused(world, ecs):
    """ECS starts no second task of a daemon on an instance, so it has to stop the first one."""
    described(ecs, schedulingStrategy="DAEMON", **limited(3, 100, 100))

    with pytest.raises(InvalidInput, match=r"minimumHealthyPercent 100 .* lower it below 100$"):
        begun(world)


@pytest.mark.parametrize(
    ("desired", "minimum", "maximum", "strategy"),
    [
        (1, 100, 200, "REPLICA"),
        (1, 0, 100, "REPLICA"),
        (1, 99, 200, "REPLICA"),
        (2, 50, 100, "REPLICA"),
        (2, 100, 150, "REPLICA"),
        (3, 66, 100, "REPLICA"),
        (3, 100, 134, "REPLICA"),
        (0, 100, 100, "REPLICA"),
        (1, 0, 100, "DAEMON"),
        (1, 50, 100, "DAEMON"),  # the default of the console
        (0, 100, 100, "DAEMON"),
    ],
)
def test_a_service_that_may_start_or_stop_a_task_is_deployed_to(
    world, ecs, ssm, desired, minimum, maximum, strategy
):
    runs(ecs, schedulingStrategy=strategy, **limited(desired, minimum, maximum))
    unfrozen(ssm)
    goes_back_to(ecs, OLD)

    assert begun(world).decision is Decision.GO


@pytest.mark.parametrize(
    ("code", "kind"),
    [("AccessDeniedException", AwsRefused), ("ThrottlingException", AwsUnavailable)],
)
def test_a_failed_read_of_a_task_definition_names_its_action(world, ecs, code, kind):
    described(ecs)
    ecs.refuses("describe_task_definition", code, "not authorized")

    with pytest.raises(kind, match="ecs:DescribeTaskDefinition on task definition"):
        begun(world)


def test_a_deregistered_revision_is_a_rollback_target_all_the_same(world, ecs, ssm):
    """RollBack registers it anew."""
    runs(ecs)
    unfrozen(ssm)
    defined(ecs, asked=OLD, status="INACTIVE")

    assert begun(world).rollback_target == OLD


def test_a_forced_start_is_refused_where_a_person_has_quarantined_its_image_since(world, ledger):
    """As a stage that begins later: whoever quarantined the image knew that it was forced."""
    quarantined_by_ada(DIGEST, moment=at(1))

    beginning = begun(world, release=release(started_by="manual start", force=True))

    assert (beginning.outcome, beginning.cause) == ("REJECTED", Cause.QUARANTINED)


# --- a good version that can start ------------------------------------------------------------------


WITHOUT_IMAGE = f"shop-api:41 can't start: ECR no longer has its image api@{OLD_DIGEST}"


def test_the_newest_good_version_that_can_start_is_the_rollback_target(
    world, ecs, ssm, ledger, gone
):
    gone.add(f"{URI}@{OLD_DIGEST}")
    ended(ledger, found=good(OTHER, DIGEST.replace("ab", "ef")))
    ended(ledger, found=good(OLD))
    another = f"{URI}@{DIGEST.replace('ab', 'ef')}"
    runs(ecs, before(status="PRIMARY", taskDefinition=OTHER), on=OTHER, image=another)
    unfrozen(ssm)
    goes_back_to(ecs, OLD)
    goes_back_to(ecs, OTHER, another)

    beginning = begun(world)

    assert beginning.rollback_target == OTHER
    assert beginning.evidence == (WITHOUT_IMAGE,)


def test_a_deployment_begins_though_there_is_no_version_to_go_back_to_and_says_so(
    world, ecs, ssm, gone
):
    gone.add(THEIRS)
    may_begin(ecs, ssm)
    goes_back_to(ecs, OLD)

    beginning = begun(world)

    assert (beginning.decision, beginning.rollback_target) == (Decision.GO, OLD)
    assert beginning.evidence == (f"{WITHOUT_IMAGE}; there is no other version to go back to",)
