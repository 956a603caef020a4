"""Several services, several stages."""

from __future__ import annotations

from localaws.sns import sns
from tests.support.account import Account, Shop


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
    [mail] = [
        mail
        for mail in sns.mails()
        if mail["attributes"].get("repository") == shop.repository
        and mail["attributes"]["kind"] == "end"
        and "service" not in mail["attributes"]
    ]
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
