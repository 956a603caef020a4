"""A notice as Slack shows it: what it takes, and nothing from outside that does anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.health.cause import Cause
from slipway.health.outcome import Outcome
from slipway.image import Image
from slipway.notices.notice import (
    Command,
    ContainerLog,
    Kind,
    Link,
    LinkKind,
    Notice,
    RemainingStage,
    Running,
    Tasks,
)
from slipway.release.release import StartedBy
from slipway.slack.block_kit import MESSAGE_LENGTH, size
from slipway.slack.blocks import SYMBOLS_OF_ALARMS, continued, details_of, message_of, whole_of
from tests.support.block_kit_rules import problems, texts
from tests.support.notices import AT, NOTICES
from tests.support.notify_slack import START, later
from tests.support.slack_text import live

LIVE = (
    "<!channel>",
    "<@U1>",
    "<https://e.example|x>",
    "@here",
    "https://e.example",
    ":tada:",
    "*b* `c`",
)
OUTSIDE = (
    st.text(max_size=40) | st.sampled_from(LIVE) | st.text("ab\n<>", max_size=400).map("x".__add__)
)
LONG = OUTSIDE.map(lambda text: text * 30)
SOME = st.lists(OUTSIDE | LONG, max_size=30).map(tuple)
MAYBE = st.none() | OUTSIDE
LINKS = st.builds(
    Link,
    kind=st.sampled_from(LinkKind),
    title=OUTSIDE,
    url=OUTSIDE | OUTSIDE.map("https://console/".__add__),
)
TASKS = st.builds(Tasks, desired=st.integers(0, 300), healthy=st.integers(0, 300))
LOGS = st.builds(
    ContainerLog,
    container=OUTSIDE,
    task=OUTSIDE,
    group=OUTSIDE,
    stream=OUTSIDE,
    lines=SOME,
    problem=st.just("") | OUTSIDE,
)
NOTHING_LIVE = st.builds(
    Notice,
    kind=st.sampled_from(Kind),
    about=OUTSIDE,
    at=st.just(AT),
    outcome=st.none() | st.sampled_from([*Outcome, *SYMBOLS_OF_ALARMS, "later"]),
    title=OUTSIDE | LONG,
    meaning=OUTSIDE,
    reason=OUTSIDE | LONG,
    cause=st.none() | st.sampled_from(Cause),
    evidence=SOME,
    log=st.none() | LOGS,
    remaining_stages=st.lists(
        st.builds(RemainingStage, name=OUTSIDE, services=SOME), max_size=3
    ).map(tuple),
    service=MAYBE,
    stage=MAYBE,
    image=st.none() | st.builds(Image, repository=OUTSIDE, uri=OUTSIDE, digest=OUTSIDE, tag=MAYBE),
    tag=MAYBE,
    started_by=st.none() | st.sampled_from(StartedBy),
    by=MAYBE,
    rollback_target=MAYBE,
    rollback_target_images=st.dictionaries(OUTSIDE, OUTSIDE, max_size=3),
    running=st.none()
    | st.builds(
        Running,
        task_definition=OUTSIDE,
        images=st.dictionaries(OUTSIDE, OUTSIDE, max_size=3),
        tasks=st.none() | TASKS,
    ),
    gates=SOME,
    alarms_firing=SOME,
    tasks=st.none() | TASKS,
    execution=MAYBE,
    links=st.lists(LINKS, max_size=9).map(tuple),
    commands=st.lists(st.builds(Command, title=OUTSIDE, command=OUTSIDE | LONG), max_size=5).map(
        tuple
    ),
)


def elements(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in it that has a type."""
    if isinstance(value, dict):
        if "type" in value:
            yield value
        for inner in value.values():
            yield from elements(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from elements(inner)


def renderings(notice: Notice) -> list[dict[str, Any]]:
    made = [message_of(notice), details_of(notice), whole_of(notice)]
    return [message for message in made if message]


def said(message: dict[str, Any]) -> str:
    return "\n".join(texts(message["blocks"]))


@pytest.mark.parametrize("name", NOTICES)
def test_slack_takes_every_message(name):
    assert [problems(message) for message in renderings(NOTICES[name])] == [[]] * len(
        renderings(NOTICES[name])
    )


@given(NOTHING_LIVE)
def test_slack_takes_every_message_whatever_is_in_it(notice):
    for message in renderings(notice):
        assert problems(message) == []


@given(NOTHING_LIVE)
def test_no_mention_no_link_and_no_markup_is_made_from_outside(notice):
    ours = {link.url for link in notice.links}
    for message in renderings(notice):
        assert not live(message["text"])
        for element in elements(message["blocks"]):
            assert element["type"] in {
                *("header", "plain_text", "rich_text", "rich_text_section", "rich_text_list"),
                *("rich_text_preformatted", "text", "link", "date"),
            }
            if element["type"] == "link":
                assert element["url"] in ours
                assert element["url"].startswith("https://")
            if element["type"] == "plain_text":
                assert element["emoji"] is False


def test_a_notice_with_every_field_full_fits_into_one_message():
    links = tuple(
        Link(kind=LinkKind.ALARM, title=f"alarm {n}", url=f"https://{n}" + "x" * 1480)
        for n in range(6)
    )
    many = tuple(f"{n}: " + "€" * 400 for n in range(20))
    notice = later(
        NOTICES["rollback_failed"],
        0,
        kind=Kind.START,
        reason="\n".join(many),
        evidence=many,
        gates=many,
        alarms_firing=many,
        rollback_target_images=dict.fromkeys(many, "image"),
        log=NOTICES["crashed"].log.model_copy(update={"lines": many}),
        links=links,
        commands=(Command(title="Roll back", command="aws " * 220),) * 3,
    )
    whole = whole_of(notice)

    assert problems(whole) == []
    assert size(whole["blocks"]) <= MESSAGE_LENGTH
    assert many[0][:100] in said(whole)
    assert "Cut here" in said(whole)


def test_a_message_that_is_cut_links_to_the_execution():
    links = (
        Link(kind=LinkKind.SERVICE, title="the service", url="https://s"),
        Link(kind=LinkKind.EXECUTION, title="how it went", url="https://e"),
    )
    notice = later(START, 0, reason="because " * 200, links=links)

    foot = message_of(notice)["blocks"][-1]["elements"][0]["elements"]
    assert foot[-1] == {"type": "link", "url": "https://e", "text": "how it went"}
    assert "Cut here" in foot[-2]["text"]


def test_a_message_that_is_cut_and_has_no_link_says_where_the_whole_text_is():
    long = later(START, 0, gates=("a long sentence " * 50,), links=())

    assert "in the history of its execution" in said(details_of(long))
    assert "in what SNS has sent" in said(whole_of(long.model_copy(update={"execution": None})))


def test_a_long_log_is_cut_to_its_last_lines():
    log = NOTICES["crashed"].log.model_copy(
        update={"lines": tuple(f"line {n} {'x' * 290}" for n in range(20))}
    )
    shown = said(details_of(later(NOTICES["crashed"], 0, log=log)))

    assert "line 19" in shown
    assert "line 0 " not in shown
    assert "Cut here" in shown


def test_a_reason_of_several_lines_keeps_its_lines_as_a_list():
    notice = NOTICES["release_failed"]
    [body] = message_of(notice)["blocks"][1:2]

    assert [element["type"] for element in body["elements"]][:3] == [
        "rich_text_section",
        "rich_text_list",
        "rich_text_section",
    ]
    assert "bake_seconds" in json.dumps(body["elements"][1])


def test_the_card_of_a_manual_rollback_shows_its_target():
    notice = NOTICES["start_of_manual_rollback"]

    assert "rolls back to: " in said(message_of(notice))
    assert "Rolls back to" in said(details_of(notice))


def test_a_log_that_can_not_be_read_says_why():
    log = NOTICES["crashed"].log
    unread = log.model_copy(update={"lines": (), "problem": "AccessDenied"})
    silent = log.model_copy(update={"lines": (" ",)})

    elsewhere = unread.model_copy(update={"group": "", "stream": ""})

    assert "AccessDenied" in said(details_of(later(NOTICES["crashed"], 0, log=unread)))
    assert f"(task {log.task})" in said(details_of(later(NOTICES["crashed"], 0, log=elsewhere)))
    assert "It wrote nothing." in said(details_of(later(NOTICES["crashed"], 0, log=silent)))


def test_the_thread_of_a_stopped_release_lists_the_stages_that_did_not_start():
    shown = said(details_of(NOTICES["release_stopped"]))

    assert "Not started" in shown
    assert "stage production: production/api, production/worker" in shown


def test_a_command_is_shown_whole_or_not_at_all():
    command = Command(title="Roll back", command="aws " * 300)
    shown = said(details_of(later(START, 0, commands=(command,))))

    assert "aws aws" not in shown
    assert "it is in the email" in shown


def test_a_progress_a_stage_and_an_ignored_push_have_no_details():
    assert details_of(NOTICES["progress"]) is None
    assert details_of(NOTICES["stage"]) is None
    assert details_of(NOTICES["ignored"]) is None


@pytest.mark.parametrize(
    ("tasks", "bar"),
    [((2, 1), "■□"), ((2, 2), "■■"), ((0, 0), "□"), ((200, 199), "■■■■■■■■■□"), ((1, 3), "■")],
)
def test_the_bar_is_full_only_when_every_task_is_healthy(tasks, bar):
    desired, healthy = tasks
    notice = later(NOTICES["progress"], 0, tasks=Tasks(desired=desired, healthy=healthy))

    assert f'"{bar}"' in json.dumps(message_of(notice), ensure_ascii=False)


def test_each_outcome_has_its_own_shape_beside_the_word():
    symbols = [*(outcome.facts.symbol for outcome in Outcome), *SYMBOLS_OF_ALARMS.values()]
    assert len(set(symbols)) == len(symbols) - 1  # OK is good, as SUCCEEDED is
    title = message_of(NOTICES["crashed"])["blocks"][0]["text"]["text"]
    assert title.startswith("↩️ ROLLED_BACK")


def test_a_progress_takes_from_the_start_only_the_facts_that_it_lacks():
    bare = later(NOTICES["progress"], 0, started_by="push")

    whole = continued(START, bare)
    assert (whole.stage, whole.started_by) == ("production", "push")
    assert continued(None, bare) is bare
    assert continued(START, NOTICES["crashed"]) is NOTICES["crashed"]


def test_an_image_without_a_tag_is_named_by_its_digest():
    untagged = START.image.model_copy(update={"tag": None})
    notice = later(NOTICES["progress"], 0, image=untagged)

    assert "IN PROGRESS: production/api, shop/api (abab" in said(message_of(notice))
