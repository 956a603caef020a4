"""What the ledger holds of releases, manual rollbacks and recoveries, and who carries them out."""

from __future__ import annotations

import pytest

from slipway import aws
from slipway.errors import Refused
from slipway.health.outcome import Outcome
from slipway.ledger.ledger import Unreadable
from slipway.ledger.records import Progress
from slipway.release.named import NamedRollback
from tests.support.asked import (
    EXPIRES_AT,
    manual_rollback,
    part_of,
    release_record,
    rollback_recorded,
)
from tests.support.builders import NOW, SERVICE, accepted, claim, deployment, good, policy
from tests.support.ledgers import recovery

STAGING = deployment(stage="staging", service="staging/api")
STAGING_WEB = deployment(stage="staging", service="staging/web")
PRODUCTION = deployment(policy={"bake_seconds": 60})
RECORD = release_record(STAGING, STAGING_WEB, PRODUCTION)
PART, OTHER_PART = part_of(STAGING), part_of(STAGING_WEB)
ROLLBACK = NamedRollback(rollback="rollback-1")
OURS, THEIRS = claim("e-1", service="staging/api"), claim("e-2", service="staging/api")
IN_ANY_ORDER = [(PART, OTHER_PART), (OTHER_PART, PART)]


@pytest.fixture
def recorded(ledger):
    """The release of three services in two stages is in the ledger."""
    ledger.record_release(RECORD)
    return ledger


def known(ledger):
    return ledger.release("event-1")


def goes_well(ledger, part, outcome=Outcome.SUCCEEDED):
    own = claim(f"e-of-{part.service}", service=part.service)
    ledger.take_up(own, part, EXPIRES_AT)
    ledger.note_outcome(own, part, outcome)


# --- releases -------------------------------------------------------------------------------------


def test_a_release_is_read_as_it_was_recorded(recorded):
    assert known(recorded) == RECORD
    assert recorded.release("event-2") is None


def test_a_release_of_which_only_progress_is_left_is_none(recorded):
    recorded.take_up(OURS, PART, EXPIRES_AT)

    aws.table().delete_item(Key={"pk": "release#event-1", "sk": "release"})

    assert known(recorded) is None


def test_the_first_delivery_of_an_event_is_the_release(recorded):
    later = RECORD.model_copy(update={"execution": "another", "stages": (), "expires_at": 1})

    assert recorded.record_release(later) == RECORD
    assert recorded.record_release(RECORD) == RECORD
    assert known(recorded) == RECORD


def test_a_release_that_is_recorded_again_keeps_its_progress(recorded):
    recorded.take_up(OURS, PART, EXPIRES_AT)

    recorded.record_release(RECORD)

    assert known(recorded).progress_of(PART).deployment == OURS.deployment


def test_a_release_expires_with_its_progress(recorded):
    recorded.take_up(OURS, PART, EXPIRES_AT)

    items = aws.table().scan()["Items"]

    assert [item["expires_at"] for item in items] == [EXPIRES_AT] * 2


def test_a_release_knows_the_deployments_of_its_plan_and_no_others():
    assert RECORD.deployment("staging", "staging/web") == STAGING_WEB
    assert RECORD.deployment("production", SERVICE) == PRODUCTION
    assert RECORD.deployment("production", "staging/api") is None
    assert RECORD.deployment("canary", SERVICE) is None


def test_a_service_in_two_stages_has_the_policy_and_the_progress_of_each(ledger):
    careful = deployment(stage="staging", policy={"bake_seconds": 3600})
    record = release_record(careful, deployment())
    ledger.record_release(record)

    ledger.take_up(claim(), part_of(careful), EXPIRES_AT)

    assert record.deployment("staging", SERVICE).policy == policy(bake_seconds=3600)
    assert record.deployment("production", SERVICE).policy == policy()
    assert known(ledger).progress_of(part_of(careful)).deployment == claim().deployment
    assert known(ledger).progress_of(part_of(deployment())) is None


# --- the progress of a release --------------------------------------------------------------------


