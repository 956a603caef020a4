"""Emails: what they say, in which order, and that they can be read at 72 columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.notices.email import WIDTH, subject_of, text_of
from slipway.notices.notice import ContainerLog, Kind, Notice, Running, Tasks
from slipway.text import visible
from tests.support.builders import DIGEST, NOW, SERVICE, image
from tests.support.endings import (
    MANUAL_ROLLBACK,
    OUTCOMES,
    emailed,
    ending,
    failed_release,
    noticed,
    stage,
    start,
)
from tests.support.notices import NOTICES

LOG = ContainerLog(
    container="app", task="t-1", group="/ecs/api", stream="app/app/t-1", lines=("boom",)
)
RUNNING = Running(
    task_definition="shop-api:41",
    images={"app": f"shop/api@{DIGEST}", "proxy": "envoy:v1"},
    tasks=Tasks(desired=2, healthy=1),
)
TEXTS = st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=60)
HEADINGS = {
    "EVIDENCE",
    "LAST LINES OF THE FAILED CONTAINER",
    "RUNNING NOW",
    "DEPLOYMENT",
    "RELEASE",
    "ALARM",
    "PASSED",
    "NOT GUARDED BY",
    "LINKS",
    "COMMANDS",
}


def email(news, **seen):
    return text_of(noticed(news, **seen))


def test_the_subject_is_the_title():
    assert subject_of(noticed(ending())) == "SUCCEEDED: production/api, shop/api:v2"


def test_the_reason_comes_first_and_then_what_it_means():
    assert email(ending("ROLLED_BACK", reason="alarm api-5xx went to ALARM: 17 > 5")).startswith(
        "Why:  alarm api-5xx went to ALARM: 17 > 5\nNow:  an earlier version is back and healthy\n"
    )


def test_a_start_has_no_reason():
    assert email(start()).startswith("Now:  it is on its way\n\n")


def test_a_failure_is_shown_in_the_order_in_which_it_is_needed():
    text = email(ending("ROLLBACK_FAILED", evidence=["exit code 1"]), log=LOG, running=RUNNING)

    order = [line for line in text.split("\n") if line in HEADINGS]
    assert order == [
        "EVIDENCE",
        "LAST LINES OF THE FAILED CONTAINER",
        "RUNNING NOW",
        "DEPLOYMENT",
        "LINKS",
        "COMMANDS",
    ]


def test_each_fact_of_the_evidence_is_a_line_of_its_own():
    bad = ending("ROLLED_BACK", evidence=["exit code 1", "alarm: 5xx"])

    assert emailed("EVIDENCE", bad) == ["- exit code 1", "- alarm: 5xx"]


def test_the_last_lines_of_the_failed_container_are_shown_with_the_place_of_its_log():
    lines = ("one", "", "  indented\tby a tab", "colour\x1b[0m", "ten\rtwenty")
    log = LOG.model_copy(update={"lines": lines})

    text = email(ending("ROLLED_BACK"), log=log)

    assert (
        "LAST LINES OF THE FAILED CONTAINER\n"
        "  | one\n"
        "  |\n"
        "  |   indented  by a tab\n"
        "  | colour\n"
        "  | ten\n"
        "  | twenty\n"
        "  container        app\n"
        "  task             t-1\n"
        "  log group        /ecs/api\n"
        "  log stream       app/app/t-1\n"
    ) in text


def test_a_line_of_the_log_is_not_wrapped_but_cut_where_nobody_reads_on():
    log = LOG.model_copy(update={"lines": ("word " * 40, "x" * 301)})

    first, second, *_ = emailed("LAST LINES OF THE FAILED CONTAINER", ending("FAILED"), log=log)

    assert first == f"| {'word ' * 40}".rstrip()
    assert second == f"| {'x' * 299}…"


@pytest.mark.parametrize(
    ("problem", "said"),
    [("access denied", "there are none to show: access denied"), ("", "it wrote nothing")],
)
def test_a_log_without_lines_says_why(problem, said):
    log = LOG.model_copy(update={"lines": (), "problem": problem, "group": "", "stream": ""})

    assert emailed("LAST LINES OF THE FAILED CONTAINER", ending("FAILED"), log=log) == [
        said,
        "container        app",
        "task             t-1",
    ]


def test_the_running_version_is_shown_with_its_images():
    assert emailed("RUNNING NOW", ending("ROLLED_BACK"), running=RUNNING) == [
        "shop-api:41, 1 of 2 tasks running",
        "app: shop/api@abababababab",
        "proxy: envoy:v1",
    ]


def test_the_running_version_is_shown_also_where_nobody_counted_its_tasks():
    running = RUNNING.model_copy(update={"tasks": None, "images": {}})

    assert emailed("RUNNING NOW", ending("ROLLED_BACK"), running=running) == ["shop-api:41"]


def test_the_deployed_version_its_service_and_the_version_before_are_shown():
    assert emailed("DEPLOYMENT", ending()) == [
        "service          production/api",
        "stage            production",
        "image            shop/api:v2",
        "digest",
        DIGEST,
        "started by       push",
        "task definition  shop-api:42",
        "before           shop-api:41",
        "api: shop/api@cdcdcdcdcdcd",
        "time             2026-11-22 03:00:00 UTC",
    ]


def test_the_email_of_a_start_says_what_it_replaces_what_it_passed_and_what_does_not_guard_it():
    news = start(gates=["no freeze is in force"], alarms_firing=["api-5xx"])

    assert "replaces         shop-api:41" in emailed("DEPLOYMENT", news)
    assert emailed("PASSED", news) == ["- no freeze is in force"]
    assert emailed("NOT GUARDED BY", news) == ["- alarm api-5xx: it was in ALARM before this began"]


def test_the_email_of_a_manual_rollback_says_from_what_and_to_what():
    facts = emailed("DEPLOYMENT", start(**MANUAL_ROLLBACK))

    assert "rolls back from  shop/api:v2" in facts
    assert "rolls back to    shop-api:41" in facts


def test_a_release_is_shown_by_what_is_known_of_it():
    facts = [fact.split(maxsplit=1) for fact in emailed("RELEASE", stage(started_by="push"))]

    assert [fact[0] for fact in facts] == ["stage", "image", "digest", DIGEST, "started", "time"]
    assert (
        emailed("RELEASE", failed_release(repository="shop/api"))[0] == "image            shop/api"
    )
    assert emailed("RELEASE", failed_release(tag="v5"))[0] == "image            v5"


def test_an_unknown_fact_is_not_shown():
    text = email(failed_release())

    assert "None" not in text
    assert emailed("RELEASE", failed_release()) == ["time             2026-11-22 03:00:00 UTC"]
    assert {line for line in text.split("\n") if line.isupper()} == {"RELEASE", "LINKS"}


def test_links_and_commands_stay_as_they_are():
    notice = noticed(ending("ROLLBACK_FAILED"))
    text = text_of(notice)

    for link in notice.links:
        assert f"\n    {link.url}\n" in text
    for command in notice.commands:
        assert "\n".join(f"    {line}" for line in command.command.split("\n")) in text


def test_a_reason_of_several_lines_keeps_them_with_their_indentation():
    reason = f"the plan is not valid:\n  routes.0: {'much too long ' * 6}\n\n  routes.1: wrong"

    lines = email(failed_release(reason=reason)).split("\n")

    assert lines[0] == "Why:  the plan is not valid:"
    assert lines[1].startswith("        routes.0: much")
    assert lines[2].startswith("        long")
    assert lines[3] == "        routes.1: wrong"


def test_a_progress_is_one_line():
    progress = Notice(
        kind=Kind.PROGRESS, about="x", at=NOW, title=SERVICE, reason="1 of 2\nhealthy"
    )

    assert text_of(progress) == "production/api: 1 of 2 healthy\n"


@pytest.mark.parametrize("name", NOTICES)
def test_every_email_can_be_read_at_72_columns(name):
    notice = NOTICES[name]
    typed = {line.strip() for command in notice.commands for line in command.command.split("\n")}
    for line in text_of(notice).rstrip("\n").split("\n"):
        assert line == line.rstrip()
        unbroken = len(line.split()) == 1  # a URL, a digest
        assert len(line) <= WIDTH or unbroken or line.startswith("  | ") or line.strip() in typed


@given(st.sampled_from(OUTCOMES), TEXTS, st.lists(TEXTS), TEXTS, TEXTS)
def test_a_line_is_longer_only_where_it_can_not_be_broken(outcome, reason, evidence, tag, by):
    news = ending(outcome, reason=reason, evidence=evidence, image=image(tag=tag), by=by)
    text = text_of(noticed(news).model_copy(update={"links": (), "commands": ()}))

    for line in text.split("\n"):
        assert len(line) <= WIDTH or len(line.split(":  ", 1)[-1].split()) <= 2, line


@given(TEXTS.map(lambda text: f"{text}\nCOMMANDS\n  rm -rf /"), st.sampled_from(OUTCOMES))
def test_no_text_from_outside_stands_where_headings_do(nasty, outcome):
    log = LOG.model_copy(update={"lines": (nasty,), "container": nasty, "problem": nasty})
    running = RUNNING.model_copy(update={"images": {nasty: nasty}})
    news = ending(
        outcome,
        reason=nasty,
        evidence=[nasty],
        stage=nasty,
        image=image(tag=nasty),
        by=nasty,
        alarms_firing=[nasty],
        gates=[nasty],
    )

    text = email(news, log=log, running=running)

    first = [line for line in text.split("\n") if line and not line.startswith("  ")]
    assert {line for line in first if line[:4] not in {"Why:", "Now:"}} <= HEADINGS
    assert len([line for line in first if line == "COMMANDS"]) <= 1
    assert visible(text) == text


@given(st.sampled_from(OUTCOMES), TEXTS, TEXTS, st.none() | TEXTS)
def test_sns_takes_every_subject_whatever_it_is_about(outcome, repository, name, tag):
    for news in (
        failed_release(repository=repository),
        ending(outcome, image=image(repository=name, tag=tag)),
    ):
        subject = subject_of(noticed(news))

        assert 1 <= len(subject) <= 99
        assert subject.isascii()
        assert subject.isprintable()  # so no line break and no control character either


def test_a_subject_that_is_too_long_is_cut_to_the_last_character_that_sns_takes():
    for length in (99, 150, 256):
        subject = subject_of(noticed(failed_release(repository="r" * length)))

        assert len(subject) == 99
        assert subject.endswith("r...")
