"""What becomes of a push, from ECR to the email, on the local AWS through the real template."""

from __future__ import annotations

from tests.support.account import Account


def test_a_healthy_image_is_rolled_out(account: Account) -> None:
    shop = account.shop()
    digest = shop.push("v2")
    assert shop.released("v2").outcome == "SUCCEEDED"
    assert shop.deployed("v2").outcome == "SUCCEEDED"
    assert shop.running() == digest


def test_a_service_without_load_balancer_is_rolled_out(account: Account) -> None:
    shop = account.shop(behind_load_balancer=False)
    digest = shop.push("v2")
    assert shop.deployed("v2").outcome == "SUCCEEDED"
    assert shop.running() == digest


def test_an_image_that_starts_slowly_is_waited_for(account: Account) -> None:
    shop = account.shop()
    digest = shop.push("v2", behaviour="slow", start_seconds="3")
    assert shop.deployed("v2").outcome == "SUCCEEDED"
    assert shop.running() == digest


def test_an_image_that_crashes_is_rolled_back(account: Account) -> None:
    shop = account.shop()
    shop.push("v2", behaviour="crash", exit_code="3")
    deployment = shop.deployed("v2")
    assert deployment.outcome == "ROLLED_BACK"
    assert deployment.reason.endswith("exited with code 3")
    assert shop.running() == shop.v1
    assert shop.released("v2").outcome == "ReleaseFailed"


def test_an_image_that_the_load_balancer_finds_unhealthy_is_rolled_back(account: Account) -> None:
    shop = account.shop()
    shop.push("v2", behaviour="unhealthy", health_status="503")
    deployment = shop.deployed("v2")
    assert deployment.outcome == "ROLLED_BACK"
    assert "failed ELB health checks" in deployment.reason
    assert shop.running() == shop.v1


def test_an_image_that_cannot_be_pulled_is_rolled_back(account: Account) -> None:
    shop = account.shop()
    shop.push("v2", behaviour="unpullable")
    deployment = shop.deployed("v2")
    assert deployment.outcome == "ROLLED_BACK"
    assert "a task can never start" in deployment.reason
    assert shop.running() == shop.v1


def test_an_alarm_that_fires_while_it_bakes_rolls_back(account: Account) -> None:
    shop = account.shop(alarms=("errors-while-baking",))
    shop.plan([{"name": "production", "services": [shop.planned(shop.service, bake_seconds=30)]}])
    shop.push("v2", behaviour="regression", alarm="errors-while-baking", alarm_after_seconds="1")
    deployment = shop.deployed("v2")
    assert deployment.outcome == "ROLLED_BACK"
    assert "alarm errors-while-baking went to ALARM" in deployment.reason
    assert shop.running() == shop.v1


def test_an_image_that_does_not_get_healthy_in_time_is_rolled_back(account: Account) -> None:
    shop = account.shop()
    shop.plan([{"name": "production", "services": [shop.planned(shop.service, timeout_seconds=2)]}])
    shop.push("v2", behaviour="slow", start_seconds="60")
    deployment = shop.deployed("v2")
    assert deployment.outcome == "ROLLED_BACK"
    assert "not healthy after 2 seconds" in deployment.reason
    assert shop.running() == shop.v1


def test_a_deployment_that_ecs_has_rolled_back_itself_is_notified_as_rolled_back(
    account: Account,
) -> None:
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    shop = account.shop(settings={"deploymentConfiguration": breaker})
    # Slipway looks so rarely that the circuit breaker is first.
    shop.plan([{"name": "production", "services": [shop.planned(shop.service, poll_seconds=5)]}])
    shop.push("v2", behaviour="crash")
    deployment = shop.deployed("v2")
    assert deployment.outcome == "ROLLED_BACK"
    assert "exited with code" in deployment.reason
    assert any(
        "ECS says: " in fact and "deployment failed" in fact
        for fact in shop.history()[-1]["evidence"]
    )
    assert shop.running() == shop.v1
