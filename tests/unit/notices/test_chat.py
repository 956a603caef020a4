"""What Amazon Q Developer in chat applications shows: short enough, and nothing that acts."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.notices.chat import TEXT_LENGTH, chat_of
from slipway.notices.notice import Command, ContainerLog, Kind, Notice, Running
from tests.support.builders import NOW, SERVICE, image
from tests.support.endings import (
    EXECUTION,
    ending,
    failed_release,
    noticed,
    stage,
    start,
    stopped_release,
)
from tests.support.examples import examples
from tests.support.notices import NOTICES

LOG = ContainerLog(container="app", task="t-1", group="g", stream="s", lines=("one", "two"))
# What one of the chats acts on, and texts around it.
LIVE = (
    st.sampled_from(
        ["<!channel>", "<@U012>", "@here", "#general", "<http://e.x|e>", "[a](http://e.x)"]
    )
    | st.sampled_from(["https://e.x", "www.e.x", "mailto:a@e.x", "*b*", "_i_", "~s~", "`c`", "```"])
    | st.sampled_from([":smile:", "&amp;", "\n", " ", "x", "\x1b[1m", "\u202e"])
)
NASTY = st.lists(LIVE | st.text(max_size=5), max_size=12).map("".join)


def chat(notice):
    return json.loads(chat_of(notice))


def description(news, **seen):
    return chat(noticed(news, **seen))["content"]["description"].split("\n")


def texts(value):
    """Every text that is shown, or that a custom action may show."""
    if isinstance(value, str):
        return [value]
    return [
        text
        for part in (value.values() if isinstance(value, dict) else value)
        for text in texts(part)
    ]


@pytest.mark.parametrize("name", NOTICES)
def test_every_notice_is_a_custom_notification_of_amazon_q(name):
    given = chat(NOTICES[name])

    assert given.keys() == {"version", "source", "id", "content", "metadata"}
    assert (given["version"], given["source"]) == ("1.0", "custom")
    assert given["content"].keys() - {"nextSteps"} == {
        "textType",
        "title",
        "description",
        "keywords",
    }
    assert given["content"]["textType"] == "client-markdown"
    assert given["content"]["description"]
    assert given["metadata"]["threadId"] == NOTICES[name].about
    assert given["metadata"]["eventType"] == f"slipway-{NOTICES[name].kind}"
    context = given["metadata"]["additionalContext"]
    assert all(isinstance(value, str) and value for value in context.values())


def test_the_notices_of_one_deployment_are_one_thread_of_different_events():
    notified = [chat(noticed(news)) for news in (start(), ending())]

    assert len({one["metadata"]["threadId"] for one in notified}) == 1
    assert len({one["id"] for one in notified}) == 2


def test_an_event_that_is_published_twice_has_the_same_id():
    first = noticed(ending())
    again = first.model_copy(update={"at": NOTICES["succeeded"].at})

    assert chat(first)["id"] == chat(again)["id"]
    assert chat(noticed(stage()))["id"].endswith("#stage#production")


def test_the_reason_comes_first_then_what_it_means_then_the_evidence_and_the_log():
    news = ending("ROLLED_BACK", reason="it crashed", evidence=["exit code 1"])

    assert description(news, log=LOG)[:8] == [
        "*Why:* `it crashed`",
        "*Now:* an earlier version is back and healthy",
        "*Evidence:*",
        "• `exit code 1`",
        "*Last lines of container app:*",
        "```",
        "one",
        "two",
    ]


def test_a_stopped_release_lists_the_stages_that_did_not_start():
    shown = description(stopped_release())

    assert "*Not started:*" in shown
    assert "\u2022 `stage production: production/api, production/worker`" in shown


@pytest.mark.parametrize(("problem", "said"), [("denied", "`denied`"), ("", "it wrote nothing")])
def test_a_log_without_lines_says_why(problem, said):
    log = LOG.model_copy(update={"lines": (), "problem": problem})

    assert said in description(ending("FAILED"), log=log)


def test_the_running_version_is_shown_also_where_nobody_counted_its_tasks():
    running = Running(task_definition="shop-api:41", images={})

    assert "*Running now:* `shop-api:41`" in description(ending("FAILED"), running=running)


def test_a_release_of_which_nothing_is_known_is_shown_all_the_same():
    assert description(failed_release()) == [
        "*Why:* `no plan`",
        "*Now:* the release did not go through",
    ]


def test_a_notice_without_words_has_its_title():
    bare = Notice(kind=Kind.START, about="x", at=NOW, title="a title")

    assert chat(bare)["content"]["description"] == "Now: a title".removeprefix("Now: ")
    assert "nextSteps" not in chat(bare)["content"]
    assert chat(bare)["metadata"]["relatedResources"] == []


def test_the_end_of_a_long_log_is_shown():
    log = LOG.model_copy(update={"lines": tuple(f"line {n} {'x' * 90}" for n in range(20))})

    shown = description(ending("FAILED"), log=log)

    assert any(line.startswith("line 19") for line in shown)
    assert not any(line.startswith("line 0 ") for line in shown)


def test_a_command_is_shown_whole_or_not_at_all():
    notice = noticed(ending("ROLLBACK_FAILED", cause="IMAGE"))
    long = Command(title="Too long", command="x" * TEXT_LENGTH)

    steps = chat(notice.model_copy(update={"commands": (long, *notice.commands)}))["content"][
        "nextSteps"
    ]

    assert [step.partition(":\n")[2] for step in steps[:2]] == [
        f"```\n{command.command}\n```" for command in notice.commands
    ]
    assert steps[2].startswith("execution: https://")


def test_the_first_of_many_facts_are_shown_and_the_rest_is_counted():
    shown = description(ending("FAILED", evidence=[f"fact {n}" for n in range(30)]))

    assert "• `fact 7`" in shown
    assert "• and 22 more" in shown


@settings(max_examples=examples(50))
@given(st.text(alphabet="a<& \n", min_size=1), st.integers(1, 10_000))
def test_a_description_is_short_enough_for_a_message_whatever_there_is_to_say(words, length):
    long = (words * (length // len(words) + 1))[:length]
    log = LOG.model_copy(update={"lines": (long,) * 20, "container": long})
    news = ending("FAILED", reason=long, evidence=[long] * 50, by=long, image=image(tag=long))

    notice = noticed(news, log=log).model_copy(
        update={"alarms_firing": (long,) * 50, "gates": (long,) * 5}
    )

    assert len(chat(notice)["content"]["description"]) <= TEXT_LENGTH


@given(NASTY, NASTY)
def test_no_text_from_outside_becomes_a_mention_a_link_or_markup(one, other):
    log = LOG.model_copy(update={"lines": (one, other), "container": one, "problem": other})
    running = Running(task_definition=one, images={one: other})
    news = ending(
        "ROLLED_BACK",
        reason=one,
        evidence=[other, one],
        stage=one,
        image=image(tag=other, repository=one),
        by=other,
        alarms_firing=[one],
        gates=[other],
    )
    given = chat(noticed(news, log=log, running=running).model_copy(update={"links": ()}))

    # Of these, ours are shown as they are.
    assert given["metadata"].pop("threadId").startswith(SERVICE)
    assert given["metadata"]["relatedResources"].pop(0) == EXECUTION
    assert given["metadata"]["additionalContext"].pop("execution") == EXECUTION
    del given["id"]
    for text in texts(given):
        text = text.replace("fileb:///dev/stdin", "")  # of a command
        assert not set(text) & set("<>@")
        assert not re.search(r"&(?!(amp|lt|gt);)|#\w|://|(?i:www\.)", text)
        assert "\x1b" not in text
        assert "\u202e" not in text
        # What is left outside of code is ours, or has no markup in it.
        outside = re.sub(r"```\n[^`]*\n```|`[^`\n]*`|^\*[^*\n]*:\*", "", text, flags=re.MULTILINE)
        assert not set(outside) & set("`*~|["), text
        assert not re.search(r"(?<!\w)_|_(?!\w)|:[\w+'-]+:", outside), text
