"""What an execution of the deployment state machine may carry out, and what is refused at the front door."""

from __future__ import annotations

import pytest

from slipway.deployment.asked import Asked, read_asked
from slipway.deployment.begin import begin
from slipway.deployment.beginning import Decision, Start, World
from slipway.deployment.executions import read_execution
from slipway.errors import AwsRefused, AwsUnavailable, Refused
from slipway.health.outcome import Outcome
from slipway.ledger.ledger import TAKEN_UP
from slipway.release.named import NamedRelease, NamedRollback
from tests.support.asked import (
    EXPIRES_AT,
    RELEASE,
    ROLLBACK,
    execution_described,
    manual_rollback,
    part_of,
    recorded,
    recovery_recorded,
    release_record,
    rollback_recorded,
    taken_up,
)
from tests.support.builders import (
    DEPLOYMENTS,
    NEW,
    NOW,
    OLD,
    SERVICE,
    at,
    claim,
    deployment,
    execution,
    good,
    image,
    policy,
    release,
)
from tests.support.ecs_answers import container, defined, described, ecs_deployment
from tests.support.pushes import unfrozen

STAGING, SECOND_STAGING = (
    deployment(stage="staging", service=f"staging/{name}") for name in ("api", "worker")
)
CANARY = deployment(stage="canary", service="production/canary")
PRODUCTION = deployment()
NOT_COME = "the stage that the input of the execution names has not come"
NO_RELEASE = "the ledger has no release that deploys what the input of the execution names"
NO_ROLLBACK = "the ledger has no manual rollback that the input of the execution names"
NO_RECOVERY = "the ledger has no recovery that this execution has to carry out"
ENDED = "the release or rollback that the input of the execution names has ended"
NO_SUCH_FORM = (
    "only Slipway starts the deployment state machine, and not with this input; to deploy or to roll back "
    "manually, start the release or the rollback state machine"
)


@pytest.fixture
def world(ledger, ecs, ecr, cloudwatch, ssm, stepfunctions):
    return World(
        ledger, ecs.client, ecr.client, cloudwatch.client, ssm.client, stepfunctions.client
    )


def asked(ledger, start, name="e-1") -> Asked:
    return read_asked(start, execution(name), NOW, ledger)


def begun(world, start, name="e-1"):
    return begin(Start(start=start, execution=execution(name), started_at=NOW), NOW, world)


def is_refused(world, start, why, name="e-1"):
    """BeginDeployment raises the error, and no other service of AWS is asked for anything."""
    with pytest.raises(Refused) as raised:
        begun(world, start, name)
    assert str(raised.value) == why


def may_begin(ecs, ssm):
    """The service runs OLD, and no gate is closed."""
    described(ecs, ecs_deployment(taskDefinition=OLD))
    defined(ecs, asked=OLD)
    unfrozen(ssm)
    defined(ecs, asked=OLD)


def may_roll_back(ecs):
    """The service runs NEW."""
    described(ecs, ecs_deployment(taskDefinition=NEW))
    defined(ecs, container(image=image().reference), asked=NEW, taskDefinitionArn=NEW)
    described(ecs, ecs_deployment(taskDefinition=NEW))


def rollback_asked(ledger, name=None):
    """A manual rollback from NEW to OLD, which the execution of this name carries out."""
    return rollback_recorded(ledger, manual_rollback(), name, running=NEW, good=good(OLD))


# --- what the input names ---------------------------------------------------------------------------


def test_the_image_and_the_policy_of_a_deployment_are_what_the_release_has_recorded(ledger):
    start = recorded(ledger, deployment(policy={"bake_seconds": 7}))

    assert asked(ledger, start) == Asked(
        claim=claim(),
        deployment=deployment(policy={"bake_seconds": 7}),
        named=NamedRelease(release="event-1", stage="production", service=SERVICE),
        parent=RELEASE,
        owner=None,
        carried_out_in=None,
        has_come=True,
        expires_at=EXPIRES_AT,
    )