def test_a_part_of_a_release_is_carried_out_by_the_deployment_that_takes_it_up(recorded):
    recorded.take_up(OURS, PART, EXPIRES_AT)

    found = known(recorded)
    assert found.progress_of(PART) == Progress(deployment=OURS.deployment, execution=OURS.execution)
    assert found.progress_of(OTHER_PART) is None


def test_a_deployment_may_take_up_its_part_again(recorded):
    for _ in range(2):
        recorded.take_up(OURS, PART, EXPIRES_AT)

    assert known(recorded).progress_of(PART).deployment == OURS.deployment


@pytest.mark.parametrize("ended", [False, True], ids=["under way", "ended"])
def test_a_part_of_a_release_is_carried_out_by_one_deployment_only(recorded, ended):
    recorded.take_up(OURS, PART, EXPIRES_AT)
    if ended:
        recorded.note_outcome(OURS, PART, Outcome.FAILED)
    before = known(recorded)

    with pytest.raises(Refused, match=r"^another execution carries out"):
        recorded.take_up(THEIRS, PART, EXPIRES_AT)

    assert known(recorded) == before


def test_the_outcome_of_a_part_is_that_of_its_deployment(recorded):
    recorded.take_up(OURS, PART, EXPIRES_AT)

    recorded.note_outcome(THEIRS, PART, Outcome.SUCCEEDED)
    assert known(recorded).progress_of(PART).outcome is None

    recorded.note_outcome(OURS, PART, Outcome.ROLLED_BACK)
    assert known(recorded).progress_of(PART).outcome is Outcome.ROLLED_BACK


def test_the_outcome_of_a_part_that_nobody_has_taken_up_is_not_written(recorded):
    recorded.note_outcome(OURS, PART, Outcome.SUCCEEDED)

    assert known(recorded) == RECORD


def test_the_first_stage_of_a_release_has_come_and_no_other_one():
    assert RECORD.has_come("staging")
    assert not RECORD.has_come("production")
    assert not RECORD.has_come("canary")


@pytest.mark.parametrize(("first", "second"), IN_ANY_ORDER)
def test_a_stage_has_come_when_each_deployment_of_the_stage_before_it_went_well(
    recorded, first, second
):
    goes_well(recorded, first)
    halfway = known(recorded).has_come("production")
    goes_well(recorded, second, Outcome.NO_CHANGE)

    assert (halfway, known(recorded).has_come("production")) == (False, True)


@pytest.mark.parametrize("outcome", [None, *Outcome])
def test_a_stage_has_come_only_after_outcomes_with_which_a_release_goes_on(recorded, outcome):
    goes_well(recorded, PART)
    other = claim("e-3", service="staging/web")
    recorded.take_up(other, OTHER_PART, EXPIRES_AT)
    if outcome:
        recorded.note_outcome(other, OTHER_PART, outcome)

    goes_on = outcome is not None and outcome.facts.goes_on
    assert known(recorded).has_come("production") is goes_on


def test_a_third_stage_waits_for_the_first_and_the_second(ledger):
    stages = [deployment(stage=stage) for stage in ("one", "two", "three")]
    ledger.record_release(release_record(*stages))

    goes_well(ledger, part_of(stages[1]))
    without_the_first = known(ledger).has_come("three")
    goes_well(ledger, part_of(stages[0]))

    assert (without_the_first, known(ledger).has_come("three")) == (False, True)


# --- manual rollbacks -----------------------------------------------------------------------------


def test_a_manual_rollback_is_read_as_it_was_recorded(ledger):
    rollback_recorded(ledger, manual_rollback(), None, good=good())

    found = ledger.rollback("rollback-1")

    assert (found.deployment, found.good) == (manual_rollback(), good())
    assert (found.carried_out_by, found.expires_at) == (None, EXPIRES_AT)
    assert ledger.rollback("rollback-2") is None


def test_a_manual_rollback_keeps_the_target_that_was_recorded_first(ledger):
    rollback_recorded(ledger, manual_rollback(), None, good=good())

    rollback_recorded(ledger, manual_rollback(), None, refusal="there is nothing good")

    found = ledger.rollback("rollback-1")
    assert (found.good, found.refusal) == (good(), "")


