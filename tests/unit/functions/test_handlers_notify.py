"""Notify as the state machines and the rule of the alarms call it: once, and whatever happens."""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import pytest

from slipway import aws
from slipway.errors import AwsUnavailable, InvalidInput
from tests.support.alarm_events import event as alarm_event
from tests.support.asked import release_record
from tests.support.builders import (
    NEW,
    OLD,
    SERVICE,
    accepted,
    claim,
    deployment,
    image,
    release,
)
from tests.support.container_logs import AWSLOGS
from tests.support.ecs_answers import before, container, defined, described
from tests.support.endings import RELEASE, stopped_release
from tests.support.handlers import INPUTS, NEWS_OF_DEPLOYMENT, invoked
from tests.support.secrets import FORMS, SECRET
from tests.support.stubs import stubbed


def _news(kind: str) -> dict[str, Any]:
    """Of a deployment's start or end."""
    return NEWS_OF_DEPLOYMENT | {"kind": kind} | ({"outcome": None} if kind == "start" else {})


STAGE = {
    "kind": "stage",
    "outcome": None,
    "reason": "",
    "execution": RELEASE,
    "stage": "production",
    "stage_number": 2,
    "stage_count": 2,
    "services": [SERVICE],
}


@pytest.fixture
def ours(ledger):
    """Our deployment has the service, and has changed nothing yet."""
    accepted(ledger, "e-1")
    return ledger


@pytest.fixture
def dynamodb(request):
    """The ledger's client, which answers what the test says."""
    aws.table.cache_clear()
    yield from stubbed(aws.table().meta.client, request)
    aws.table.cache_clear()


@pytest.fixture
def published(monkeypatch):
    """What SNS took, one message after the other."""
    took = []

    def publish(**message):
        took.append(message)
        return {"MessageId": f"m-{len(took)}"}

    for client in (aws.sns(), aws.sns_once()):
        monkeypatch.setattr(client, "publish", publish)
    return took


def sent(message):
    """The notice in it."""
    return json.loads(json.loads(message["Message"])["lambda"])


def no_answer(dynamodb, operation):
    dynamodb.refuses(operation, "InternalServerError", status=500)


def runs_as_before(ecs):
    described(ecs, before(status="PRIMARY"))
    defined(ecs)


def test_notify_returns_the_reason_as_people_read_it(ledger, sns):
    sns.answers("publish", {"MessageId": "m-1"})

    assert invoked("notify", INPUTS["notify"]) == {"message_id": "m-1", "reason": "no plan"}


def test_notify_publishes_the_start_and_the_end(ours, published, ecs):
    runs_as_before(ecs)

    notified = [invoked("notify", _news(kind))["message_id"] for kind in ("start", "end")]

    assert notified == ["m-1", "m-2"]
    assert [sent(message)["kind"] for message in published] == ["start", "end"]


def test_a_release_that_stopped_is_notified_once_however_often_notify_is_called(ledger, published):
    news = stopped_release().to_json()

    answers = [invoked("notify", news) for _ in range(2)]

    assert [answer["message_id"] for answer in answers] == ["m-1", None]
    assert {answer["reason"] for answer in answers} == {"canary/web ROLLED_BACK: too many 5xx"}
    [message] = published
    assert sent(message)["remaining_stages"] == [
        {"name": "production", "services": ["production/api", "production/worker"]}
    ]
    assert message["MessageAttributes"]["outcome"]["StringValue"] == "FAILED"


TAKEN_OVER = {
    "outcome": "SUPERSEDED",
    "cause": "NEWER_RELEASE",
    "stopped_by": [{"service": SERVICE, "outcome": "SUPERSEDED", "reason": "v3 has claimed it"}],
}


def test_a_release_whose_stages_a_newer_one_goes_through_is_not_notified(ledger, published):
    ledger.record_release(release_record(deployment(release=release(id="e-1"))))
    newer = deployment(release=release(id="e-3"), stage="eu", service="eu/api")
    ledger.record_release(release_record(newer))
    accepted(ledger, "x", release=newer.release)
    news = stopped_release(**TAKEN_OVER, remaining_stages=[{"name": "eu", "services": ["eu/api"]}])

    answer = invoked("notify", news.to_json())

    assert answer == {"message_id": None, "reason": f"{SERVICE} SUPERSEDED: v3 has claimed it"}
    assert published == []


