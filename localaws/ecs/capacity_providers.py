"""Capacity providers, and the strategy that distributes tasks over them.

moto's providers lose managed draining in an update, can be deleted while a cluster uses them, and
place no tasks. Managed scaling, managed draining and termination protection are recorded only: a task
without an instance waits until something else launches one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moto.autoscaling.models import FakeAutoScalingGroup, autoscaling_backends
from moto.ecs.exceptions import EcsClientException, InvalidParameterException
from moto.ecs.models import CapacityProvider

from localaws.aws import ACCOUNT, REGION
from localaws.ecs.state import arn, backend, refuse

FARGATE = ("FARGATE", "FARGATE_SPOT")
"""The providers of every account."""

Strategy = list[dict[str, Any]]


def create(params: dict[str, Any]) -> dict[str, Any]:
    """CreateCapacityProvider."""
    refuse("CreateCapacityProvider", params, ("cluster", "managedInstancesProvider"))
    name, provider = params["name"], dict(params["autoScalingGroupProvider"])
    if not re.fullmatch(r"(?!(?i:aws|ecs|fargate))[A-Za-z0-9_-]{1,255}", name):
        raise EcsClientException("The specified capacity provider name is invalid.")
    if exists(name):
        raise EcsClientException("The specified capacity provider already exists.")
    group = _group(provider["autoScalingGroupArn"])
    if group is None:
        raise EcsClientException(
            "The specified Auto Scaling group ARN is invalid. Specify a valid Auto Scaling group"
            " ARN and try again."
        )
    if any(
        known.auto_scaling_group_provider["autoScalingGroupArn"] == group.arn
        for known in backend().capacity_providers.values()
    ):
        raise EcsClientException(
            "The specified Auto Scaling group ARN is already being used by another capacity"
            " provider. Specify a unique Auto Scaling group ARN and try again."
        )
    if (
        provider.get("managedTerminationProtection") == "ENABLED"
        and not group.new_instances_protected_from_scale_in
    ):
        raise EcsClientException(
            "The managed termination protection setting for the capacity provider is invalid. To"
            " enable managed termination protection for a capacity provider, the Auto Scaling"
            " group must have instance protection from scale in enabled."
        )
    made = backend().create_capacity_provider(
        name,
        {"managedDraining": "ENABLED", **provider, "autoScalingGroupArn": group.arn},
        params.get("tags") or [],
    )
    return {"capacityProvider": _record(made, tags=True)}


def update(params: dict[str, Any]) -> dict[str, Any]:
    """UpdateCapacityProvider."""
    refuse("UpdateCapacityProvider", params, ("cluster", "managedInstancesProvider"))
    known, changes = _existing(params["name"]), params["autoScalingGroupProvider"]
    known.update(changes)
    if "managedDraining" in changes:
        known.auto_scaling_group_provider["managedDraining"] = changes["managedDraining"]
    return {"capacityProvider": _record(known, tags=True)}


def delete(params: dict[str, Any]) -> dict[str, Any]:
    """DeleteCapacityProvider. ECS reports a refusal in the answer, not as an error."""
    known = _existing(params["capacityProvider"])
    for cluster in backend().clusters.values():
        if cluster.status == "ACTIVE" and known.name in (cluster.capacity_providers or []):
            known.update_status = "DELETE_FAILED"
            reason = (
                "The capacity provider cannot be deleted because it is associated with cluster:"
                f" {cluster.name}. Remove the capacity provider from the cluster and try again."
            )
            vars(known)["update_status_reason"] = reason
            return {"capacityProvider": _record(known, tags=True)}
    known.update_status = "DELETE_COMPLETE"
    known.status = "INACTIVE"
    del backend().capacity_providers[known.name]
    return {"capacityProvider": _record(known, tags=True)}


def describe(params: dict[str, Any]) -> dict[str, Any]:
    """DescribeCapacityProviders: the named ones, or all."""
    tags = "TAGS" in params.get("include", [])
    names = params.get("capacityProviders") or [*FARGATE, *backend().capacity_providers]
    found, failures = [], []
    for name in names:
        short = name.rpartition("/")[2]
        if short in FARGATE:
            arns = {"capacityProviderArn": arn(f"capacity-provider/{short}")}
            found.append({**arns, "name": short, "status": "ACTIVE", "type": short})
        elif known := backend()._get_provider(name):
            found.append(_record(known, tags=tags))
        else:
            missing = arn(f"capacity-provider/{short}")
            failures.append({"arn": missing, "reason": "MISSING"})
    return {"capacityProviders": found, "failures": failures}


def exists(name: str) -> bool:
    """Whether the capacity provider exists."""
    return name in FARGATE or backend()._get_provider(name) is not None


def check_strategy(strategy: Strategy, associated: list[str] | None) -> None:
    """Refuse a strategy that ECS refuses for a cluster with these capacity providers."""
    names = [item["capacityProvider"] for item in strategy]
    if set(names) - set(associated or []):
        raise InvalidParameterException(
            "The specified capacity provider strategy cannot contain a capacity provider that is"
            " not associated with the cluster. Associate the capacity provider with the cluster"
            " and try again."
        )
    if len({name in FARGATE for name in names}) > 1:
        raise InvalidParameterException(
            "A capacity provider strategy cannot contain a mix of capacity providers using Auto"
            " Scaling groups and Fargate providers. Specify one or the other and try again."
        )
    if sum(bool(item.get("base")) for item in strategy) > 1:
        raise InvalidParameterException(
            "A capacity provider strategy can have only one capacity provider with a base."
        )
    if len(strategy) > 1 and not any(item.get("weight") for item in strategy):
        raise InvalidParameterException(
            "A capacity provider strategy must have a capacity provider with a weight above zero."
        )


def choose(strategy: Strategy, running: Mapping[str, int]) -> str:
    """The provider of the next task, given the number of tasks on each: bases first, then weights."""
    for item in strategy:
        if running.get(item["capacityProvider"], 0) < (item.get("base") or 0):
            return str(item["capacityProvider"])
    weighed = [item for item in strategy if item.get("weight")] or strategy[:1]

    def load(item: dict[str, Any]) -> float:
        beyond = running.get(item["capacityProvider"], 0) - (item.get("base") or 0)
        return (beyond + 1) / (item.get("weight") or 1)

    return str(min(weighed, key=load)["capacityProvider"])


def instances_of(name: str) -> set[str]:
    """The EC2 instances in the Auto Scaling group of a capacity provider."""
    known = backend()._get_provider(name)
    group = _group(known.auto_scaling_group_provider["autoScalingGroupArn"]) if known else None
    return {state.instance.id for state in group.instance_states} if group else set()


def _existing(name: str) -> CapacityProvider:
    known = backend()._get_provider(name)
    if known is None:
        raise EcsClientException(
            "The specified capacity provider does not exist. Specify a valid name or ARN and try"
            " again."
        )
    return known


def _group(name_or_arn: str) -> FakeAutoScalingGroup | None:
    groups = autoscaling_backends[ACCOUNT][REGION].autoscaling_groups.values()
    return next((group for group in groups if name_or_arn in (group.name, group.arn)), None)


def _record(provider: CapacityProvider, *, tags: bool) -> dict[str, Any]:
    return {
        "capacityProviderArn": provider.capacity_provider_arn,
        "name": provider.name,
        "status": provider.status,
        "type": "EC2_AUTOSCALING",
        "autoScalingGroupProvider": provider.auto_scaling_group_provider,
        "updateStatus": provider.update_status,
        "updateStatusReason": vars(provider).get("update_status_reason"),
        "tags": provider.tags if tags else [],
    }