def test_a_manual_rollback_is_carried_out_by_one_deployment_only(ledger):
    rollback_recorded(ledger, manual_rollback(), "e-1")
    ledger.take_up(claim("e-1"), ROLLBACK, EXPIRES_AT)

    with pytest.raises(Refused):
        ledger.take_up(claim("e-2"), ROLLBACK, EXPIRES_AT)

    assert ledger.rollback("rollback-1").carried_out_by == claim("e-1").deployment


def test_a_manual_rollback_that_is_recorded_again_is_still_carried_out_by_the_same_one(ledger):
    rollback_recorded(ledger, manual_rollback(), "e-1")

    rollback_recorded(ledger, manual_rollback(), None)

    assert ledger.rollback("rollback-1").carried_out_by == claim("e-1").deployment


# --- recoveries -----------------------------------------------------------------------------------


def test_a_recovery_is_recorded_with_its_deployment(ledger):
    own = accepted(ledger, "e-1")

    assert ledger.note_recovery(own, recovery(1), None)

    found = ledger.deployment(own)
    assert found.recovery == recovery(1)
    assert found.steps == {"BeginDeployment": NOW}


def test_a_deployment_that_has_written_nothing_can_be_recovered(ledger):
    assert ledger.note_recovery(claim(), recovery(1), None)

    assert ledger.deployment(claim()).recovery == recovery(1)


def test_the_history_of_a_deployment_may_begin_after_its_recovery(ledger):
    ledger.note_recovery(claim(), recovery(1), None)

    ledger.open(claim(), deployment(), None, None, None, NOW)

    assert ledger.deployment(claim()).recovery == recovery(1)
    assert ledger.deployment(claim()).steps == {"BeginDeployment": NOW}


def test_the_recovery_after_a_recovery_is_recorded_once(ledger):
    ledger.note_recovery(claim(), recovery(1), None)

    assert ledger.note_recovery(claim(), recovery(2), recovery(1))
    assert not ledger.note_recovery(claim(), recovery(2, "another"), recovery(1))
    assert not ledger.note_recovery(claim(), recovery(1, "another"), None)

    assert ledger.deployment(claim()).recovery == recovery(2)


@pytest.mark.parametrize("last", [None, recovery(1)], ids=["the first", "the second"])
def test_one_of_two_calls_that_have_read_the_same_records_its_recovery(ledger, last):
    if last:
        ledger.note_recovery(claim(), last, None)
    wanted = [recovery(last.attempt + 1 if last else 1, by) for by in ("one", "other")]

    recorded = [ledger.note_recovery(claim(), each, last) for each in wanted]

    assert recorded == [True, False]
    assert ledger.deployment(claim()).recovery == wanted[0]


# --- what can't be read ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pk", "sk", "field", "read"),
    [
        ("release#event-1", "release", "stages", lambda ledger: ledger.release("event-1")),
        (
            "release#event-1",
            "progress#staging#staging/api",
            "outcome",
            lambda ledger: ledger.release("event-1"),
        ),
        (
            "rollback#rollback-1",
            "rollback",
            "running",
            lambda ledger: ledger.rollback("rollback-1"),
        ),
    ],
)
def test_an_item_that_someone_has_broken_is_an_error_that_names_it(recorded, pk, sk, field, read):
    recorded.take_up(OURS, PART, EXPIRES_AT)
    rollback_recorded(recorded, manual_rollback())
    aws.table().update_item(
        Key={"pk": pk, "sk": sk},
        UpdateExpression="SET #field = :odd",
        ExpressionAttributeNames={"#field": field},
        ExpressionAttributeValues={":odd": 5},
    )

    with pytest.raises(Unreadable, match=f"the ledger's item {pk} [^ ]+ is not valid:\n.*{field}"):
        read(recorded)


def test_a_stage_that_the_release_does_not_have_never_comes(ledger):
    ledger.record_release(release_record(deployment()))

    assert not ledger.release("event-1").has_come("payments")


def test_a_recovery_whose_note_was_written_but_not_answered_is_this_calls_own(ledger):
    """botocore sends the same write again."""
    assert ledger.note_recovery(claim(), recovery(1), None)

    assert ledger.note_recovery(claim(), recovery(1), None)
