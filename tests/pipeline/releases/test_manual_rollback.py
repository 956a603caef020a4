"""Going back manually: one state machine start."""

from __future__ import annotations

import pytest

from localaws import seed
from localaws.faults import faults
from tests.support.account import Account, Shop
from tests.support.stories import PATIENCE_SECONDS, has_ended
from tests.support.waiting import wait_for


def with_good_versions(account: Account, *tags: str) -> Shop:
    """A shop that has v1 manually, and these versions by Slipway."""
    shop = account.shop(tasks=1)
    for tag in tags:
        shop.push(tag)
        assert shop.deployed(tag).outcome == "SUCCEEDED"
    return shop


@pytest.fixture
def shop(account: Account) -> Shop:
    """One with two good versions."""
    return with_good_versions(account, "v2", "v3")


@pytest.fixture
def young(account: Account) -> Shop:
    """One with only one good version."""
    return with_good_versions(account, "v2")


@pytest.fixture(scope="module")
def unchanged(account: Account) -> Shop:
    """One with two good versions, for the tests that change nothing of it."""
    return with_good_versions(account, "v2", "v3")


def family(shop: Shop) -> str:
    return shop.service.replace("/", "-")


def test_a_manual_rollback_goes_to_the_last_good_version_and_quarantines_the_abandoned_one(
    shop: Shop,
) -> None:
    v2, v3 = (item["deployment"]["release"]["image"]["digest"] for item in shop.history())
    back = shop.roll_back(by="jo")
    assert back.outcome == "ROLLED_BACK"
    assert shop.running() == v2
    record = shop.record()
    assert list(record.quarantined) == [v3]
    assert record.last_good is not None
    assert record.last_good.digest == v2
    newest = shop.history()[-1]
    assert newest["deployment"]["release"]["started_by"] == "manual rollback"
    assert newest["deployment"]["release"]["by"] == "jo"
    assert shop.mails()[-1]["attributes"]["outcome"] == "ROLLED_BACK"
    again = shop.account.start_release({"repository": shop.repository, "tag": "v3"})
    assert "REJECTED" in again.reason


@pytest.mark.parametrize("to", ["v1", "{digest}", "{family}:1"])
def test_a_manual_rollback_goes_to_a_tag_a_digest_or_a_task_definition(
    young: Shop, to: str
) -> None:
    back = young.roll_back(to=to.format(digest=young.v1, family=family(young)))
    assert back.outcome == "ROLLED_BACK"
    assert young.running() == young.v1


def test_a_task_definition_that_was_deregistered_is_registered_anew(shop: Shop) -> None:
    ecs = shop.account.aws.client("ecs")
    ecs.deregister_task_definition(taskDefinition=f"{family(shop)}:2")
    assert shop.roll_back().outcome == "ROLLED_BACK"
    record = shop.record()
    assert record.last_good is not None
    assert record.last_good.task_definition.endswith(f"{family(shop)}:4")
    assert shop.running() == record.last_good.digest


def test_a_good_task_definition_that_was_deleted_is_registered_from_the_ledgers_copy(
    shop: Shop,
) -> None:
    v2 = shop.history()[0]["deployment"]["release"]["image"]["digest"]
    ecs, name = shop.account.aws.client("ecs"), f"{family(shop)}:2"
    ecs.deregister_task_definition(taskDefinition=name)
    ecs.delete_task_definitions(taskDefinitions=[name])

    def deleted() -> bool:
        try:
            ecs.describe_task_definition(taskDefinition=name)
        except ecs.exceptions.ClientException:
            return True
        return False

    wait_for(deleted, f"the deletion of {name}")
    assert shop.roll_back().outcome == "ROLLED_BACK"
    assert shop.running() == v2


def test_a_service_goes_back_to_an_older_version_if_the_image_of_the_last_one_was_deleted_meanwhile(
    shop: Shop,
) -> None:
    """A lifecycle policy of ECR may do that (containers-roadmap#1078)."""
    v2, v3 = (item["deployment"]["release"]["image"]["digest"] for item in shop.history())
    shop.push("v4", behaviour="crash")
    wait_for(lambda: shop.revisions() == 4, "the deployment of v4 to have begun")
    shop.account.aws.client("ecr").batch_delete_image(
        repositoryName=shop.repository, imageIds=[{"imageDigest": v3}]
    )
    assert shop.deployed("v4").outcome == "ROLLED_BACK"
    assert shop.running() == v2
    last = shop.history()[-1]
    assert f"can't start: ECR no longer has its image {shop.name}@{v3}" in str(last["evidence"])
    good = shop.record().last_good
    assert good is not None
    assert (good.digest, good.tag) == (v2, "v2")


def test_a_manual_rollback_bypasses_a_freeze(account: Account, shop: Shop) -> None:
    ssm = account.aws.client("ssm")
    window = '[{"from": "2020-01-01T00:00:00Z", "until": "2999-01-01T00:00:00Z"}]'
    ssm.put_parameter(Name="/slipway/freeze", Type="String", Value=window)
    try:
        assert shop.roll_back().outcome == "ROLLED_BACK"
    finally:
        ssm.delete_parameter(Name="/slipway/freeze")


