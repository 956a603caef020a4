"""A request walks what moto keeps while another request, on another thread, adds to it."""

from __future__ import annotations

from collections import OrderedDict
from copy import copy
from typing import Any

import pytest
from moto.backends import get_backend
from moto.core.base_backend import BaseBackend
from moto.elbv2.models import FakeTargetGroup, elbv2_backends
from moto.events.models import events_backends
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends

from localaws.aws import ACCOUNT, REGION
from localaws.server import LocalAws
from tests.support.localaws.ecs import World, unique

# Those that the pipeline, the environment and the local AWS itself call. STS keeps nothing.
SERVICES = (
    *("acm", "applicationautoscaling", "autoscaling", "awslambda", "cloudformation", "cloudwatch"),
    *("dynamodb", "ec2", "ecr", "ecs", "elbv2", "events", "iam", "kms", "logs", "route53", "s3"),
    *("secretsmanager", "servicediscovery", "sns", "sqs", "ssm", "stepfunctions", "wafv2"),
)


def test_a_listener_is_created_while_another_request_makes_a_target_group(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(aws)
    group, _, made = world.target_group(listener=False), world.target_group(listener=False), []

    def arn(self: FakeTargetGroup) -> str:
        if not made:
            made.append("the next one")
            world.target_group(listener=False)  # the server answers on another thread
        return str(vars(self)["arn"])

    balancer = world.elbv2.create_load_balancer(Name=unique("lb"), Subnets=world.subnets)
    monkeypatch.setattr(
        FakeTargetGroup,
        "arn",
        property(arn, lambda self, value: vars(self).__setitem__("arn", value)),
        raising=False,
    )

    listener = world.elbv2.create_listener(
        LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
        Port=80,
        Protocol="HTTP",
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )

    assert listener["Listeners"]
    assert made


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_service_keeps_can_change_while_it_is_walked(aws: LocalAws, service: str) -> None:
    kept = _kept(_backend(service))
    assert kept
    for name, found in kept.items():
        _can_change_while_it_is_walked(f"{service}: {name}", found)


def test_what_belongs_to_one_resource_can_change_while_it_is_walked(aws: LocalAws) -> None:
    world = World(aws)
    world.target_group()
    aws.client("logs").create_log_group(logGroupName="walked")
    trust = '{"Version": "2012-10-17", "Statement": []}'
    aws.client("iam").create_role(RoleName="walked", AssumeRolePolicyDocument=trust)
    balancer = next(iter(elbv2_backends[ACCOUNT][REGION].load_balancers.values()))
    subnets = get_backend("ec2")[ACCOUNT][REGION].subnets
    for name, found in {
        "the listeners of a load balancer": balancer.listeners,
        "the rules of a bus": events_backends[ACCOUNT][REGION].event_buses["default"].rules,
        "the streams of a log group": logs_backends[ACCOUNT][REGION].groups["walked"].streams,
        "the policies of a role": iam_backends[ACCOUNT]["aws"].get_role("walked").policies,
        "the subnets of a zone": next(iter(subnets.values())),
        "the tags of a service": elbv2_backends[ACCOUNT][REGION].tagging_service.tags,
    }.items():
        _can_change_while_it_is_walked(name, copy(found))


def _backend(service: str) -> BaseBackend:
    """A backend of its own, because the local AWS would stumble over what is no resource."""
    backends = get_backend(service)  # type: ignore[call-overload]
    region = REGION if REGION in backends[ACCOUNT].regions else "aws"
    made: BaseBackend = backends.backend(region, ACCOUNT)
    return made


def _kept(backend: BaseBackend) -> dict[str, dict[Any, Any]]:
    owners = {"": backend, "its functions ": getattr(backend, "_lambdas", None)}
    return {
        f"{which}{name}": value
        for which, owner in owners.items()
        if owner is not None
        for name, value in vars(owner).items()
        if isinstance(value, dict)
    }


def _can_change_while_it_is_walked(name: str, found: dict[Any, Any]) -> None:
    # Without the methods of moto's own subclasses, which expect what belongs there.
    base = OrderedDict if isinstance(found, OrderedDict) else dict
    first, second, meanwhile = object(), object(), object()
    for walk in ("__iter__", "keys", "values", "items"):
        base.__setitem__(found, first, None)
        base.__setitem__(found, second, None)
        try:
            walking = iter(getattr(found, walk)())
            next(walking)
            base.__setitem__(found, meanwhile, None)
            list(walking)
        except RuntimeError as error:
            pytest.fail(f"{name}: {walk}: {error}")
        finally:
            for each in (first, second, meanwhile):
                base.pop(found, each, None)
