"""Several services, several stages."""

from __future__ import annotations

from typing import Any

from localaws import seed
from localaws.sns import sns
from tests.support.account import Account, Shop
from tests.support.waiting import wait_for


def with_stages(account: Account) -> Shop:
    """A shop with a service in staging and two in production."""
    shop = account.shop()
    shop.add_service(f"staging/{shop.name}")
    shop.add_service(f"production/{shop.name}-worker")
    shop.plan(
        [
            {"name": "staging", "services": [shop.planned(f"staging/{shop.name}")]},
            {
                "name": "production",
                "services": [
                    shop.planned(shop.service),
                    shop.planned(f"production/{shop.name}-worker"),
                ],
            },
        ]
    )
    return shop


def test_a_release_goes_through_its_stages_in_order(account: Account) -> None:
    shop = with_stages(account)
    digest = shop.push("v2")
    release = shop.released("v2")
    assert release.outcome == "SUCCEEDED"
    first, *rest = release.output["deployments"]
    assert first["stage"] == "staging"
    assert {d["service"] for d in rest} == {shop.service, f"production/{shop.name}-worker"}
    for service in (f"staging/{shop.name}", shop.service, f"production/{shop.name}-worker"):
        assert shop.running(service) == digest


def test_the_next_stage_does_not_start_after_a_failure(account: Account) -> None:
    shop = with_stages(account)
    shop.push("v2", behaviour="crash")
    release = shop.released("v2")
    assert release.outcome == "ReleaseFailed"
    assert f"staging/{shop.name} ROLLED_BACK" in release.reason
    assert list(account.deployments_of(shop.repository, "v2")) == [f"staging/{shop.name}"]
    assert shop.running() == shop.v1
    [mail] = ends_of_releases(shop)
    assert mail["subject"] == f"FAILED: release of {shop.repository}:v2 did not reach production"
    named = f"stage production: {shop.service}, production/{shop.name}-worker"
    assert named in " ".join(mail["text"].split())


def test_the_other_services_of_a_stage_go_on_when_one_fails(account: Account) -> None:
    shop = account.shop()
    services = [shop.planned(shop.service), shop.planned("production/missing")]
    shop.plan([{"name": "production", "services": services}])
    digest = shop.push("v2")
    release = shop.released("v2")
    assert release.outcome == "ReleaseFailed"
    assert "cluster production has no service missing" in release.reason
    assert shop.deployed("v2").outcome == "SUCCEEDED"
    assert shop.running() == digest


def ends_of_releases(shop: Shop) -> list[dict[str, Any]]:
    """The emails about the ends of the shop's releases, without those of their deployments."""
    about = {"repository": shop.repository, "kind": "end"}
    return [
        mail
        for mail in sns.mails()
        if about.items() <= mail["attributes"].items() and "service" not in mail["attributes"]
    ]


def baking_in_staging(account: Account) -> Shop:
    """A shop whose v2 is on its way to production, and bakes in staging; main-* goes to staging only."""
    shop = account.shop(tasks=1)
    staging = f"staging/{shop.name}"
    shop.add_service(staging)

    def stage(name: str, service: str, **policy: Any) -> dict[str, Any]:
        return {"name": name, "services": [shop.planned(service, **policy)]}

    def plan(**policy: Any) -> None:
        first, last = stage("staging", staging, **policy), stage("production", shop.service)
        trunk = {"tags": ["main-*"], "stages": [stage("staging", staging)]}
        seed.plan(shop.repository, {"routes": [trunk, {"tags": ["v*"], "stages": [first, last]}]})

    plan(bake_seconds=600)
    shop.push("v2")
    wait_for(lambda: "HEALTHY" in str(shop.history(staging)), "v2 to bake")
    plan()
    return shop


def test_people_learn_once_that_a_newer_release_keeps_an_older_one_from_a_stage_it_does_not_go_to(
    account: Account,
) -> None:
    shop = baking_in_staging(account)
    shop.push("main-7")
    assert shop.released("main-7").outcome == "SUCCEEDED"
    assert shop.released("v2").outcome == "SUPERSEDED"
    assert shop.running() == shop.v1
    [mail] = ends_of_releases(shop)
    assert (
        mail["subject"] == f"SUPERSEDED: release of {shop.repository}:v2 did not reach production"
    )
    text = " ".join(mail["text"].split())
    assert f"stage production: {shop.service}" in text
    assert f"release {shop.repository}:main-7" in text
    assert "is newer, and goes to none of these services" in text
    assert f"Go on with the release of {shop.repository}:v2, if it is still wanted" in text
    assert "aws stepfunctions start-execution" in mail["text"]


def test_people_learn_nothing_of_a_stage_to_which_the_newer_release_goes_itself(
    account: Account,
) -> None:
    shop = baking_in_staging(account)
    digest = shop.push("v3")
    assert shop.released("v3").outcome == "SUCCEEDED"
    assert shop.released("v2").outcome == "SUPERSEDED"
    assert shop.running() == digest
    assert ends_of_releases(shop) == []