def test_a_manual_rollback_takes_over_from_a_deployment_that_is_under_way(young: Shop) -> None:
    v2 = young.running()
    young.push("v3", behaviour="slow", start_seconds="600")
    wait_for(lambda: "CheckDeployment" in str(young.record().claim) or young.revisions() == 3, "v3")
    wait_for(lambda: len(young.described()["deployments"]) == 2, "v3 to be on its way")
    assert young.roll_back(by="jo").outcome == "ROLLED_BACK"
    assert young.running() == v2
    wait_for(lambda: has_ended(young), "the end of v3", 120)
    *_, v3, rollback = young.history()
    assert (v3["outcome"], v3["cause"]) == ("SUPERSEDED", "PERSON")
    assert v3["reason"] == f"jo has rolled service {young.service} back manually"
    assert rollback["outcome"] == "ROLLED_BACK"


def test_a_manual_rollback_that_took_over_and_cannot_reach_its_target_goes_to_the_last_good(
    account: Account, shop: Shop
) -> None:
    v3 = shop.running()
    planned = shop.planned(shop.service, bake_seconds=600)
    shop.plan([{"name": "production", "services": [planned]}])
    v4 = shop.push("v4")
    wait_for(lambda: "HEALTHY" in str(shop.history()[2:]), "v4 to bake")
    shop.plan([{"name": "production", "services": [shop.planned(shop.service)]}])
    faults.add(action="ecs:RegisterTaskDefinition", how="deny", containing=shop.name)
    back = shop.roll_back(to="v1")  # which no good task definition has
    assert back.outcome == "FAILED"
    wait_for(lambda: has_ended(shop), f"{shop.service} to end", PATIENCE_SECONDS)
    assert shop.history()[-1]["outcome"] == "ROLLED_BACK"
    assert shop.running() == v3
    assert list(shop.record().quarantined) == [v4]


def test_the_image_that_a_manual_rollback_abandons_is_no_rollback_target_after_a_takeover(
    shop: Shop,
) -> None:
    v2 = shop.history()[0]["deployment"]["release"]["image"]["digest"]
    planned = shop.planned(shop.service, bake_seconds=600)
    shop.plan([{"name": "production", "services": [planned]}])
    shop.account.start("RollbackStateMachineArn", {"service": shop.service})
    wait_for(lambda: "HEALTHY" in str(shop.history()[2:]), "the rollback to bake")
    shop.push("v4", behaviour="crash")
    assert shop.deployed("v4").outcome == "ROLLED_BACK"
    assert shop.running() == v2


def test_of_two_repositories_in_a_service_the_image_that_was_released_last_is_abandoned(
    account: Account, shop: Shop
) -> None:
    """The container of the other repository comes first. Its version before has only one container."""
    ecs = account.aws.client("ecs")
    beside = f"teams/{shop.name}-proxy"
    uri = seed.repository(beside)
    image = f"{uri}@{seed.push(beside, 'v1', seed.manifest(beside))}"
    proxy = {"name": "proxy", "image": image, "essential": True}
    running = ecs.describe_task_definition(taskDefinition=shop.described()["taskDefinition"])
    own = running["taskDefinition"]["containerDefinitions"][0]
    known = ("family", "requiresCompatibilities", "networkMode", "cpu", "memory")
    both = ecs.register_task_definition(
        **{field: running["taskDefinition"][field] for field in known},
        containerDefinitions=[proxy, own],
    )
    cluster, _, name = shop.service.partition("/")
    ecs.update_service(
        cluster=cluster,
        service=name,
        taskDefinition=both["taskDefinition"]["taskDefinitionArn"],
    )
    wait_for(shop.settled, "both containers to run")
    seed.plan(
        beside,
        {
            "routes": [
                {
                    "tags": ["v*"],
                    "stages": [{"name": "production", "services": [shop.planned(shop.service)]}],
                }
            ]
        },
    )
    v4 = shop.push("v4")
    assert shop.deployed("v4").outcome == "SUCCEEDED"
    assert shop.roll_back().outcome == "ROLLED_BACK"
    assert list(shop.record().quarantined) == [v4]
    assert f"from {shop.repository}:v4 to v3" in shop.mails()[-1]["subject"]
    assert beside in str(shop.history()[-1]["evidence"])


def test_without_a_last_good_version_it_is_rejected(account: Account) -> None:
    shop = account.shop(tasks=1)
    back = shop.roll_back()
    assert back.outcome == "REJECTED"
    assert "there is no last good version" in back.reason
    assert 'as "to"' in back.reason
    assert shop.running() == shop.v1


@pytest.mark.parametrize("to", ["v99", "sha256:" + "0" * 64, "nothing:7"])
def test_a_manual_rollback_to_a_target_that_does_not_exist_is_rejected(
    unchanged: Shop, to: str
) -> None:
    v3 = unchanged.running()
    back = unchanged.roll_back(to=to)
    assert back.outcome == "REJECTED"
    assert to in back.reason
    assert unchanged.running() == v3


def test_a_service_that_does_not_exist_is_named(account: Account) -> None:
    start = {"service": "nowhere/api"}
    back = account.ended(account.start("RollbackStateMachineArn", start))
    assert (back.outcome, back.reason) == (
        "FAILED",
        "cluster nowhere of service nowhere/api does not exist",
    )


def test_a_wrong_start_of_a_manual_rollback_says_what_is_wrong(account: Account) -> None:
    start = {"service": "api", "too": "v1"}
    back = account.ended(account.start("RollbackStateMachineArn", start))
    assert back.outcome == "FAILED"
    assert "too: there is no such name here" in back.reason
