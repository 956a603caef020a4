"""Clusters, which can't be deleted while they are in use, and their capacity providers.

moto replaces a cluster of the same name by an empty one, deletes clusters that have tasks, and accepts
any name as a capacity provider.
"""

from __future__ import annotations

from typing import Any

from moto.ecs.exceptions import ECSException, InvalidParameterException
from moto.ecs.models import Cluster

from localaws.ecs import capacity_providers as ecs_capacity_providers
from localaws.ecs.service import live_services
from localaws.ecs.state import active_cluster, backend
from localaws.iam import service_linked_roles


def create(params: dict[str, Any]) -> dict[str, Any]:
    """CreateCluster. A cluster that exists already is returned."""
    name = params.get("clusterName") or "default"
    providers = params.get("capacityProviders") or []
    strategy = params.get("defaultCapacityProviderStrategy") or []
    known = backend().clusters.get(name)
    if known and known.status == "ACTIVE":
        if (providers or known.capacity_providers) != known.capacity_providers:
            raise InvalidParameterException(
                "Arguments on this idempotent request are inconsistent with arguments used in"
                " previous request(s)."
            )
        return {"cluster": known}
    service_linked_roles.ensure(
        "AWSServiceRoleForECS", "ecs.amazonaws.com", "AmazonECSServiceRolePolicy"
    )
    _check_providers(providers, strategy)
    cluster = backend().create_cluster(
        name,
        params.get("tags") or [],
        params.get("settings"),
        params.get("configuration"),
        providers,
        strategy,
        params.get("serviceConnectDefaults"),
    )
    return {"cluster": cluster}


def delete(params: dict[str, Any]) -> dict[str, Any]:
    """DeleteCluster: a cluster that is not in use becomes INACTIVE."""
    cluster = active_cluster(params["cluster"])
    services = [s for s in live_services() if s.cluster_name == cluster.name]
    tasks: Any = backend().tasks.get(cluster.name, {}).values()
    contents = {
        "Services": any(service.status != "INACTIVE" for service in services),
        "ContainerInstances": backend().container_instances.get(cluster.name),
        "Tasks": any(task.status != "STOPPED" for task in tasks),
    }
    for kind, there in contents.items():
        if there:
            raise ECSException(
                f"ClusterContains{kind}Exception",
                f"The Cluster cannot be deleted while {kind} are active.",
            )
    return {"cluster": backend().delete_cluster(cluster.name)}


def put_capacity_providers(params: dict[str, Any]) -> dict[str, Any]:
    """PutClusterCapacityProviders, which replaces those of the cluster."""
    cluster = active_cluster(params["cluster"])
    providers = params.get("capacityProviders") or []
    strategy = params.get("defaultCapacityProviderStrategy") or []
    _check_providers(providers, strategy)
    if _in_use(cluster) - set(providers):
        raise ECSException(
            "ResourceInUseException",
            "The specified capacity provider is in use and cannot be removed.",
        )
    cluster.capacity_providers = providers
    cluster.default_capacity_provider_strategy = strategy
    return {"cluster": cluster}


def _check_providers(providers: list[str], strategy: list[dict[str, Any]]) -> None:
    for name in providers:
        if not ecs_capacity_providers.exists(name):
            raise InvalidParameterException(
                f"The specified capacity provider '{name}' was not found."
            )
    ecs_capacity_providers.check_strategy(strategy, providers)


def _in_use(cluster: Cluster) -> set[str]:
    """The capacity providers that the cluster's services use."""
    return {
        item["capacityProvider"]
        for service in live_services()
        if service.cluster_name == cluster.name and service.status != "INACTIVE"
        for item in service.settings.get("capacityProviderStrategy") or []
    }
