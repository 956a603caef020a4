"""What a user can get wrong: reported clearly, and nothing is changed."""

from __future__ import annotations

import pytest

from localaws import seed
from localaws.aws import ACCOUNT, REGION
from localaws.sns import sns
from tests.support.account import Account

EVENT = {
    "id": "e1",
    "source": "aws.ecr",
    "account": ACCOUNT,
    "region": REGION,
    "detail-type": "ECR Image Action",
    "time": "2026-11-25T03:00:00Z",
}


def test_a_plan_that_is_not_json_fails_the_release_and_is_notified(account: Account) -> None:
    shop = account.shop()
    seed.plan(shop.repository, "{routes")
    shop.push("v2")
    release = shop.released("v2")
    assert release.outcome == "ReleaseFailed"
    assert shop.repository in release.reason
    assert f"/slipway/repositories/{shop.repository}" in release.reason
    assert "is not JSON" in release.reason
    (mail,) = [mail for mail in sns.mails() if shop.repository in mail["subject"]]
    assert "is not JSON" in mail["text"]
    assert "Traceback" not in mail["text"]
    assert shop.running() == shop.v1


def test_a_wrong_plan_is_notified_with_the_path_of_each_wrong_field(account: Account) -> None:
    shop = account.shop()
    wrong = {"service": "no-cluster", "bake_seconds": -1, "alarm": "typo"}
    shop.plan([{"name": "production", "services": [wrong]}])
    shop.push("v2")
    reason = shop.released("v2").reason
    for field in ("service", "bake_seconds", "alarm"):
        assert f"routes.0.stages.0.services.0.{field}:" in reason
    assert shop.running() == shop.v1


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ("nowhere/api", "cluster nowhere of service nowhere/api does not exist"),
        ("production/missing", "cluster production has no service missing"),
    ],
)
def test_a_service_that_does_not_exist_is_named(
    account: Account, service: str, message: str
) -> None:
    shop = account.shop()
    shop.plan([{"name": "production", "services": [shop.planned(service)]}])
    shop.push("v2")
    deployment = shop.deployed("v2", service)
    assert (deployment.outcome, deployment.reason) == ("FAILED", message)
    assert len(shop.mails(service)) >= 1


def test_a_container_that_does_not_exist_is_named(account: Account) -> None:
    shop = account.shop()
    planned = shop.planned(shop.service, container="sidecar")
    shop.plan([{"name": "production", "services": [planned]}])
    shop.push("v2")
    deployment = shop.deployed("v2")
    assert deployment.outcome == "FAILED"
    assert (
        f"service {shop.service} has no container sidecar; its containers are: app"
        in deployment.reason
    )
    assert shop.revisions() == 1


def test_an_alarm_that_does_not_exist_is_named_before_anything_changes(account: Account) -> None:
    shop = account.shop()
    planned = shop.planned(shop.service, alarms=["no-such-alarm"])
    shop.plan([{"name": "production", "services": [planned]}])
    shop.push("v2")
    deployment = shop.deployed("v2")
    assert deployment.outcome == "FAILED"
    assert "no-such-alarm" in deployment.reason
    assert shop.revisions() == 1
    assert shop.running() == shop.v1


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({}, "repository: it is missing"),
        ({"repository": "{shop}"}, "name the image by tag or by digest, one of the two"),
        ({"repository": "{shop}", "tag": "v1", "digest": "{v1}"}, "one of the two"),
        (
            {"repository": "{shop}", "tag": "v1", "farce": True},
            "farce: there is no such name here",
        ),
        ({"repository": "nobody/knows", "tag": "v1"}, "ECR has no repository nobody/knows"),
        ({"repository": "{shop}", "tag": "v99"}, "holds no image with tag v99"),
        ({"repository": "{shop}", "digest": "v1"}, "digest: it has to match"),
    ],
)
def test_a_wrong_manual_start_says_what_is_wrong(
    account: Account, start: dict[str, object], message: str
) -> None:
    shop = account.shop()
    filled = {
        key: value.format(shop=shop.repository, v1=shop.v1) if isinstance(value, str) else value
        for key, value in start.items()
    }
    release = account.start_release(filled)
    assert release.outcome == "ReleaseFailed"
    assert message in release.reason
    assert "Traceback" not in release.reason


@pytest.mark.parametrize(
    ("forged", "message"),
    [
        ({"time": "2036-01-01T00:00:00Z"}, "is in the future"),
        ({"source": "me"}, "an event of source me is no push"),
    ],
)
def test_a_forged_event_is_refused_and_the_next_push_is_deployed(
    account: Account, forged: dict[str, str], message: str
) -> None:
    shop = account.shop(tasks=1)
    detail = {
        "result": "SUCCESS",
        "action-type": "PUSH",
        "repository-name": shop.repository,
        "image-tag": "v1",
    }
    release = account.start_release({**EVENT, **forged, "detail": detail})
    assert (release.outcome, message in release.reason) == ("ReleaseFailed", True)
    shop.push("v2")
    assert shop.deployed("v2").outcome == "SUCCEEDED"


def test_a_push_in_another_account_is_ignored(account: Account) -> None:
    detail = {"result": "SUCCESS", "action-type": "PUSH"}
    release = account.start_release({**EVENT, "account": "999999999999", "detail": detail})
    assert release.outcome == "IGNORED"
    assert "a push in account 999999999999" in release.reason


def test_an_event_of_an_unknown_repository_is_ignored(account: Account) -> None:
    detail = {
        "result": "SUCCESS",
        "action-type": "PUSH",
        "repository-name": "nobody/knows",
        "image-tag": "v1",
    }
    release = account.start_release({**EVENT, "detail": detail})
    assert release.outcome == "IGNORED"


def test_an_event_of_a_tag_that_is_gone_is_ignored(account: Account) -> None:
    shop = account.shop()
    detail = {
        "result": "SUCCESS",
        "action-type": "PUSH",
        "repository-name": shop.repository,
        "image-tag": "v7",
    }
    release = account.start_release({**EVENT, "detail": detail})
    assert release.outcome == "IGNORED"
    assert "tag v7 is no longer in repository" in release.reason


@pytest.mark.parametrize("missing", ["image-tag", "repository-name"])
def test_an_event_that_misses_a_needed_field_is_ignored(account: Account, missing: str) -> None:
    detail = {
        "result": "SUCCESS",
        "action-type": "PUSH",
        "repository-name": "any",
        "image-tag": "v1",
    }
    del detail[missing]
    release = account.start_release({**EVENT, "detail": detail})
    assert release.outcome == "IGNORED"
