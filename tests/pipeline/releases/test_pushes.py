"""What is a release, and what is not."""

from __future__ import annotations

import json

from localaws import seed
from tests.support.account import Account
from tests.support.waiting import wait_for


def test_a_repeated_event_deploys_once(account: Account) -> None:
    shop = account.shop()
    digest = shop.push("v2")
    (release,) = account.releases_of(shop.repository, "v2")
    again = account.start_release(release.input)  # what a second delivery does
    assert again.outcome == "IGNORED"
    assert len(account.deployments_of(shop.repository, "v2")[shop.service]) == 1
    assert shop.running() == digest
    assert shop.revisions() == 2
    assert len(shop.mails()) == 1


def test_a_repeated_event_joins_the_deployment_that_is_running(account: Account) -> None:
    shop = account.shop()
    shop.push("v2", behaviour="slow", start_seconds="3")
    first = wait_for(lambda: started(account, shop.repository), "the release to start")
    again = account.start_release(first)
    assert again.outcome == "IGNORED"
    assert again.reason.startswith("an earlier delivery of the same event is the release of arn:")
    releases = account.releases_of(shop.repository, "v2", count=2)
    assert sorted(release.outcome for release in releases) == ["IGNORED", "SUCCEEDED"]
    assert len(account.deployments_of(shop.repository, "v2")[shop.service]) == 1


def started(account: Account, repository: str) -> dict[str, object] | None:
    """The event of the repository's newest release whose deployment has started."""
    deployments = [each.input for each in account.executions("DeploymentStateMachineArn")]
    ids = [given.get("release") for given in deployments]
    releases = [each.input for each in account.executions("ReleaseStateMachineArn")]
    ours = (
        each for each in releases if each.get("detail", {}).get("repository-name") == repository
    )
    return next((event for event in ours if event.get("id", "none") in str(ids)), None)


def test_a_multi_arch_push_is_one_release_of_its_index(account: Account) -> None:
    shop = account.shop()
    amd64, arm64 = seed.manifest(f"{shop.name} amd64"), seed.manifest(f"{shop.name} arm64")
    seed.push(shop.repository, None, arm64)
    platform = seed.push(shop.repository, "v2", amd64)
    index = seed.push(shop.repository, "v2", seed.index([amd64, arm64]))
    releases = account.releases_of(shop.repository, "v2", count=2)
    assert shop.running() == index
    # Where the first event is looked at after the tag has moved, as it is on AWS after the settle time,
    # it is ignored; on a quick machine without settle time its release is overtaken by the index's.
    by_digest = {r.input["detail"]["image-digest"]: r.outcome for r in releases}
    assert by_digest[index] == "SUCCEEDED"
    assert by_digest[platform] in {"IGNORED", "SUPERSEDED"}


def test_an_event_of_a_tag_that_has_moved_on_is_ignored(account: Account) -> None:
    shop = account.shop()
    shop.push("v2")
    (release,) = account.releases_of(shop.repository, "v2")
    stale = json.loads(json.dumps(release.input))
    stale["detail"]["image-digest"] = "sha256:" + "0" * 64
    again = account.start_release(stale)
    assert again.outcome == "IGNORED"
    assert "has moved on" in again.reason


def test_a_tag_that_no_route_matches_is_ignored_and_nobody_is_notified(account: Account) -> None:
    shop = account.shop()
    shop.push("main-17")
    release = shop.released("main-17")
    assert release.outcome == "IGNORED"
    assert shop.mails() == []


def test_a_repository_without_a_plan_is_ignored(account: Account) -> None:
    shop = account.shop()
    account.aws.client("ssm").delete_parameter(Name=f"/slipway/repositories/{shop.repository}")
    shop.push("v2")
    assert shop.released("v2").outcome == "IGNORED"


def test_signatures_and_images_without_a_tag_start_nothing(account: Account) -> None:
    shop = account.shop()
    shop.push(f"sha256-{'a' * 64}.sig")
    seed.push(shop.repository, None, seed.manifest(f"{shop.name} untagged"))
    shop.push("v2")  # events keep their order: once this one is here, the others would have been
    shop.released("v2")
    tags = [
        each.input["detail"].get("image-tag")
        for each in account.executions("ReleaseStateMachineArn")
        if each.input.get("detail", {}).get("repository-name") == shop.repository
    ]
    assert tags == ["v2", "v1"]


def test_a_build_cache_under_a_tag_of_the_plan_is_ignored_and_supersedes_no_image(
    account: Account,
) -> None:
    shop = account.shop()
    digest = shop.push("v2")
    cache = seed.artifact(f"{shop.name} cache", "application/vnd.buildkit.cacheconfig.v0")
    seed.push(shop.repository, "v2-cache", cache)
    ignored = shop.released("v2-cache")
    assert ignored.outcome == "IGNORED"
    assert "application/vnd.buildkit.cacheconfig.v0, which is no image" in ignored.reason
    assert shop.released("v2").outcome == "SUCCEEDED"
    assert shop.running() == digest


def test_the_image_that_runs_already_is_no_change(account: Account) -> None:
    shop = account.shop()
    digest = shop.push("v2")
    assert shop.released("v2").outcome == "SUCCEEDED"
    again = account.start_release({"repository": shop.repository, "tag": "v2"})
    assert again.outcome == "SUCCEEDED"
    assert [d["outcome"] for d in again.output["deployments"]] == ["NO_CHANGE"]
    assert shop.running() == digest
    assert shop.revisions() == 2
    assert len(shop.mails()) == 1  # of the first


def test_a_manual_start_deploys_the_image_before(account: Account) -> None:
    shop = account.shop()
    shop.push("v2")
    assert shop.released("v2").outcome == "SUCCEEDED"
    back = account.start_release({"repository": shop.repository, "digest": shop.v1})
    assert back.outcome == "SUCCEEDED"
    assert shop.running() == shop.v1