def test_a_stage_has_its_own_policy_for_a_service_that_several_stages_name(ledger):
    first = deployment(stage="first", policy={"bake_seconds": 7})
    second = deployment(stage="second", policy={"bake_seconds": 8})
    ledger.record_release(release_record(first, second))

    policies = [
        asked(ledger, part_of(part).to_json()).deployment.policy for part in (first, second)
    ]

    assert policies == [policy(bake_seconds=7), policy(bake_seconds=8)]


def test_a_manual_rollback_is_what_the_rollback_state_machine_has_recorded(ledger):
    start = rollback_asked(ledger)

    assert asked(ledger, start) == Asked(
        claim=claim(),
        deployment=manual_rollback(),
        named=NamedRollback(rollback="rollback-1"),
        parent=ROLLBACK,
        owner=None,
        carried_out_in=None,
        has_come=True,
        expires_at=EXPIRES_AT,
        rollback=ledger.rollback("rollback-1"),
    )


def test_the_deployment_that_carries_a_release_or_a_rollback_out_is_its_owner(ledger):
    release_start, rollback_start = (
        taken_up(ledger, deployment(), "e-2"),
        rollback_asked(ledger, "e-3"),
    )

    assert asked(ledger, release_start).owner == claim("e-2").deployment
    assert asked(ledger, rollback_start).owner == claim("e-3").deployment


@pytest.mark.parametrize(
    "start",
    [lambda ledger: taken_up(ledger, deployment()), lambda ledger: rollback_asked(ledger, "e-1")],
    ids=["release", "rollback"],
)
def test_a_recovery_carries_out_the_deployment_of_the_execution_that_died(ledger, start):
    first = asked(ledger, start(ledger))
    named = recovery_recorded(ledger, first.named.to_json())

    recovery = asked(ledger, named, "recover-1")

    assert recovery.claim == claim(execution=execution("recover-1"))
    assert (recovery.deployment, recovery.named) == (first.deployment, first.named)
    assert recovery.owner == recovery.claim.deployment
    assert recovery.recovery == ledger.deployment(claim()).recovery


# --- inputs that only Slipway does not write --------------------------------------------------------

SECRET = "pay 5 EUR at https://example.com"
FORGED = {
    "an empty object": {},
    "another object": {"x": SECRET},
    "nothing": None,
    "a list": [SECRET],
    "an empty list": [],
    "a text": SECRET,
    "a number": 5,
    "true": True,
    "a deployment": deployment().to_json(),
    "a deployment of another image": deployment(
        release=release(image=image(uri="example.com/" + SECRET)), policy={"bake_seconds": 0}
    ).to_json(),
    "a manual rollback": {"action": "rollback", "service": SERVICE, "to": SECRET},
    "a manual rollback without an action": {"service": SERVICE, "to": SECRET, "by": SECRET},
    "a recovery with all its facts": {
        "action": "recover",
        "deployment": claim().deployment,
        "execution": execution(),
        "started_at": NOW.isoformat(),
        "why": SECRET,
        "start": deployment().to_json(),
        "attempt": -60,
    },
    "a release without a stage": {"release": "event-1", "service": SERVICE},
    "a release without a service": {"release": "event-1", "stage": "production"},
    "a release without an id": {"release": "", "stage": "production", "service": SERVICE},
    "a release whose id is a number": {"release": 1, "stage": "production", "service": SERVICE},
    "a release whose id is an object": {
        "release": {"id": SECRET},
        "stage": "production",
        "service": SERVICE,
    },
    "a release by force": {
        "release": "event-1",
        "stage": "production",
        "service": SERVICE,
        "force": True,
    },
    "a release with a policy": {
        "release": "event-1",
        "stage": "production",
        "service": SERVICE,
        "policy": {"bake_seconds": 0},
    },
    "a release with no stage": {"release": "event-1", "stage": None, "service": SERVICE},
    "a service without a cluster": {"release": "event-1", "stage": "production", "service": "api"},
    "a service with a text": {"release": "event-1", "stage": "production", "service": SECRET},
    "a service with a line break": {
        "release": "event-1",
        "stage": "production",
        "service": SERVICE + "\n",
    },
    "half a character": {"release": "\ud800", "stage": "production", "service": SERVICE},
    "a rollback with a target": {"rollback": "rollback-1", "to": OLD},
    "a rollback with a service": {"rollback": "rollback-1", "service": SERVICE},
    "a rollback without an id": {"rollback": ""},
    "a rollback whose id is a list": {"rollback": ["rollback-1"]},
    "a recovery without a service": {"recover": claim().deployment},
    "a recovery without an id": {"recover": "", "service": SERVICE},
    "a recovery with an attempt": {
        "recover": claim().deployment,
        "service": SERVICE,
        "attempt": -60,
    },
    "a recovery of an input": {
        "recover": claim().deployment,
        "service": SERVICE,
        "start": {"release": "event-1", "stage": "production", "service": SERVICE},
    },
    "a release and a rollback": {
        "release": "event-1",
        "stage": "production",
        "service": SERVICE,
        "rollback": "rollback-1",
    },
}


