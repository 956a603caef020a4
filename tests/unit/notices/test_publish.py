"""Handing a notice to SNS: once, in each of its forms, and never more than SNS takes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway import aws
from slipway.errors import AwsRefused, AwsUnavailable
from slipway.notices.chat import chat_of
from slipway.notices.email import subject_of, text_of
from slipway.notices.notice import ContainerLog, Notice
from slipway.notices.publish import MESSAGE_BYTES, attributes_of, publish
from slipway.notices.sanitize import WAS_CUT
from tests.support.builders import SERVICE, TOPIC, image
from tests.support.endings import ending, failed_release, noticed, stage, start
from tests.support.examples import examples
from tests.support.notices import NOTICES

FORMS = {"default", "email", "lambda", "sqs", "http", "https"}


class Taken:
    """In place of the SNS client: what was published."""

    def publish(self, **message):
        self.message = message
        return {"MessageId": "m-1"}

    @property
    def forms(self):
        return json.loads(self.message["Message"])

    @property
    def size(self) -> int:
        attributes = [
            name + value["DataType"] + value["StringValue"]
            for name, value in self.message["MessageAttributes"].items()
        ]
        texts = [self.message["Message"], self.message["Subject"], *attributes]
        return sum(len(text.encode()) for text in texts)


def taken(notice, chat=False):
    sns = Taken()
    publish(notice, TOPIC, sns, chat)
    return sns


def test_a_notice_is_published_once_with_its_forms_and_its_attributes(sns):
    notice = noticed(ending("ROLLED_BACK"))
    whole = json.dumps(notice.to_json(), ensure_ascii=False)
    text = text_of(notice)
    forms = {
        "default": text,
        "email": text,
        "lambda": whole,
        "sqs": whole,
        "http": whole,
        "https": whole,
    }
    sns.answers(
        "publish",
        {"MessageId": "m-1"},
        TopicArn=TOPIC,
        Subject=subject_of(notice),
        MessageStructure="json",
        Message=json.dumps(forms, ensure_ascii=False),
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value}
            for name, value in attributes_of(notice).items()
        },
    )

    assert publish(notice, TOPIC, sns.client) == "m-1"


@pytest.mark.parametrize("name", NOTICES)
def test_a_subscribed_function_gets_the_notice_as_it_is(name):
    forms = taken(NOTICES[name]).forms

    assert forms.keys() == FORMS
    for form in ("lambda", "sqs", "http", "https"):
        assert Notice.model_validate_json(forms[form]) == NOTICES[name]


@pytest.mark.parametrize("name", NOTICES)
def test_https_endpoints_get_what_amazon_q_reads_where_that_is_asked_for(name):
    forms = taken(NOTICES[name], chat=True).forms

    assert forms["https"] == chat_of(NOTICES[name])
    assert Notice.model_validate_json(forms["http"]) == NOTICES[name]


@pytest.mark.parametrize(
    ("code", "error"), [("AuthorizationError", AwsRefused), ("Throttled", AwsUnavailable)]
)
def test_a_notice_that_was_not_taken_names_the_topic(sns, code, error):
    sns.refuses("publish", code, status=429 if error is AwsUnavailable else 403)

    with pytest.raises(error, match=f"{code} from sns:Publish on topic {TOPIC}"):
        publish(NOTICES["start"], TOPIC, aws.sns())


def test_the_attributes_are_for_subscription_filters():
    assert attributes_of(noticed(ending())) == {
        "kind": "end",
        "outcome": "SUCCEEDED",
        "repository": "shop/api",
        "service": SERVICE,
        "stage": "production",
    }


def test_a_start_has_no_outcome_to_be_filtered_by():
    of_start = {"repository": "shop/api", "service": SERVICE, "stage": "production"}
    assert attributes_of(noticed(start())) == {"kind": "start"} | of_start
    of_stage = {"repository": "shop/api", "stage": "production"}
    assert attributes_of(noticed(stage())) == {"kind": "stage"} | of_stage


def test_an_alarm_is_filtered_by_its_state():
    assert attributes_of(NOTICES["alarm_undelivered_slack"]) == {
        "kind": "alarm",
        "outcome": "ALARM",
    }


def test_no_attribute_is_empty_or_longer_than_a_name_can_be():
    assert attributes_of(noticed(failed_release())) == {"kind": "end", "outcome": "FAILED"}
    long = noticed(failed_release()).model_copy(update={"repository": "r" * 500})
    assert len(attributes_of(long)["repository"]) == 256


def test_text_from_outside_is_harmless_whoever_made_the_notice():
    progress = NOTICES["progress"].model_copy(update={"reason": "\x1b[1m1 of 2\udcff"})

    assert Notice.model_validate_json(taken(progress).forms["lambda"]).reason == "1 of 2\ufffd"


LONG = st.tuples(st.text(alphabet='aä€😀\n"\\<', min_size=1), st.integers(0, 60_000)).map(
    lambda drawn: (drawn[0] * (drawn[1] // len(drawn[0]) + 1))[: drawn[1]]
)


@settings(max_examples=examples(12))
@given(LONG, st.integers(0, 300), st.booleans())
def test_a_message_fits_into_sns_and_is_cut_between_characters(long, count, chat):
    log = ContainerLog(
        container=long[:500],
        task="t",
        group="g",
        stream="s",
        lines=(long[:5000],) * 20,
        problem=long,
    )
    news = ending(
        "ROLLED_BACK",
        reason=long,
        evidence=[long[:3000]] * count,
        alarms_firing=[long[:255]] * 100,
        by=long,
        stage=long,
        image=image(tag=long, repository=long),
    )

    sns = taken(noticed(news, log=log), chat)

    assert sns.size <= MESSAGE_BYTES
    assert sns.message["Message"].encode().decode() == sns.message["Message"]
    notice = Notice.model_validate_json(sns.forms["lambda"])
    assert notice.commands or len(image(repository=long).repository) > 100


def test_a_message_without_a_log_is_cut_to_what_sns_takes():
    notice = noticed(ending("FAILED", evidence=["x" * 60_000] * 40))

    sns = taken(notice)

    assert sns.size <= MESSAGE_BYTES
    assert Notice.model_validate_json(sns.forms["lambda"]).log is None


def test_a_message_that_is_cut_says_so_in_every_form_and_links_to_the_whole():
    lines = tuple(f"line {n}" for n in range(200))
    log = ContainerLog(container="app", task="t", group="g", stream="s", lines=lines)
    notice = noticed(ending("FAILED", evidence=["x" * 60_000] * 4), log=log)

    forms = taken(notice).forms

    short = Notice.model_validate_json(forms["lambda"])
    assert short.evidence[-1] == WAS_CUT
    assert short.evidence[0].endswith("x…")
    assert short.log.lines[-1] == "line 199", "the end says why"
    assert (short.links, short.commands, short.about) == (
        notice.links,
        notice.commands,
        notice.about,
    )
    assert f"  - {WAS_CUT}" in forms["email"]
    assert notice.links[0].url in forms["email"]


def test_a_message_that_fits_is_whole():
    notice = noticed(ending("FAILED", evidence=["x" * 30_000]))

    assert Notice.model_validate_json(taken(notice).forms["sqs"]) == notice
