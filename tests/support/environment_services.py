"""Checks of the environment's services, for Fargate and EC2 alike."""

from __future__ import annotations

from tests.support.environments import CLUSTER, PATIENCE_SECONDS, Environment
from tests.support.waiting import wait_for


def deploys_and_rolls_back(environment: Environment, name: str) -> None:
    """Check that a good image is deployed, a bad one rolled back, and the good one kept in the parameter."""
    repository = f"shop/{name}"
    environment.quicken(repository)
    good = environment.push("v1", repository)
    assert environment.deployment("v1", repository).outcome == "SUCCEEDED"
    runs(environment, name, good)

    environment.push("v2", repository, behaviour="crash")
    assert environment.deployment("v2", repository).outcome == "ROLLED_BACK"
    runs(environment, name, good)
    assert kept(environment, name).endswith(good)


def runs(environment: Environment, name: str, digest: str) -> None:
    """Wait until every task of a service runs this image and no other."""

    def all_of_it() -> bool:
        images = environment.images(name)
        return environment.steady(name) and {i.partition("@")[2] for i in images} == {digest}

    wait_for(all_of_it, f"{name} to run {digest}", PATIENCE_SECONDS)


def kept(environment: Environment, name: str) -> str:
    """The image in the service's SSM parameter, which an update of the service's stack would deploy."""
    found = environment.client("ssm").get_parameter(Name=f"/slipway/images/{CLUSTER}/{name}")
    return str(found["Parameter"]["Value"])


def discovered(environment: Environment, name: str) -> set[tuple[str, str | None]]:
    """The registered addresses of a service, each with its port if one is registered."""
    found = environment.client("servicediscovery").discover_instances(
        NamespaceName=f"{CLUSTER}.internal", ServiceName=name
    )
    return {
        (i["Attributes"]["AWS_INSTANCE_IPV4"], i["Attributes"].get("AWS_INSTANCE_PORT"))
        for i in found["Instances"]
    }


def alarmed(environment: Environment, alarm: str, state: str = "ALARM") -> None:
    """Set the state of an alarm."""
    environment.client("cloudwatch").set_alarm_state(
        AlarmName=alarm, StateValue=state, StateReason="the test says so"
    )


def desired(environment: Environment, count: int, name: str = "api") -> None:
    """Wait until a service desires and runs this many tasks."""

    def there() -> bool:
        return environment.service(name)["desiredCount"] == count and environment.steady(name)

    wait_for(there, f"{count} tasks of {name}", PATIENCE_SECONDS)