@pytest.mark.parametrize("start", FORGED.values(), ids=FORGED)
def test_an_input_of_another_form_is_refused_in_words_that_repeat_nothing_of_it(ledger, start):
    """Everything that it could name is there, and could begin."""
    recorded(ledger, deployment())
    rollback_asked(ledger)
    recovery_recorded(ledger, part_of(deployment()).to_json(), "e-1")

    with pytest.raises(Refused) as raised:
        asked(ledger, start)

    assert str(raised.value) == NO_SUCH_FORM


@pytest.mark.parametrize("start", FORGED.values(), ids=FORGED)
def test_an_input_of_another_form_changes_nothing(world, ledger, start):
    recorded(ledger, deployment())
    rollback_asked(ledger)
    before = ledger.release("event-1"), ledger.rollback("rollback-1")

    is_refused(world, start, NO_SUCH_FORM)

    assert (ledger.release("event-1"), ledger.rollback("rollback-1")) == before
    assert ledger.service(SERVICE).claim is None


# --- what the ledger does not have ------------------------------------------------------------------

UNKNOWN = {
    "another release": {"release": "pay-5-EUR"},
    "a release whose id only begins so": {"release": "event-"},
    "another stage": {"stage": SECRET},
    "a stage with no name": {"stage": ""},
    "a service that no stage names": {"service": "payments/api"},
    "a service that only another stage names": {"service": STAGING.service},
    "a stage in which the service is not": {"stage": "staging"},
    "a stage and a service that together make a key": {
        "stage": "production#production/api#",
        "service": SERVICE,
    },
}


@pytest.mark.parametrize("changed", UNKNOWN.values(), ids=UNKNOWN)
def test_a_part_that_no_release_in_the_ledger_has_is_refused(world, ledger, changed):
    ledger.record_release(release_record(STAGING, PRODUCTION))
    ledger.take_up(claim("e-0", service=STAGING.service), part_of(STAGING), EXPIRES_AT)
    ledger.note_outcome(claim("e-0", service=STAGING.service), part_of(STAGING), "SUCCEEDED")

    is_refused(world, part_of(PRODUCTION).to_json() | changed, NO_RELEASE)


def test_a_release_is_refused_while_the_ledger_is_empty(world):
    is_refused(world, part_of(PRODUCTION).to_json(), NO_RELEASE)


def test_the_progress_of_a_release_that_the_ledger_does_not_have_makes_no_release(world, ledger):
    """The item of a release and those of its progress may expire one after the other."""
    ledger.take_up(claim(), part_of(PRODUCTION), EXPIRES_AT)

    is_refused(world, part_of(PRODUCTION).to_json(), NO_RELEASE)


@pytest.mark.parametrize("rollback", ["pay-5-EUR", "rollback-", "rollback-10"])
def test_a_manual_rollback_that_the_ledger_does_not_have_is_refused(world, ledger, rollback):
    rollback_asked(ledger)

    is_refused(world, {"rollback": rollback}, NO_ROLLBACK)


