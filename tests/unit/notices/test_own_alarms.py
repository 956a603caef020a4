"""Slipway's own alarms, in words."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from samcli.yamlhelper import yaml_parse as parse

from slipway.errors import InvalidInput
from slipway.notices.notice import Kind
from slipway.notices.own_alarms import MEANINGS, alarm_notice, is_alarm_event
from tests.support.alarm_events import event
from tests.support.builders import REGION
from tests.support.paths import REPO

TEMPLATE = parse((REPO / "template.yaml").read_text())


@pytest.mark.parametrize("logical_id", MEANINGS)
def test_the_notice_of_each_alarm_says_what_it_means_and_where_to_read_what_to_do(logical_id):
    notice = alarm_notice(event(f"slipway-{logical_id}-1A2B"))

    assert notice.title == f"ALARM: {MEANINGS[logical_id].firing} (slipway-{logical_id}-1A2B)"
    assert notice.reason.startswith(MEANINGS[logical_id].sentence)
    chapter = MEANINGS[logical_id].chapter
    assert notice.reason.endswith(f'; docs/operations.md says what to do, under "{chapter}"')
    assert notice.meaning == "somebody has to act"


ALARMS = {
    name
    for name, resource in TEMPLATE["Resources"].items()
    if resource["Type"] == "AWS::CloudWatch::Alarm"
}


def notified(state):
    """The logical IDs of the alarms of whose change to this state the rule notifies people."""
    [event] = TEMPLATE["Resources"]["Notify"]["Properties"]["Events"].values()
    [branch] = [
        each
        for each in event["Properties"]["Pattern"]["detail"]["$or"]
        if each["state"]["value"] == [state]
    ]
    return set(re.findall(r"'Ref': '(\w+)'", str(branch["alarmName"])))


def test_every_alarm_of_the_template_has_a_meaning_and_notifies_people():
    assert set(MEANINGS) == ALARMS == notified("ALARM")


def test_people_are_notified_that_an_alarm_is_over_if_that_says_anything():
    with_an_end = {logical_id for logical_id, meaning in MEANINGS.items() if meaning.over}

    assert notified("OK") == with_an_end == ALARMS - {"ReleaseAborted", "ReleaseTimedOut"}


@pytest.mark.parametrize("chapter", [meaning.chapter for meaning in MEANINGS.values()])
def test_the_chapter_that_an_alarm_points_to_is_there(chapter):
    assert f"\n## {chapter}\n" in (REPO / "docs" / "operations.md").read_text()


def test_the_notice_of_an_alarm_has_all_facts_of_its_event():
    notice = alarm_notice(event())

    assert (notice.kind, notice.outcome) == (Kind.ALARM, "ALARM")
    assert notice.about == "slipway-UndeliveredSlackNotEmpty-1A2B"
    assert notice.at == datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    assert notice.evidence == ("CloudWatch says: Threshold Crossed",)
    [link] = notice.links
    assert link.url.startswith(f"https://{REGION}.console.aws.amazon.com/cloudwatch/home?")
    assert link.url.endswith("#alarmsV2:alarm/slipway-UndeliveredSlackNotEmpty-1A2B")


def test_the_notice_of_an_alarm_that_is_ok_again_says_that_it_is_over():
    notice = alarm_notice(event(state="OK"))

    assert notice.title.startswith("OK: no undelivered notice to Slack is left")
    assert (notice.meaning, notice.reason) == ("it is over", "its queue is empty again")


@pytest.mark.parametrize(
    ("name", "state", "meaning"),
    [
        ("api-5xx", "ALARM", "somebody has to act"),
        ("api-5xx", "OK", "it is over"),
        ("slipway-ReleaseAborted-1A2B", "OK", "it is over"),
        (
            "slipway-UndeliveredSlackNotEmpty-1A2B",
            "INSUFFICIENT_DATA",
            "CloudWatch has no data for it",
        ),
    ],
)
def test_the_notice_of_an_alarm_without_a_known_meaning_says_only_what_its_event_says(
    name, state, meaning
):
    notice = alarm_notice(event(name, state))

    assert notice.title == f"{state}: alarm {name}"
    assert notice.reason == f"alarm {name} went to {state}"
    assert notice.meaning == meaning


def test_an_alarm_without_a_reason_has_no_evidence():
    detail = {"alarmName": "a", "state": {"value": "ALARM"}}

    assert alarm_notice(event(detail=detail)).evidence == ()


def test_an_alarms_texts_are_harmless():
    notice = alarm_notice(event("a\u202eb", "ALARM"))

    assert (notice.title, notice.about) == ("ALARM: alarm a\ufffdb", "a\ufffdb")
    assert len(alarm_notice(event("a" * 255)).title) <= 200


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": None}, "id"),
        ({"resources": []}, "resources"),
        ({"resources": ["x"]}, "resources.0"),
        ({"detail": {"state": {"value": "OK"}}}, "detail.alarmName"),
        ({"detail": {"alarmName": "a", "state": {}}}, "detail.state.value"),
    ],
)
def test_the_field_that_an_event_misses_is_named(changes, field):
    with pytest.raises(InvalidInput, match=f"\n  {field}: "):
        alarm_notice(event(**changes))


def test_an_alarms_event_is_known_by_its_type():
    assert is_alarm_event(event())
    assert not is_alarm_event({"outcome": "FAILED"})
