"""What a deployment is judged by, when the world around it changes or can't be read for a while."""

from __future__ import annotations

from typing import Any

from localaws.faults import faults
from tests.support.account import Account, Shop
from tests.support.waiting import wait_for


def baking(account: Account, **policy: Any) -> Shop:
    """A shop whose v2 bakes, with an alarm of its own."""
    shop = account.shop(tasks=1, alarms=("errors-of-{name}",))
    policy = {"bake_seconds": 20, **policy}
    shop.plan([{"name": "production", "services": [shop.planned(shop.service, **policy)]}])
    shop.push("v2")
    wait_for(lambda: "HEALTHY" in str(shop.history()), "v2 to bake")
    return shop


def set_alarm(shop: Shop, state: str) -> None:
    [name] = shop.alarms
    shop.account.aws.client("cloudwatch").set_alarm_state(
        AlarmName=name, StateValue=state, StateReason=f"the test said {state}"
    )


def definition_of(shop: Shop) -> dict[str, Any]:
    """The task definition that the service runs."""
    arn = shop.described()["taskDefinition"]
    ecs = shop.account.aws.client("ecs")
    found: dict[str, Any] = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    return found


def change_environment(shop: Shop, **variables: str) -> None:
    """Put the running task definition on the service with these variables, as a person would."""
    ecs, now = shop.account.aws.client("ecs"), definition_of(shop)
    kept = ("family", "networkMode", "cpu", "memory", "requiresCompatibilities")
    environment = [{"name": name, "value": value} for name, value in variables.items()]
    containers = [{**c, "environment": environment} for c in now["containerDefinitions"]]
    new = ecs.register_task_definition(
        **{name: now[name] for name in kept}, containerDefinitions=containers
    )["taskDefinition"]["taskDefinitionArn"]
    ecs.update_service(cluster=shop.cluster, service=shop.name, taskDefinition=new)


def test_a_forced_new_deployment_of_the_same_version_is_followed_and_rolled_back_for_its_alarm(
    account: Account,
) -> None:
    shop = baking(account)
    before = shop.described()["deployments"][0]["id"]
    account.aws.client("ecs").update_service(
        cluster=shop.cluster, service=shop.name, forceNewDeployment=True
    )
    wait_for(
        lambda: shop.settled() and shop.described()["deployments"][0]["id"] != before,
        "the forced deployment to complete",
    )
    set_alarm(shop, "ALARM")
    deployment = shop.deployed("v2")
    assert deployment.outcome == "ROLLED_BACK"
    assert "went to ALARM: the test said ALARM" in deployment.reason
    assert shop.running() == shop.v1


def test_an_alarm_that_fires_and_goes_back_between_two_checks_rolls_back(account: Account) -> None:
    shop = baking(account, poll_seconds=4)
    set_alarm(shop, "ALARM")
    set_alarm(shop, "OK")
    deployment = shop.deployed("v2")
    assert deployment.outcome == "ROLLED_BACK"
    assert "went to ALARM: the test said ALARM" in deployment.reason
    assert shop.running() == shop.v1
    assert len(shop.record().quarantined) == 1


def test_a_crash_of_service_connects_proxy_rolls_back_and_does_not_quarantine_the_image(
    account: Account,
) -> None:
    shop = account.shop(tasks=1)
    shop.push("v2", inject="aws-guardduty-agent:unpullable ecs-service-connect:crash")
    deployment = shop.deployed("v2")
    assert deployment.outcome == "ROLLED_BACK"
    assert deployment.reason.endswith(
        "tasks ended with container ecs-service-connect, which AWS adds, exit code 1"
    )
    assert shop.running() == shop.v1
    assert shop.record().quarantined == {}
    [mail] = shop.mails()
    assert f"Start the release of {shop.repository}:v2 again, once the container that AWS adds" in (
        " ".join(mail["text"].split())
    )


def test_a_crash_of_the_image_beside_service_connects_proxy_quarantines_it(
    account: Account,
) -> None:
    shop = account.shop(tasks=1)
    digest = shop.push("v2", behaviour="crash", exit_code="3", inject="ecs-service-connect")
    deployment = shop.deployed("v2")
    assert deployment.outcome == "ROLLED_BACK"
    assert "of container app exited with code 3" in deployment.reason
    assert list(shop.record().quarantined) == [digest]


def test_checks_that_lambda_throttles_in_the_bake_are_made_later(account: Account) -> None:
    shop = baking(account)
    throttled = faults.add(
        action="lambda:Invoke",
        how="throttle",
        containing=account.functions()["CheckDeployment"],
        times=10,
    )
    assert shop.deployed("v2").outcome == "SUCCEEDED"
    assert faults.remove(throttled)["hits"] == 10


def test_a_change_that_someone_makes_just_before_the_update_is_kept_and_people_are_told(
    account: Account,
) -> None:
    shop = account.shop(tasks=1)
    throttled = faults.add(
        action="ecs:UpdateService",
        how="throttle",
        function=account.functions()["UpdateService"],
        containing=shop.name,
        times=3,
    )
    digest = shop.push("v2")
    wait_for(lambda: faults.get(throttled)["hits"], "UpdateService to be throttled")
    change_environment(shop, COLOUR="blue")
    assert shop.deployed("v2").outcome == "SUCCEEDED"
    assert faults.remove(throttled)["hits"] == 3
    assert shop.running() == digest
    [container] = definition_of(shop)["containerDefinitions"]
    assert container["environment"] == [{"name": "COLOUR", "value": "blue"}]
    [mail] = shop.mails()
    assert "was changed to" in " ".join(mail["text"].split())


def test_a_service_without_tasks_is_unproven_and_its_release_goes_on_when_it_has_some(
    account: Account,
) -> None:
    shop = account.shop(tasks=0)
    shop.tasks = 1
    later = f"{shop.service}-later"
    shop.add_service(later)
    stages = {"staging": shop.service, "production": later}
    shop.plan([{"name": n, "services": [shop.planned(s)]} for n, s in stages.items()])
    digest = shop.push("v2")
    assert shop.released("v2").outcome == "UNPROVEN"
    assert [end["outcome"] for end in shop.history()] == ["UNPROVEN"]
    assert shop.history(later) == []
    [mail] = shop.mails()
    assert "nothing is known of it" in " ".join(mail["text"].split())
    assert (shop.record().good, shop.record().quarantined) == ((), {})
    account.aws.client("ecs").update_service(
        cluster=shop.cluster, service=shop.name, desiredCount=1
    )
    again = account.start_release({"repository": shop.repository, "digest": digest})
    assert again.outcome == "SUCCEEDED"
    assert [good.digest for good in shop.record().good] == [digest]
    assert shop.running(later) == digest