# --- recoveries that nobody recorded ----------------------------------------------------------------


def test_a_recovery_of_a_deployment_that_the_ledger_does_not_have_is_refused(world):
    is_refused(world, {"recover": claim().deployment, "service": SERVICE}, NO_RECOVERY)


def test_a_recovery_of_a_deployment_that_nobody_has_to_recover_is_refused(world, ledger):
    taken_up(ledger, deployment())
    ledger.open(claim(), deployment(), OLD, None, None, NOW)

    is_refused(world, {"recover": claim().deployment, "service": SERVICE}, NO_RECOVERY, "e-2")


def test_a_recovery_that_another_execution_has_to_carry_out_is_refused(world, ledger):
    named = recovery_recorded(ledger, taken_up(ledger, deployment()))

    is_refused(world, named, NO_RECOVERY, "recover-2")


def test_a_recovery_is_refused_once_a_later_one_is_recorded(world, ledger):
    start = taken_up(ledger, deployment())
    named = recovery_recorded(ledger, start, "recover-1")
    recovery_recorded(ledger, start, "recover-2", attempt=2)

    is_refused(world, named, NO_RECOVERY, "recover-1")


def test_a_recovery_is_of_the_service_that_it_names_alone(world, ledger):
    named = recovery_recorded(ledger, taken_up(ledger, deployment()))

    is_refused(world, named | {"service": "payments/api"}, NO_RECOVERY, "recover-1")


# --- the stages of a release ------------------------------------------------------------------------


def has(ledger, part, outcome=None):
    """A deployment carries this part of the release out, and has ended so."""
    own = claim(f"e-{part.stage}-{part.service.replace('/', '-')}", service=part.service)
    ledger.take_up(own, part_of(part), EXPIRES_AT)
    if outcome:
        ledger.note_outcome(own, part_of(part), outcome)


def test_a_stage_before_which_nothing_has_begun_has_not_come(world, ledger):
    ledger.record_release(release_record(STAGING, PRODUCTION))

    is_refused(world, part_of(PRODUCTION).to_json(), NOT_COME)
    assert ledger.release("event-1").progress == {}


def test_a_stage_has_not_come_while_a_deployment_of_the_stage_before_is_under_way(world, ledger):
    ledger.record_release(release_record(STAGING, PRODUCTION))
    has(ledger, STAGING)

    is_refused(world, part_of(PRODUCTION).to_json(), NOT_COME)


GO_ON = (Outcome.SUCCEEDED, Outcome.NO_CHANGE)


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome not in GO_ON])
def test_a_stage_never_comes_after_a_stage_that_did_not_go_well(world, ledger, outcome):
    ledger.record_release(release_record(STAGING, PRODUCTION))
    has(ledger, STAGING, outcome)

    is_refused(world, part_of(PRODUCTION).to_json(), NOT_COME)


@pytest.mark.parametrize("outcome", GO_ON)
def test_a_stage_comes_after_a_stage_that_went_well(
    world, ecs, ssm, stepfunctions, ledger, outcome
):
    ledger.record_release(release_record(STAGING, PRODUCTION))
    has(ledger, STAGING, outcome)
    execution_described(stepfunctions)
    may_begin(ecs, ssm)

    assert begun(world, part_of(PRODUCTION).to_json()).decision is Decision.GO


@pytest.mark.parametrize("of_second", [None, Outcome.ROLLED_BACK])
def test_a_stage_has_not_come_until_each_service_of_the_stage_before_went_well(
    world, ledger, of_second
):
    ledger.record_release(release_record(STAGING, SECOND_STAGING, PRODUCTION))
    has(ledger, STAGING, Outcome.SUCCEEDED)
    if of_second:
        has(ledger, SECOND_STAGING, of_second)

    is_refused(world, part_of(PRODUCTION).to_json(), NOT_COME)


