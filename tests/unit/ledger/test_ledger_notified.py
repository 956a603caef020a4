"""Notifications of what is no deployment: releases and alarms."""

from __future__ import annotations

from slipway import aws
from tests.support.builders import NOW, at
from tests.support.endings import RELEASE


def test_each_event_of_a_release_is_noted_by_itself(ledger):
    assert not ledger.notified(RELEASE, "end")

    ledger.note_notified_of(RELEASE, "stage_1", NOW, at(60))

    assert ledger.notified(RELEASE, "stage_1")
    assert not ledger.notified(RELEASE, "end")
    assert not ledger.notified(f"{RELEASE}2", "stage_1")


def test_a_second_event_of_a_release_leaves_the_note_of_the_first(ledger):
    for event in ("stage_1", "stage_2"):
        ledger.note_notified_of(RELEASE, event, NOW, at(60))

    assert ledger.notified(RELEASE, "stage_1")
    assert ledger.notified(RELEASE, "stage_2")


def test_a_notification_expires_when_its_item_says(ledger):
    ledger.note_notified_of(RELEASE, "end", NOW, at(60))

    item = aws.table().get_item(Key={"pk": "notified", "sk": RELEASE})["Item"]
    assert item["expires_at"] == int(at(60).timestamp())
    assert item["end"] == "2026-11-22T03:00:00.000000Z"