def test_a_release_is_notified_of_its_stages_if_what_a_newer_one_reaches_cannot_be_read(
    dynamodb, published
):
    no_answer(dynamodb, "query")
    dynamodb.answers("get_item", {})
    dynamodb.answers("update_item", {})

    invoked("notify", stopped_release(**TAKEN_OVER).to_json())

    [message] = published
    assert [stage["name"] for stage in sent(message)["remaining_stages"]] == ["production"]


def test_an_end_is_notified_with_the_running_version_and_the_failed_containers_log(
    ours, published, ecs, logs
):
    defined(ecs, container(logConfiguration=AWSLOGS))
    page = {"events": [{"message": "DB_PASSWORD=hunter2"}], "nextBackwardToken": "b/1"}
    logs.answers("get_log_events", page)
    runs_as_before(ecs)
    failed = {"task_definition": NEW, "task": "t-1", "container": "api"}

    invoked("notify", NEWS_OF_DEPLOYMENT | {"outcome": "ROLLED_BACK", "failed": failed})

    notice = sent(published[0])
    assert notice["running"]["task_definition"] == "shop-api:41"
    assert notice["log"]["lines"] == ["DB_PASSWORD=*****"]


def test_a_text_that_looks_like_a_secret_is_published_to_nobody(ours, published, ecs):
    runs_as_before(ecs)
    hidden = "DB_PASS\x1b[0mWORD=hunter2"  # what is not seen must not hide it

    invoked(
        "notify",
        NEWS_OF_DEPLOYMENT
        | {"reason": f"crashed: {hidden}", "evidence": [f"stopped: {hidden}", "exit code 1"]},
    )

    notice = sent(published[0])
    assert notice["reason"] == "crashed: DB_PASSWORD=*****"
    assert notice["evidence"] == ["stopped: DB_PASSWORD=*****", "exit code 1"]
    assert "hunter2" not in published[0]["Message"]


@pytest.mark.parametrize("text", FORMS)
def test_whatever_text_of_the_news_has_a_secret_nobody_gets_it(ledger, published, text):
    """A person has written most of them, and nothing has checked what a release was refused for."""
    wrong = STAGE | {
        "kind": "end",
        "outcome": "FAILED",
        "reason": json.dumps({"errorType": "KeyError", "errorMessage": text}),
        "evidence": [text],
        "stage": text,
        "services": [text],
        "repository": text,
        "tag": text,
        "by": text,
        "started_by": "manual start",
        "gates": [text],
        "alarms_firing": [text],
        "rollback_target_images": {"api": text},
    }

    answer = invoked("notify", wrong)

    assert SECRET not in json.dumps([answer, published])
    assert sent(published[0])["execution"] == RELEASE


def test_what_helps_to_find_a_fault_stays_in_a_notice(ours, published, ecs):
    runs_as_before(ecs)

    invoked("notify", NEWS_OF_DEPLOYMENT | {"image": image().to_json(), "rollback_target": OLD})

    notice = sent(published[0])
    assert notice["about"] == f"{SERVICE}#{claim().deployment}"
    assert notice["image"] == image().to_json()
    assert (notice["service"], notice["rollback_target"]) == (SERVICE, "shop-api:41")


def test_an_end_is_notified_where_the_service_can_not_be_read(ours, published, ecs):
    ecs.refuses("describe_services", "AccessDeniedException")

    assert invoked("notify", NEWS_OF_DEPLOYMENT)["message_id"] == "m-1"
    assert sent(published[0])["running"] is None


@pytest.mark.parametrize("kind", ["start", "end"])
def test_notify_publishes_once_however_often_it_is_tried(ours, published, kind):
    news = _news(kind)

    notified = [invoked("notify", news) for _ in range(3)]

    assert [answer["message_id"] for answer in notified] == ["m-1", None, None]
    assert {answer["reason"] for answer in notified} == {"no plan"}
    assert ours.deployment(claim()).notified.keys() == {kind}


