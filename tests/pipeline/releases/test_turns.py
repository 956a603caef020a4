"""Two images on one service: each is deployed in its turn, built on what is proven, and blamed for itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localaws import seed
from tests.support.account import Account
from tests.support.stories import PATIENCE_SECONDS, has_ended
from tests.support.waiting import wait_for


class Pair:
    """A shop whose service has a container of a second repository, each with a plan of its own."""

    def __init__(self, account: Account, **of_proxy: Any) -> None:
        self.shop = account.shop(tasks=1, behind_load_balancer=False)
        self.repository = f"{self.shop.repository}-proxy"
        uri = seed.repository(self.repository)
        old = seed.push(self.repository, None, seed.manifest(f"{self.repository} v1"))
        self.shop.add_container("proxy", uri, old)
        self.old = self.shop.digests()
        planned = self.shop.planned(self.shop.service, **of_proxy)
        stage = {"name": "production", "services": [planned]}
        seed.plan(self.repository, {"routes": [{"tags": ["v*"], "stages": [stage]}]})

    def push_proxy(self, tag: str, **behaviour: str) -> str:
        annotations = {f"localaws.{name}": value for name, value in behaviour.items()}
        image = seed.manifest(f"{self.repository} {tag}", annotations)
        return seed.push(self.repository, tag, image)

    def end(self) -> dict[tuple[str, str], str]:
        """The outcomes by repository and tag, once both deployments have ended."""
        shop = self.shop
        wait_for(
            lambda: has_ended(shop) and len(shop.history()) == 2, "both to end", PATIENCE_SECONDS
        )
        images = [(h["deployment"]["release"]["image"], h["outcome"]) for h in shop.history()]
        return {(image["repository"], image["tag"]): outcome for image, outcome in images}


@pytest.mark.parametrize("first", ["app", "proxy"])
def test_images_of_two_repositories_that_are_pushed_together_both_arrive(
    account: Account, first: str
) -> None:
    pair = Pair(account)
    shop = pair.shop
    if first == "app":
        app, proxy = shop.push("v2"), pair.push_proxy("v2")
    else:
        proxy, app = pair.push_proxy("v2"), shop.push("v2")

    assert set(pair.end().values()) == {"SUCCEEDED"}
    assert list(shop.digests().values()) == [app, proxy]

    back = shop.roll_back(to="v2")  # which of them?
    assert back.outcome == "REJECTED"
    assert app in back.reason
    assert proxy in back.reason


def test_a_bad_image_is_quarantined_and_the_good_one_of_another_repository_is_deployed(
    account: Account,
) -> None:
    pair = Pair(account)
    shop = pair.shop
    bad, good = shop.push("v2", behaviour="crash"), pair.push_proxy("v2")

    assert pair.end() == {
        (shop.repository, "v2"): "ROLLED_BACK",
        (pair.repository, "v2"): "SUCCEEDED",
    }
    assert shop.record().quarantined.keys() == {bad}
    first, proxy = pair.old
    assert shop.digests() == {first: pair.old[first], proxy: good}


@pytest.mark.exhaustive  # six deployments, one after the other
def test_a_good_version_stays_one_whichever_repositorys_image_was_released_with_it(
    account: Account,
) -> None:
    pair = Pair(account)
    shop = pair.shop
    _, name = pair.old

    v2 = shop.push("v2")
    assert shop.released("v2").outcome == "SUCCEEDED"
    proxy = pair.push_proxy("v3")
    assert [ended.outcome for ended in account.releases_of(pair.repository, "v3")] == ["SUCCEEDED"]
    v4 = shop.push("v4")
    assert shop.released("v4").outcome == "SUCCEEDED"

    assert shop.roll_back().outcome == "ROLLED_BACK"
    assert shop.digests() == {"app": v2, name: proxy}
    assert shop.roll_back(to="v4").outcome == "ROLLED_BACK"
    assert shop.digests() == {"app": v4, name: proxy}
    assert shop.record().quarantined.keys() == {v2}
    lift = {"action": "release_from_quarantine", "service": shop.service, "digest": v2}
    answer = account.aws.client("lambda").invoke(
        FunctionName=account.functions()["Operate"],
        Payload=json.dumps(lift | {"by": "jo", "why": "it was good"}),
    )
    assert "FunctionError" not in answer

    shop.push("v5", behaviour="crash")
    assert shop.deployed("v5").outcome == "ROLLED_BACK"
    assert shop.roll_back(to=v2).outcome == "ROLLED_BACK"
    assert shop.digests() == {"app": v2, name: proxy}


def test_the_alarm_of_one_plan_guards_the_images_of_the_other_one(account: Account) -> None:
    alarm = "errors-of-the-proxy"
    seed.alarm(alarm)
    pair = Pair(account, alarms=[alarm])
    shop = pair.shop
    shop.plan([{"name": "all", "services": [shop.planned(shop.service, bake_seconds=600)]}])
    digest = shop.push("v2")
    wait_for(lambda: "HEALTHY" in str(shop.history()), "v2 to bake")

    account.aws.client("cloudwatch").set_alarm_state(
        AlarmName=alarm, StateValue="ALARM", StateReason="the proxy fails"
    )

    assert shop.deployed("v2").outcome == "ROLLED_BACK"
    assert shop.record().quarantined.keys() == {digest}


def test_two_containers_of_one_repository_with_a_route_each_are_both_deployed(
    account: Account,
) -> None:
    shop = account.shop(tasks=1, behind_load_balancer=False)
    [first] = shop.digests()
    shop.add_container("worker", shop.uri, shop.v1)
    seed.plan(
        shop.repository,
        {
            "routes": [
                {"tags": [f"{name}-*"], "stages": [{"name": name, "services": [planned]}]}
                for name in (first, "worker")
                for planned in [shop.planned(shop.service, container=name)]
            ]
        },
    )
    web, worker = shop.push(f"{first}-2"), shop.push("worker-2")

    wait_for(lambda: has_ended(shop) and len(shop.history()) == 2, "both to end", PATIENCE_SECONDS)
    assert shop.outcomes() == {f"{first}-2": "SUCCEEDED", "worker-2": "SUCCEEDED"}
    assert shop.digests() == {first: web, "worker": worker}


def test_a_version_that_no_task_has_proved_is_left_out_of_the_next_one(account: Account) -> None:
    pair = Pair(account)
    shop = pair.shop
    ecs = account.aws.client("ecs")
    shop.push("v2")
    assert shop.deployed("v2").outcome == "SUCCEEDED"
    proven = shop.digests()
    ecs.update_service(cluster=shop.cluster, service=shop.name, desiredCount=0)
    pair.push_proxy("v2")
    wait_for(lambda: "UNPROVEN" in str(shop.history()), "the proxy to end UNPROVEN")
    wait_for(lambda: has_ended(shop), "it to be free", PATIENCE_SECONDS)
    ecs.update_service(cluster=shop.cluster, service=shop.name, desiredCount=1)

    digest = shop.push("v3")

    assert shop.deployed("v3").outcome == "SUCCEEDED"
    first, proxy = proven
    assert shop.digests() == {first: digest, proxy: proven[proxy]}