def test_a_stage_has_not_come_where_only_the_one_right_before_it_went_well(world, ledger):
    ledger.record_release(release_record(STAGING, CANARY, PRODUCTION))
    has(ledger, STAGING, Outcome.FAILED)
    has(ledger, CANARY, Outcome.SUCCEEDED)

    is_refused(world, part_of(PRODUCTION).to_json(), NOT_COME)


def test_the_outcome_of_another_release_says_nothing_about_a_stage(world, ledger):
    other = release(id="event-0")
    ledger.record_release(release_record(STAGING, PRODUCTION))
    ledger.record_release(
        release_record(
            *(part.model_copy(update={"release": other}) for part in (STAGING, PRODUCTION))
        )
    )
    has(ledger, STAGING.model_copy(update={"release": other}), Outcome.SUCCEEDED)

    is_refused(world, part_of(PRODUCTION).to_json(), NOT_COME)


# --- the execution of the release or rollback -------------------------------------------------------


@pytest.mark.parametrize("status", ["RUNNING", "PENDING_REDRIVE"])
def test_a_release_that_is_under_way_has_its_deployment_taken_up(
    world, ecs, ssm, stepfunctions, ledger, status
):
    start = recorded(ledger, deployment())
    execution_described(stepfunctions, RELEASE, status)
    may_begin(ecs, ssm)

    beginning = begun(world, start)

    assert (beginning.decision, beginning.part) == (Decision.GO, part_of(deployment()))
    assert beginning.deployment == deployment()
    progress = ledger.release("event-1").progress_of(part_of(deployment()))
    assert (progress.deployment, progress.execution, progress.outcome) == (
        claim().deployment,
        execution(),
        None,
    )


def test_a_manual_rollback_that_is_under_way_is_taken_up(world, ecs, stepfunctions, ledger):
    start = rollback_asked(ledger)
    execution_described(stepfunctions, ROLLBACK)
    may_roll_back(ecs)

    beginning = begun(world, start)

    assert (beginning.decision, beginning.part) == (Decision.GO, None)
    assert ledger.rollback("rollback-1").carried_out_by == claim().deployment


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"])
def test_a_release_whose_execution_has_ended_is_refused(world, stepfunctions, ledger, status):
    """It would put back an old image months later: the order of releases knows only what was accepted."""
    start = recorded(ledger, deployment())
    execution_described(stepfunctions, RELEASE, status)

    is_refused(world, start, ENDED)
    assert ledger.release("event-1").progress == {}


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"])
def test_a_manual_rollback_whose_execution_has_ended_is_refused(
    world, stepfunctions, ledger, status
):
    start = rollback_asked(ledger)
    execution_described(stepfunctions, ROLLBACK, status)

    is_refused(world, start, ENDED)
    assert ledger.rollback("rollback-1").carried_out_by is None


@pytest.mark.parametrize(
    ("start", "parent"),
    [
        (lambda ledger: recorded(ledger, deployment()), RELEASE),
        (rollback_asked, ROLLBACK),
    ],
    ids=["release", "rollback"],
)
def test_an_execution_that_step_functions_does_not_show_yet_is_asked_for_again(
    world, stepfunctions, ledger, start, parent
):
    """DescribeExecution is eventually consistent."""
    stepfunctions.refuses("describe_execution", "ExecutionDoesNotExist")

    with pytest.raises(AwsUnavailable, match=f"^execution {parent} is not there yet$"):
        begun(world, start(ledger))

    assert asked(ledger, start(ledger)).owner is None


@pytest.mark.parametrize(
    ("code", "kind"),
    [("AccessDeniedException", AwsRefused), ("ThrottlingException", AwsUnavailable)],
)
def test_a_release_whose_execution_can_not_be_read_is_not_taken_up(
    world, stepfunctions, ledger, code, kind
):
    start = recorded(ledger, deployment())
    stepfunctions.refuses("describe_execution", code)

    with pytest.raises(kind, match=f"states:DescribeExecution on execution {RELEASE}"):
        begun(world, start)

    assert asked(ledger, start).owner is None


