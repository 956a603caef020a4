"""What people are told, and how: subject, text and attributes."""

from __future__ import annotations

import json

import pytest

from slipway.errors import AwsRefused, InvalidInput
from slipway.message import compose
from tests.unit.builders import DIGEST, OLD_DIGEST, SERVICE, URI, image
from tests.unit.endings import OUTCOMES, block, ending, failed_release, start, told


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_subject_and_first_line_tell_the_outcome_and_the_service(outcome):
    message = compose(ending(outcome))

    assert message.subject == f"[{outcome}] production/api shop/api:v2 (abababababab)"
    assert message.text.startswith(f"production/api: {outcome} - ")
    assert "see the execution" not in message.text


def test_that_a_deployment_started_is_told_without_a_reason():
    message = compose(start())

    assert message.subject == "[STARTED] production/api shop/api:v2 (abababababab)"
    assert message.text.startswith("production/api: STARTED - it is on its way\n")
    assert block(message.text, "Why") == []


def test_what_was_changed_before_it_starts_is_told_as_evidence():
    assert told("Evidence", start(evidence=["the service ran shop-api:40"])) == [
        "- the service ran shop-api:40"
    ]


def test_a_rollback_is_never_called_a_success():
    text = compose(ending("ROLLED_BACK")).text

    assert "the last good version is back" in text
    assert "SUCCEEDED" not in text


@pytest.mark.parametrize("outcome", ["REJECTED", "FAILED"])
def test_where_nothing_was_changed_it_is_said(outcome):
    assert "nothing was changed" in compose(ending(outcome)).text


def test_a_success_that_the_ledger_does_not_know_is_not_called_one():
    first, *_ = compose(ending("LedgerNotWritten")).text.split("\n")

    assert first.endswith("the last good version will be put back")


def test_an_outcome_without_words_of_its_own_points_to_the_execution():
    assert compose(ending("NEW")).text.startswith("production/api: NEW - see the execution")


@pytest.mark.parametrize(
    ("about", "subject"),
    [
        ({"repository": "shop/api"}, "[FAILED] shop/api"),
        ({"image": image()}, "[FAILED] shop/api shop/api:v2 (abababababab)"),
        ({}, "[FAILED] release"),
    ],
)
def test_a_release_is_told_of_by_what_is_known_of_it(about, subject):
    assert compose(failed_release(**about)).subject == subject


def test_the_reason_and_the_evidence_are_told():
    bad = ending("ROLLED_BACK", reason="alarm went off", evidence=["exit code 1", "alarm: 5xx"])

    assert told("Why", bad) == ["alarm went off"]
    assert told("Evidence", bad) == ["- exit code 1", "- alarm: 5xx"]


def test_what_was_deployed_where_and_what_was_there_before_is_told():
    assert told("What", ending()) == [
        "image:           shop/api:v2 (abababababab)",
        f"digest:          {DIGEST}",
        "stage:           production",
        "started by:      push",
        "task definition: shop-api:42",
        f"before:          shop-api:41, api api@{OLD_DIGEST}",
    ]


@pytest.mark.parametrize(
    ("reference", "words"),
    [(f"{URI}:v1", "api api:v1"), (f"{URI}@{OLD_DIGEST}", f"api api@{OLD_DIGEST}")],
)
def test_what_was_before_is_told_by_tag_or_digest(reference, words):
    before = told("What", ending(previous_images={"api": reference}))[-1]

    assert before.endswith(f"shop-api:41, {words}")


def test_nothing_that_is_not_known_is_told():
    text = compose(failed_release()).text

    assert "None" not in text
    assert block(text, "What") == block(text, "Evidence") == block(text, "Roll back by hand") == []


def test_the_attributes_are_for_subscription_filters():
    assert compose(ending()).attributes == {
        "kind": "end",
        "outcome": "SUCCEEDED",
        "repository": "shop/api",
        "service": SERVICE,
        "stage": "production",
    }


def test_a_start_has_no_outcome_to_be_filtered_by():
    assert compose(start()).attributes == {
        "kind": "start",
        "repository": "shop/api",
        "service": SERVICE,
        "stage": "production",
    }


def test_no_attribute_is_empty():
    assert compose(failed_release()).attributes == {"kind": "end", "outcome": "FAILED"}


def lambda_cause(error: Exception) -> str:
    """The Cause of a failed Lambda task."""
    trace = ['  File "/var/task/notify.py", line 20, in handler\n    ending = parse(event)\n']
    said = {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": trace}
    return json.dumps(said | {"requestId": "1"})


def test_of_a_failed_step_only_its_message_is_told():
    text = compose(ending("FAILED", reason=lambda_cause(InvalidInput("no such container")))).text

    assert "  no such container\n" in text
    assert "stackTrace" not in text
    assert "File " not in text


def test_of_a_failed_step_among_the_evidence_only_its_message_is_told():
    bad = ending("ROLLBACK_FAILED", evidence=[lambda_cause(AwsRefused("denied")), "exit code 1"])

    assert told("Evidence", bad) == ["- denied", "- exit code 1"]


def test_a_message_of_several_lines_stays_in_its_block():
    assert told("Why", failed_release().model_copy(update={"reason": "a\nb"})) == ["a", "b"]


def test_an_alarm_that_fired_before_is_told_not_to_have_guarded():
    evidence = told("Evidence", ending(alarms_firing=("api-5xx",)))

    assert evidence == [
        "- alarm api-5xx was in ALARM before it began: it did not guard this deployment"
    ]


def test_a_release_that_failed_is_not_said_to_have_changed_nothing():
    assert "nothing was changed" not in compose(failed_release(repository="shop/api")).text


def test_a_release_that_failed_names_the_tag_that_it_was_started_with():
    assert (
        compose(failed_release(repository="shop/api", tag="v5")).subject == "[FAILED] shop/api v5"
    )


def test_what_can_not_be_read_is_left_out_and_the_rest_is_told():
    wrong = {"service": 5, "stage": ["a"], "image": "v2", "started_by": {}}
    read = type(failed_release()).model_validate(failed_release().model_dump() | wrong)

    assert (read.service, read.stage, read.image, read.started_by) == (None, None, None, None)
    assert read.reason == "no plan"
