"""What people are told, and how: subject, text and attributes."""

from __future__ import annotations

import json

import pytest

from slipway.errors import AwsRefused, InvalidInput
from slipway.message import compose, reason_of
from tests.unit.builders import DIGEST, OLD_DIGEST, SERVICE, URI, image
from tests.unit.endings import OUTCOMES, block, ending, failed_release, told


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_subject_and_first_line_tell_the_outcome_and_the_service(outcome):
    message = compose(ending(outcome))

    assert message.subject == f"[{outcome}] production/api shop/api:v2 (abababababab)"
    assert message.text.startswith(f"production/api: {outcome} - ")


def test_a_rollback_is_never_called_a_success():
    text = compose(ending("ROLLED_BACK")).text

    assert "the previous version is back" in text
    assert "SUCCEEDED" not in text


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


def test_a_failed_rollback_tells_both_reasons():
    bad = ending("ROLLBACK_FAILED", reason="alarm", rollback_reason="access denied")

    assert told("Why", bad) == ["alarm; rolling back failed: access denied"]


def test_what_was_deployed_where_and_what_was_there_before_is_told():
    assert told("What", ending()) == [
        "image:           shop/api:v2 (abababababab)",
        f"digest:          {DIGEST}",
        "stage:           production",
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
        "outcome": "SUCCEEDED",
        "repository": "shop/api",
        "service": SERVICE,
        "stage": "production",
    }


def test_no_attribute_is_empty():
    assert compose(failed_release()).attributes == {"outcome": "FAILED"}


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


def test_of_a_failed_rollback_step_only_its_message_is_told():
    bad = ending("ROLLBACK_FAILED", reason="r", rollback_reason=lambda_cause(AwsRefused("denied")))

    assert told("Why", bad) == ["r; rolling back failed: denied"]


@pytest.mark.parametrize(
    "cause",
    ["plain words", "", "5", "[1]", '{"Status": "FAILED"}', "{", "null", "States.Timeout"],
)
def test_any_other_cause_is_told_as_it_is(cause):
    assert reason_of(cause) == cause


def test_an_error_that_is_not_slipways_own_is_told_with_its_name():
    assert reason_of(lambda_cause(KeyError("id"))) == "KeyError: 'id'"


@pytest.mark.parametrize("error", [AssertionError(), KeyError()])
def test_an_error_without_a_message_is_told_by_its_name(error):
    assert type(error).__name__ in reason_of(lambda_cause(error))


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
    ended = failed_release().model_dump() | {"service": 5, "stage": ["a"], "image": "v2"}
    read = type(failed_release()).model_validate(ended)

    assert (read.service, read.stage, read.image, read.reason) == (None, None, None, "no plan")