def test_notify_publishes_once_of_a_deployment_that_never_claimed_its_service(ledger, published):
    notified = [invoked("notify", NEWS_OF_DEPLOYMENT)["message_id"] for _ in range(2)]

    assert notified == ["m-1", None]


def test_notify_publishes_each_stage_and_the_end_of_a_release_once(ledger, published):
    end = INPUTS["notify"] | {"execution": RELEASE}
    news = [STAGE, STAGE, STAGE | {"stage_number": 3}, end, end]

    notified = [invoked("notify", one)["message_id"] for one in news]

    assert notified == ["m-1", None, "m-2", "m-3", None]


def test_notify_publishes_an_alarm_once_each_time_that_it_goes_off(ledger, published):
    first, second = alarm_event(), alarm_event(id="another")

    notified = [invoked("notify", event) for event in (first, first, second)]

    assert [answer["message_id"] for answer in notified] == ["m-1", None, "m-2"]
    assert notified[0]["reason"].startswith("NotifySlack could not deliver a message to Slack")
    assert sent(published[0])["kind"] == "alarm"


def test_the_field_that_an_alarms_event_misses_is_named(ledger):
    with pytest.raises(InvalidInput, match=r"detail: it is missing"):
        invoked("notify", {"detail-type": "CloudWatch Alarm State Change", "id": "x"})


@pytest.mark.parametrize("news", [NEWS_OF_DEPLOYMENT, INPUTS["notify"], alarm_event()])
def test_notify_publishes_also_where_the_ledger_does_not_answer(dynamodb, published, ecs, news):
    no_answer(dynamodb, "get_item")
    if news is NEWS_OF_DEPLOYMENT:
        runs_as_before(ecs)
    no_answer(dynamodb, "update_item")

    assert invoked("notify", news)["message_id"] == "m-1"


def test_a_notice_that_could_not_be_published_is_not_noted(ours, sns):
    sns.refuses("publish", "InternalError", status=500)

    with pytest.raises(AwsUnavailable):
        invoked("notify", NEWS_OF_DEPLOYMENT)

    assert ours.deployment(claim()).notified == {}


@pytest.mark.parametrize(("parameter", "is_chat"), [("true", True), ("false", False)])
def test_https_endpoints_get_what_the_parameter_says(
    ledger, published, monkeypatch, parameter, is_chat
):
    monkeypatch.setenv("CHAT_NOTIFICATIONS", parameter)
    monkeypatch.delitem(sys.modules, "notify", raising=False)
    importlib.import_module("notify")

    invoked("notify", STAGE)

    https = json.loads(json.loads(published[0]["Message"])["https"])
    assert (https.get("source") == "custom") is is_chat
    monkeypatch.delitem(sys.modules, "notify")


def test_texts_that_can_not_be_searched_for_secrets_are_left_out_of_the_notice(
    ours, published, ecs, monkeypatch
):
    def broken(texts):
        raise RuntimeError("a pattern went wrong")

    runs_as_before(ecs)
    monkeypatch.setattr("slipway.redaction.redacted", broken)

    invoked(
        "notify", NEWS_OF_DEPLOYMENT | {"outcome": "ROLLED_BACK", "reason": "DB_PASSWORD=hunter2"}
    )

    notice = sent(published[0])
    assert (notice["outcome"], notice["evidence"]) == ("ROLLED_BACK", [])
    assert notice["reason"] == "(not shown, because it could not be searched for secrets)"
    assert "hunter2" not in published[0]["Message"]


@pytest.mark.parametrize(("kind", "tries"), [("start", 1), ("end", 3)])
def test_sns_is_tried_again_within_the_step_for_an_end_but_not_for_a_start(
    ours, published, ecs, monkeypatch, kind, tries
):
    if kind == "end":
        runs_as_before(ecs)
    asked = []
    for client in (aws.sns(), aws.sns_once()):
        publish = client.publish

        def noted(publish=publish, client=client, **message):
            asked.append(client.meta.config.retries["total_max_attempts"])
            return publish(**message)

        monkeypatch.setattr(client, "publish", noted)

    invoked("notify", _news(kind))

    assert asked == [tries]
