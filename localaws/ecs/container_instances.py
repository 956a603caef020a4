"""Container instances: instances of Auto Scaling groups with ECS_CLUSTER in their user data.

On AWS the agent on an instance registers it with its cluster. Here the scheduler compares instances
and clusters in each round: an instance is registered as soon as its cluster exists, and deregistered
with its tasks once it is terminated. So cluster, group and capacity provider may come in any order.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

from moto.autoscaling.models import FakeAutoScalingGroup, autoscaling_backends
from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import Instance
from moto.ecs.models import Cluster, ContainerInstance

from localaws.aws import ACCOUNT, REGION
from localaws.ecs.state import backend
from localaws.ecs.task import Task

_CLUSTER = re.compile(r"""\bECS_CLUSTER=["']?([\w-]+)""")


def reconcile() -> None:
    """Register new instances and deregister terminated ones. The caller holds the lock."""
    known = {
        registered.ec2_instance_id: registered
        for cluster in list(backend().container_instances)
        for registered in _of(cluster)
    }
    for group in autoscaling_backends[ACCOUNT][REGION].autoscaling_groups.values():
        for cluster, instance in _agents(group):
            registered = known.get(instance.id) or _register(cluster, instance)
            if registered:
                vars(registered)["capacity_provider_name"] = _provider(cluster, group)
    for registered in known.values():
        if _terminated(registered):
            _deregister(registered)
    for cluster in backend().clusters.values():
        cluster.registered_container_instances_count = len(_of(cluster.name))


def _of(cluster: str) -> list[ContainerInstance]:
    return list(backend().container_instances.get(cluster, {}).values())


def _agents(group: FakeAutoScalingGroup) -> Iterator[tuple[Cluster, Instance]]:
    """The running instances of a group, each with the cluster in its user data."""
    for state in list(group.instance_states):
        instance = state.instance
        encoded = str(instance.user_data or "")
        named = _CLUSTER.search(base64.b64decode(encoded).decode(errors="replace"))
        cluster = backend().clusters.get(named[1]) if named else None
        if cluster and cluster.status == "ACTIVE" and instance.is_running():
            yield cluster, instance


def _register(cluster: Cluster, instance: Instance) -> ContainerInstance | None:
    if "ecs_agent" in vars(instance):  # an instance that was deregistered stays so
        return None
    vars(instance)["ecs_agent"] = cluster.name
    return backend().register_container_instance(cluster.name, instance.id)


def _provider(cluster: Cluster, group: FakeAutoScalingGroup) -> str | None:
    """The capacity provider of the cluster to which the group belongs."""
    for name in cluster.capacity_providers or []:
        provider = backend()._get_provider(name)
        settings = provider.auto_scaling_group_provider if provider else {}
        if provider and settings.get("autoScalingGroupArn") in (group.arn, group.name):
            return provider.name
    return None


def _terminated(registered: ContainerInstance) -> bool:
    known = vars(registered)
    if "host" not in known:  # cached: moto searches all instances
        ec2 = ec2_backends[ACCOUNT][REGION]
        known["host"] = ec2.get_instance(registered.ec2_instance_id)
    return bool(known["host"].state == "terminated")


def _deregister(registered: ContainerInstance) -> None:
    backend().container_instances[registered.cluster_name].pop(registered.id, None)
    registered.status, registered.agent_connected = "INACTIVE", False
    tasks: dict[str, Any] = dict(backend().tasks.get(registered.cluster_name, {}))
    for task in tasks.values():
        if isinstance(task, Task) and task.placement.instance is registered:
            reason = f"Host EC2 (instance {registered.ec2_instance_id}) terminated."
            task.stop(reason, "TerminationNotice")
