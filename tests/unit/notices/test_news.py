"""What becomes of news: the notice that people get in whatever form."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from slipway.errors import AwsRefused, InvalidInput
from slipway.notices.email import text_of
from slipway.notices.news import News, without_registries
from slipway.notices.notice import Kind, Notice, Running, Tasks
from slipway.text import truncate
from tests.support.builders import DIGEST, NEW, NOW, OLD_DIGEST, SERVICE, URI, claim, image
from tests.support.endings import (
    EXECUTION,
    MANUAL_ROLLBACK,
    OUTCOMES,
    RELEASE,
    ending,
    failed_release,
    noticed,
    stage,
    start,
    stopped_release,
)

LONG = "Threshold Crossed: 1 datapoint [17.0 (22/11/26 03:01:00)] was greater than the threshold (5.0)."
AS_ABOVE = ("alarm a is in ALARM: as said above",)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_title_gives_the_outcome_the_service_and_the_image(outcome):
    notice = noticed(ending(outcome))

    assert notice.title == f"{outcome}: production/api, shop/api:v2"
    assert (notice.kind, notice.outcome) == (Kind.END, outcome)
    assert notice.meaning == outcome.facts.meaning


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_manual_rollback_has_a_meaning_of_its_own(outcome):
    notice = noticed(ending(outcome, **MANUAL_ROLLBACK))

    assert notice.meaning == outcome.facts_of_manual_rollback.meaning


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_release_that_came_to_no_deployment_has_a_meaning_of_its_own(outcome):
    notice = noticed(failed_release(outcome=outcome))

    assert notice.meaning == outcome.facts_of_release.meaning


def test_the_notice_of_a_start_has_no_reason_and_no_outcome():
    notice = noticed(start(reason="none of anyone's business"))

    assert notice.title == "STARTED: production/api, shop/api:v2"
    assert (notice.kind, notice.outcome, notice.reason) == (Kind.START, None, "")
    assert notice.meaning == "it is on its way"


def test_a_rollback_is_never_called_a_success():
    notice = noticed(ending("ROLLED_BACK"))

    assert notice.meaning == "an earlier version is back and healthy"
    assert "SUCCEEDED" not in notice.model_dump_json()


@pytest.mark.parametrize(("kind", "outcome"), [("end", None), ("start", "FAILED")])
def test_an_end_has_an_outcome_and_nothing_else_has_one(kind, outcome):
    with pytest.raises(
        ValidationError, match="an end must have an outcome, and nothing else may have one"
    ):
        ending(outcome, kind=kind)


@pytest.mark.parametrize("outcome", ["REJECTED", "FAILED", "NO_CHANGE"])
def test_the_notice_of_an_outcome_without_a_change_says_that_nothing_was_changed(outcome):
    assert "nothing was changed" in noticed(ending(outcome)).meaning


def test_a_success_that_the_ledger_does_not_know_is_not_called_a_success():
    meaning = noticed(ending("LedgerNotWritten")).meaning

    assert meaning.endswith("the service will be rolled back")


@pytest.mark.parametrize("started_by", ["push", "manual rollback"])
def test_a_failed_rollback_calls_for_a_person(started_by):
    assert "ACT NOW" in noticed(ending("ROLLBACK_FAILED", started_by=started_by)).meaning


@pytest.mark.parametrize(
    ("news", "title"),
    [
        (
            start(**MANUAL_ROLLBACK),
            "STARTED: manual rollback of production/api, from shop/api:v2 to shop-api:41",
        ),
        (
            ending("ROLLED_BACK", **MANUAL_ROLLBACK),
            "ROLLED_BACK: manual rollback of production/api, from shop/api:v2 to shop-api:41",
        ),
        (
            ending("ROLLBACK_FAILED", **MANUAL_ROLLBACK),
            "ROLLBACK_FAILED: manual rollback of production/api, from shop/api:v2 to shop-api:41",
        ),
        (
            ending("REJECTED", **MANUAL_ROLLBACK | {"rollback_target": None}),
            "REJECTED: manual rollback of production/api, from shop/api:v2",
        ),
        (
            ending(
                "ROLLED_BACK", **MANUAL_ROLLBACK | {"rollback_target": None, "task_definition": NEW}
            ),
            "ROLLED_BACK: manual rollback of production/api, from shop/api:v2 to shop-api:42",
        ),
        (
            ending("FAILED", **MANUAL_ROLLBACK | {"rollback_target": None, "image": None}),
            "FAILED: manual rollback of production/api",
        ),
        (
            start(**MANUAL_ROLLBACK | {"rollback_target": None, "rollback_target_tag": "v1"}),
            "STARTED: manual rollback of production/api, from shop/api:v2 to v1",
        ),
        (
            ending("ROLLED_BACK", **MANUAL_ROLLBACK, rollback_target_tag="v1"),
            "ROLLED_BACK: manual rollback of production/api, from shop/api:v2 to v1 (shop-api:41)",
        ),
    ],
)
def test_a_manual_rollback_says_from_what_to_what(news, title):
    assert noticed(news).title == title


def test_the_notice_of_a_finished_manual_rollback_says_that_the_requested_version_is_live():
    meaning = noticed(ending("ROLLED_BACK", **MANUAL_ROLLBACK)).meaning

    assert (
        meaning
        == "the version that a person asked for is live, and was healthy at the end of its bake"
    )


@pytest.mark.parametrize(
    ("about", "title"),
    [
        ({"repository": "shop/api"}, "FAILED: release of shop/api"),
        ({"repository": "shop/api", "tag": "v5"}, "FAILED: release of shop/api:v5"),
        ({"tag": "v5"}, "FAILED: release of v5"),
        ({"image": image()}, "FAILED: release of shop/api:v2"),
        ({"image": image(tag=None)}, "FAILED: release of shop/api@abababababab"),
        ({}, "FAILED: a release"),
        (
            {"outcome": "IGNORED", "repository": "shop/api", "tag": "v5"},
            "IGNORED: release of shop/api:v5",
        ),
    ],
)
def test_a_release_is_shown_by_what_is_known_of_it(about, title):
    assert noticed(failed_release(**about)).title == title


@pytest.mark.parametrize("text", ["x" * 3_000, "😀" * 60_000, "v2 password=hunter2", "", "a\nb", 5])
def test_a_release_is_not_shown_by_what_ecr_can_not_have(text):
    assert noticed(failed_release(repository=text, tag=text)).title == "FAILED: a release"


def test_a_release_that_failed_is_not_said_to_have_changed_nothing():
    assert noticed(failed_release()).meaning == "the release did not go through"
    assert noticed(failed_release(outcome="IGNORED")).meaning.startswith("nothing was deployed")


def test_the_notice_of_a_stage_names_its_number_its_name_and_its_services():
    notice = noticed(stage(services=("production/api", "production/web", "production/worker")))

    assert notice.title == "STAGE 2 of 3: production, shop/api:v2"
    assert notice.meaning == "it goes to production/api, production/web and production/worker"
    assert (notice.kind, notice.outcome, notice.service) == (Kind.STAGE, None, None)


@pytest.mark.parametrize(
    ("services", "named"),
    [
        (["a/a"], "a/a"),
        ([f"a/{n}" for n in range(12)], f"{', '.join(f'a/{n}' for n in range(10))} and 2 more"),
        ([], "nothing"),
    ],
)
def test_a_stage_names_ten_services_at_most(services, named):
    assert noticed(stage(services=services)).meaning == f"it goes to {named}"


def test_all_notices_of_one_deployment_are_about_that_deployment():
    about = f"{SERVICE}#{claim().deployment}"

    assert {noticed(news).about for news in (start(), ending(), ending("FAILED"))} == {about}
    assert {noticed(news).about for news in (stage(), failed_release())} == {RELEASE}
    assert noticed(ending(claim=None)).about == EXECUTION


def test_each_stage_is_an_event_of_its_own():
    assert [news.event for news in (start(), ending(), stage(), stage(stage_number=3))] == [
        "start",
        "end",
        "stage_2",
        "stage_3",
    ]


def test_task_definitions_are_shown_by_family_and_revision():
    notice = noticed(ending())

    assert (notice.repository, notice.tag, notice.image) == ("shop/api", "v2", image())
    assert (notice.task_definition, notice.rollback_target) == ("shop-api:42", "shop-api:41")
    assert notice.rollback_target_images == {"api": f"shop/api@{OLD_DIGEST}"}
    assert (notice.at, notice.execution, notice.started_by) == (NOW, EXECUTION, "push")


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        (f"{URI}@{DIGEST}", f"shop/api@{DIGEST}"),
        ("public.ecr.aws/nginx/nginx:stable", "nginx/nginx:stable"),
        ("localhost:5000/api:v1", "api:v1"),
        ("localhost/api", "api"),
        ("nginx:1.29", "nginx:1.29"),
        ("library/nginx", "library/nginx"),
    ],
)
def test_an_image_is_named_without_its_registry(reference, name):
    assert without_registries({"app": reference}) == {"app": name}


def test_the_gates_and_the_alarms_that_do_not_guard_a_deployment_are_shown():
    notice = noticed(start(gates=["no freeze is in force"], alarms_firing=["api-5xx"]))

    assert (notice.gates, notice.alarms_firing) == (("no freeze is in force",), ("api-5xx",))


def test_a_notice_has_the_log_and_the_running_version():
    running = Running(task_definition="shop-api:41", images={}, tasks=Tasks(desired=2, healthy=1))

    assert noticed(ending("ROLLED_BACK"), running=running).running == running


def test_a_release_that_stopped_says_for_what_and_which_stages_it_did_not_reach():
    notice = noticed(stopped_release())

    assert notice.title == "FAILED: release of shop/api:v2 did not reach production"
    assert notice.meaning == "the release stopped in stage 2 of 3, canary: no later stage starts"
    assert notice.reason == "canary/web ROLLED_BACK: too many 5xx"
    assert [stage.line for stage in notice.remaining_stages] == [
        "stage production: production/api, production/worker"
    ]
    assert (notice.kind, notice.service, notice.stage) == (Kind.END, None, "canary")


def test_all_stages_that_a_release_did_not_reach_are_in_its_title():
    stages = [{"name": name, "services": ["a/b"]} for name in ("canary", "eu", "us")]

    assert noticed(stopped_release(remaining_stages=stages)).title.endswith(
        "did not reach canary, eu and us"
    )


def test_a_stage_that_did_not_start_names_ten_services_and_counts_the_others():
    services = tuple(f"a/{n}" for n in range(30))
    notice = noticed(stopped_release(remaining_stages=[{"name": "eu", "services": services}]))
    [stage] = notice.remaining_stages

    assert stage.line == f"stage eu: {', '.join(services[:10])}, and 20 more"
    assert stage.services == services


def test_each_deployment_that_stopped_a_release_is_one_line_which_is_cut():
    long = {"service": "a/a", "outcome": "ROLLBACK_FAILED", "reason": "one\ntwo " + "x" * 5000}
    died = {
        "service": "a/b",
        "outcome": "FAILED",
        "reason": lambda_cause(AwsRefused("denied")),
    }
    first, second = noticed(stopped_release(stopped_by=[long, died])).reason.split("\n")

    assert first.startswith("a/a ROLLBACK_FAILED: one two xxx")
    assert first.endswith("x… (the execution has the rest)")
    assert len(first) == 300 + len(" (the execution has the rest)")
    assert second == "a/b FAILED: denied"


def test_a_stopped_release_is_notified_as_one_event_of_the_release():
    news = stopped_release()

    assert (news.about, news.event) == ("release#e-1", "end")
    assert news.event != stage().event


def test_a_reason_of_5000_characters_is_shown_once_and_cut():
    long = "CannotPullContainerError: " + "x" * 4974
    notice = noticed(
        ending(
            "ROLLED_BACK",
            reason=f"a task can never start: {long}",
            evidence=[truncate(f"stopped: {long}", 1000), "0 of 2 tasks are running"],
        )
    )
    mail = text_of(notice)

    assert notice.reason.endswith("x… (the execution has the rest)")
    assert notice.evidence == ("stopped: as said above", "0 of 2 tasks are running")
    assert mail.count("CannotPullContainerError") == 1
    assert mail.count("x") < 1100
    assert "execution" in [link.title for link in notice.links]


def test_a_secret_across_the_end_of_a_cut_reason_is_masked():
    notice = noticed(ending("ROLLED_BACK", reason="y" * 985 + " xoxb-123456789012-abcdef"))

    assert "xoxb" not in notice.reason


def test_a_secret_in_the_reason_of_a_deployment_that_stopped_a_release_is_masked():
    cause = lambda_cause(AwsRefused("DB_PASSWORD=hunter2 is wrong"))
    news = stopped_release(stopped_by=[{"service": "a/b", "outcome": "FAILED", "reason": cause}])

    assert noticed(news).reason == "a/b FAILED: DB_PASSWORD=***** is wrong"


def test_a_reason_of_many_lines_keeps_them_all():
    reason = "\n".join(f"routes.{n}: {'y' * 300}" for n in range(21))

    assert noticed(failed_release(reason=reason)).reason == reason


@pytest.mark.parametrize(
    ("reason", "fact", "shown"),
    [
        ("not healthy: 0 of 2 tasks are running", "0 of 2 tasks are running", ()),
        (f"alarm a went to ALARM: {LONG}", f"alarm a is in ALARM: {LONG}", AS_ABOVE),
        ("alarm a can't be read: denied", "alarm b can't be read: denied", None),
        ("11 of 12 tasks are running", "1 of 12 tasks are running", None),
        ("too slow", f"alarm a is in ALARM: {LONG}", None),
    ],
)
def test_evidence_does_not_repeat_what_the_reason_says(reason, fact, shown):
    notice = noticed(ending("ROLLED_BACK", reason=reason, evidence=[fact]))

    assert notice.evidence == ((fact,) if shown is None else shown)


def test_an_unknown_fact_is_not_shown():
    known = {name for name, value in noticed(failed_release()).to_json().items() if value}

    assert known == {
        "version",
        "kind",
        "about",
        "at",
        "outcome",
        "title",
        "meaning",
        "reason",
        "execution",
        "links",
    }


def lambda_cause(error: Exception) -> str:
    """The Cause of a failed Lambda task."""
    trace = ['  File "/var/task/notify.py", line 20, in handler\n    ending = parse(event)\n']
    said = {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": trace}
    return json.dumps(said | {"requestId": "1"})


def test_only_the_message_of_a_failed_step_is_shown():
    cause = lambda_cause(InvalidInput("no such container"))

    assert noticed(ending("FAILED", reason=cause)).reason == "no such container"


def test_only_the_message_of_a_failed_step_is_shown_among_the_evidence():
    evidence = [lambda_cause(AwsRefused("denied")), "exit code 1"]

    assert noticed(ending("ROLLBACK_FAILED", evidence=evidence)).evidence == (
        "denied",
        "exit code 1",
    )


def test_a_field_that_can_not_be_read_is_left_out_and_the_rest_is_shown():
    wrong = {"service": 5, "stage": ["a"], "image": "v2", "started_by": {}, "failed": "app"}
    read = News.model_validate(failed_release().model_dump() | wrong)

    assert (read.service, read.stage, read.image, read.started_by) == (None, None, None, None)
    assert read.failed is None
    assert read.reason == "no plan"


def test_text_from_outside_is_harmless_in_every_field():
    nasty = "a\x1b[31m\u202eb\nc"
    notice = noticed(
        ending(
            "ROLLED_BACK",
            reason=nasty,
            evidence=[f"{nasty}?"],
            stage=nasty,
            image=image(tag=nasty),
            by=nasty,
            alarms_firing=[nasty],
            rollback_target_images={nasty: nasty},
        )
    )

    assert (notice.reason, notice.evidence) == ("a\ufffdb\nc", ("a\ufffdb\nc?",))
    one = "a\ufffdb c"
    assert (notice.stage, notice.tag, notice.image.tag, notice.by) == (one,) * 4
    assert (notice.alarms_firing, notice.rollback_target_images) == ((one,), {one: one})
    assert notice.title == f"ROLLED_BACK: production/api, shop/api:{one}"


def test_a_title_that_is_too_long_for_anyone_is_cut():
    title = noticed(failed_release(repository="r" * 256)).title

    assert len(title) == 200
    assert title.endswith("r…")


TEXTS = st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=40)


@given(
    st.sampled_from(OUTCOMES),
    st.fixed_dictionaries(
        dict.fromkeys(("reason", "stage", "by", "service", "tag", "repository"), TEXTS)
    ),
)
def test_any_news_makes_a_notice_that_can_be_sent(outcome, texts):
    for news in (ending(outcome, **texts), failed_release(**texts | {"service": None})):
        sent = noticed(news).model_dump_json().encode()

        assert Notice.model_validate_json(sent).about == news.about
