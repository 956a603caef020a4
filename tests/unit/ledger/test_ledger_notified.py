"""What people were told of and is no deployment: releases and alarms."""

from __future__ import annotations

from slipway import aws
from tests.support.builders import NOW, at
from tests.support.endings import RELEASE


def test_people_are_told_of_each_event_of_a_release_once(ledger):
    assert not ledger.told(RELEASE, "end")

    ledger.note_told_of(RELEASE, "stage_1", NOW, at(60))

    assert ledger.told(RELEASE, "stage_1")
    assert not ledger.told(RELEASE, "end")
    assert not ledger.told(f"{RELEASE}2", "stage_1")


def test_another_event_takes_nothing_from_the_first(ledger):
    for event in ("stage_1", "stage_2"):
        ledger.note_told_of(RELEASE, event, NOW, at(60))

    assert ledger.told(RELEASE, "stage_1")
    assert ledger.told(RELEASE, "stage_2")


def test_it_is_forgotten_when_it_is_told_to_be(ledger):
    ledger.note_told_of(RELEASE, "end", NOW, at(60))

    item = aws.table().get_item(Key={"pk": "told", "sk": RELEASE})["Item"]
    assert item["expires_at"] == int(at(60).timestamp())
    assert item["end"] == "2026-11-22T03:00:00.000000Z"