# --- one execution alone ----------------------------------------------------------------------------


def test_a_part_that_another_execution_carries_out_is_refused(world, ledger):
    is_refused(world, taken_up(ledger, deployment(), "e-0"), TAKEN_UP)


def test_a_part_is_refused_though_the_execution_that_carried_it_out_has_ended(world, ledger):
    start = taken_up(ledger, deployment(), "e-0")
    ledger.note_outcome(claim("e-0"), part_of(deployment()), "ROLLED_BACK")

    is_refused(world, start, TAKEN_UP)


def test_a_manual_rollback_that_another_execution_carries_out_is_refused(world, ledger):
    is_refused(world, rollback_asked(ledger, "e-0"), TAKEN_UP)


def test_an_execution_of_the_same_name_at_another_time_is_another_one(world, ledger):
    """Step Functions allows a name again after 90 days."""
    start = taken_up(ledger, deployment(), "e-1")
    later = Start(start=start, execution=execution(), started_at=at(90 * 24 * 3600))

    with pytest.raises(Refused, match=TAKEN_UP):
        begin(later, NOW, world)


@pytest.mark.parametrize(
    ("start", "own"),
    [
        (lambda ledger: recorded(ledger, deployment()), part_of(deployment())),
        (rollback_asked, NamedRollback(rollback="rollback-1")),
    ],
    ids=["release", "rollback"],
)
def test_of_two_executions_that_begin_at_once_one_is_refused(
    world, stepfunctions, ledger, monkeypatch, start, own
):
    take_up = ledger.take_up

    def late(*arguments):
        take_up(claim("e-0"), own, EXPIRES_AT)
        take_up(*arguments)

    given = start(ledger)
    monkeypatch.setattr(ledger, "take_up", late)
    parent = RELEASE if isinstance(own, NamedRelease) else ROLLBACK
    execution_described(stepfunctions, parent)

    is_refused(world, given, TAKEN_UP)
    assert ledger.service(SERVICE).claim is None


def test_a_second_try_of_a_deployment_goes_on_without_asking_step_functions_again(
    world, ecs, ssm, ledger
):
    """Its release may have ended meanwhile, for example because it was stopped."""
    start = taken_up(ledger, deployment())
    may_begin(ecs, ssm)

    assert begun(world, start).decision is Decision.GO


def test_a_second_try_of_a_manual_rollback_goes_on_without_asking_step_functions_again(
    world, ecs, ledger
):
    start = rollback_asked(ledger, "e-1")
    may_roll_back(ecs)

    assert begun(world, start).decision is Decision.GO


def test_a_second_try_goes_on_though_the_ledger_has_forgotten_the_stage_before(
    world, ecs, ssm, ledger
):
    """The items of a release expire one after the other."""
    ledger.record_release(release_record(STAGING, PRODUCTION))
    ledger.take_up(claim(), part_of(PRODUCTION), EXPIRES_AT)
    may_begin(ecs, ssm)

    assert begun(world, part_of(PRODUCTION).to_json()).decision is Decision.GO


@pytest.mark.parametrize(
    "start",
    [
        {"release": "x" * 201, "stage": "production", "service": SERVICE},
        {"rollback": "x" * 201},
        {"recover": "x" * 201, "service": SERVICE},
    ],
    ids=["release", "rollback", "recover"],
)
def test_an_id_that_is_too_long_for_a_key_is_refused(ledger, start):
    with pytest.raises(Refused) as raised:
        asked(ledger, start)

    assert str(raised.value) == NO_SUCH_FORM


def test_an_input_that_is_nested_too_deep_names_nothing(stepfunctions):
    deep = "[" * 100_000 + "]" * 100_000
    answer = {
        "executionArn": execution(),
        "stateMachineArn": DEPLOYMENTS,
        "status": "FAILED",
        "startDate": NOW,
        "input": deep,
    }
    stepfunctions.answers("describe_execution", answer, executionArn=execution())

    assert read_execution(execution(), stepfunctions.client).start is None
