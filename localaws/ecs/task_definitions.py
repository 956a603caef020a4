"""Task definitions that keep every field.

moto keeps only the fields of RegisterTaskDefinition that it knows, but a pipeline that copies a task
definition has to read all of them. Here the request is the record, with ECS's defaults and output
fields added.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import copy, deepcopy
from typing import Any

from moto.core.utils import utcnow
from moto.ecs.exceptions import EcsClientException, ECSException, InvalidParameterException
from moto.ecs.models import EC2ContainerServiceBackend, TaskDefinition

from localaws.aws import ACCOUNT, REGION
from localaws.ecs import dependency_checks
from localaws.ecs.state import backend, page
from localaws.faults.stale import Past

_CONTAINER_DEFAULTS: dict[str, Any] = {
    "cpu": 0,
    "portMappings": [],
    "essential": True,
    "environment": [],
    "mountPoints": [],
    "volumesFrom": [],
    "systemControls": [],
}


class LiveTaskDefinition(TaskDefinition):
    """A revision, with the record that DescribeTaskDefinition returns."""

    def __init__(self, params: dict[str, Any], revision: int) -> None:
        containers = [_container(c, params) for c in params["containerDefinitions"]]
        super().__init__(
            params["family"], revision, containers, ACCOUNT, REGION, tags=params.pop("tags", None)
        )
        self.record: dict[str, Any] = {
            "volumes": [],
            "placementConstraints": [],
            **params,
            "containerDefinitions": containers,
            "taskDefinitionArn": self.arn,
            "revision": revision,
            "status": "ACTIVE",
            "compatibilities": _compatibilities(params),
            "requiresAttributes": [{"name": name} for name in _required_attributes(params)],
            "registeredAt": utcnow(),
            "registeredBy": f"arn:aws:iam::{ACCOUNT}:root",
        }
        self.past: Past[LiveTaskDefinition | None] = Past()
        """The revision in its former status; None before it was registered."""
        self.past.keep(None)

    def enter(self, status: str, moment: str) -> None:
        """Take on another status. ``moment`` is the field that tells since when."""
        former = copy(self)
        former.record = dict(self.record)
        self.past.keep(former)
        self.status = status
        self.record.update({"status": status, moment: utcnow()})

    @property
    def reserves(self) -> dict[str, int]:
        """The CPU units and the MiB that a task takes from its container instance."""
        containers = self.record["containerDefinitions"]
        cpu = sum(c.get("cpu") or 0 for c in containers)
        memory = sum(c.get("memoryReservation") or c.get("memory") or 0 for c in containers)
        return {
            "CPU": _units(self.record.get("cpu"), "vcpu") or cpu,
            "MEMORY": _units(self.record.get("memory"), "gb") or memory,
        }

    @property
    def awsvpc(self) -> bool:
        """Whether the network mode is awsvpc."""
        return bool(self.record.get("networkMode") == "awsvpc")


def _units(size: str | None, large_unit: str) -> int:
    """The size of a task, which may be given in units such as "256" or as "0.25 vCPU" or "1 GB"."""
    text = (size or "0").lower()
    return int(float(text.removesuffix(large_unit)) * (1024 if large_unit in text else 1))


def register(params: dict[str, Any]) -> dict[str, Any]:
    """RegisterTaskDefinition."""
    family, containers = params.get("family", ""), params.get("containerDefinitions")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", family):
        raise EcsClientException("Family contains invalid characters.")
    if not containers:
        raise EcsClientException("Container list cannot be empty.")
    if "FARGATE" in params.get("requiresCompatibilities", []):
        if params.get("networkMode") != "awsvpc":
            raise EcsClientException("Fargate only supports network mode 'awsvpc'.")
        if not params.get("cpu") or not params.get("memory"):
            raise EcsClientException(
                "Fargate requires that 'cpu' and 'memory' be defined at the task level."
            )
    _check_network_mode(params.get("networkMode", "bridge"), containers)
    if params.get("tags") == []:
        raise EcsClientException("Tags can not be empty.")
    EC2ContainerServiceBackend._validate_container_defs(
        params.get("memory"), containers, params.get("requiresCompatibilities")
    )
    if not any(container.get("essential", True) for container in containers):
        raise EcsClientException("A container must be marked as essential.")
    dependency_checks.check(containers)
    _check_restart_policies(containers)
    if "FARGATE" in params.get("requiresCompatibilities", []):
        _check_stop_timeouts(containers)
    revisions = backend().task_definitions.setdefault(family, {})
    # A revision number is never used again, even after the revision was deleted. The last one is
    # kept in moto's backend, whose reset deletes it.
    last: dict[str, int] = vars(backend()).setdefault("last_revisions", {})
    last[family] = last.get(family, 0) + 1
    definition = LiveTaskDefinition(dict(params), last[family])  # type: ignore[abstract]
    revisions[definition.revision] = definition
    return {"taskDefinition": definition.record, "tags": definition.tags}


def describe(params: dict[str, Any]) -> dict[str, Any]:
    """DescribeTaskDefinition."""
    definition = find(params["taskDefinition"])
    if definition is None:
        raise EcsClientException("Unable to describe task definition.")
    result: dict[str, Any] = {"taskDefinition": definition.record}
    if "TAGS" in params.get("include", []):
        result["tags"] = definition.tags
    return result


def list_arns(params: dict[str, Any]) -> dict[str, Any]:
    """ListTaskDefinitions."""
    family, status = params.get("familyPrefix"), params.get("status", "ACTIVE")
    found = [
        definition
        for revisions in backend().task_definitions.values()
        for definition in revisions.values()
        if definition.status == status and family in (None, definition.family)
    ]
    found.sort(key=lambda d: (d.family, d.revision), reverse=params.get("sort") == "DESC")
    return page(params, "taskDefinitionArns", [definition.arn for definition in found])


def deregister(params: dict[str, Any]) -> dict[str, Any]:
    """DeregisterTaskDefinition: running tasks go on, but no service can be updated to the
    revision.
    """
    if ":" not in _short(params["taskDefinition"]):
        raise EcsClientException("Revision is missing.")
    definition = find(params["taskDefinition"])
    if definition is None:
        raise EcsClientException("Unable to describe task definition.")
    if definition.status == "ACTIVE":
        definition.enter("INACTIVE", "deregisteredAt")
    return {"taskDefinition": definition.record}


def delete(params: dict[str, Any]) -> dict[str, Any]:
    """DeleteTaskDefinitions: a revision is DELETE_IN_PROGRESS while tasks or services use it."""
    names = params["taskDefinitions"]
    if not 1 <= len(names) <= 10:
        raise InvalidParameterException("Specify 1 to 10 task definitions.")  # not ECS's words
    deleted, failures = [], []
    for name in names:
        definition = find(name) if ":" in _short(name) else None
        if definition is None:
            reason = "The specified task definition does not exist."
        elif definition.status == "ACTIVE":
            reason = (
                "The specified task definition is still in ACTIVE status. Please deregister the"
                " target and try again."
            )
        else:
            if definition.status != "DELETE_IN_PROGRESS":
                definition.enter("DELETE_IN_PROGRESS", "deleteRequestedAt")
                deleting().append(definition)
            deleted.append(definition.record)
            continue
        failures.append({"arn": name, "reason": reason})
    return {"taskDefinitions": deleted, "failures": failures}


def deleting() -> list[LiveTaskDefinition]:
    """The revisions that are DELETE_IN_PROGRESS. They are kept in moto's backend, whose reset
    empties the list.
    """
    waiting: list[LiveTaskDefinition] = vars(backend()).setdefault("deleting", [])
    return waiting


def finish_deletions(in_use: set[str]) -> None:
    """Delete the revisions that are DELETE_IN_PROGRESS, except those with these ARNs."""
    for definition in list(deleting()):
        if definition.arn not in in_use:
            deleting().remove(definition)
            del backend().task_definitions[definition.family][definition.revision]


def find(name: str) -> LiveTaskDefinition | None:
    """The revision for an ARN or family:revision. For a family it is the newest ACTIVE one."""
    family, _, revision = _short(name).partition(":")
    revisions: dict[int, Any] = backend().task_definitions.get(family, {})
    if not revision:
        active = [number for number, d in revisions.items() if d.status == "ACTIVE"]
        return revisions[max(active)] if active else None
    if not revision.isdecimal():
        raise InvalidParameterException(f"Invalid revision number. Number: {revision}")
    return revisions.get(int(revision))


def deployable(
    name: str, *, refusal: Callable[[str], ECSException] = EcsClientException
) -> LiveTaskDefinition:
    """The revision to start tasks from, which has to be ACTIVE.

    ``refusal`` is the error for one that is not: RunTask has another code than the calls for services.
    """
    definition = find(name)
    if definition is None:
        raise EcsClientException("TaskDefinition not found.")
    if definition.status != "ACTIVE":
        raise refusal("TaskDefinition is inactive")
    return definition


def _short(name: str) -> str:
    return name.rpartition("/")[2]


def _check_network_mode(mode: str, containers: list[dict[str, Any]]) -> None:
    if mode != "bridge" and any(container.get("links") for container in containers):
        raise EcsClientException(f"Links are not supported when networkMode={mode}.")
    for mapping in (m for c in containers for m in c.get("portMappings", [])):
        port = mapping.get("containerPort")
        if mode in ("awsvpc", "host") and mapping.get("hostPort", port) not in (0, port):
            raise EcsClientException(
                f"When networkMode={mode}, the host ports and container ports in port mappings must"
                " match."
            )


def _check_restart_policies(containers: list[dict[str, Any]]) -> None:
    """Refuse what the API's reference rules out. ECS's words for it are not published."""
    for policy in (c["restartPolicy"] for c in containers if c.get("restartPolicy")):
        if not 60 <= policy.get("restartAttemptPeriod", 60) <= 1800:
            raise EcsClientException("The restartAttemptPeriod has to be 60 to 1800 seconds.")
        if len(policy.get("ignoredExitCodes") or []) > 50:
            raise EcsClientException("The ignoredExitCodes have to be 50 at most.")


def _check_stop_timeouts(containers: list[dict[str, Any]]) -> None:
    """Refuse what the API's reference rules out on Fargate. ECS's words for it are not published."""
    if not all(2 <= container.get("stopTimeout", 2) <= 120 for container in containers):
        raise EcsClientException("The stopTimeout has to be 2 to 120 seconds on Fargate.")


def _container(container: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    full: dict[str, Any] = {**deepcopy(_CONTAINER_DEFAULTS), **container}
    for index, mapping in enumerate(full["portMappings"]):
        if "containerPort" in mapping:  # a containerPortRange has no default
            fixed = params.get("networkMode") in ("awsvpc", "host")
            host_port = mapping["containerPort"] if fixed else 0
            full["portMappings"][index] = {"hostPort": host_port, "protocol": "tcp", **mapping}
    return full


def _compatibilities(params: dict[str, Any]) -> list[str]:
    if params.get("networkMode") != "awsvpc":
        return ["EXTERNAL", "EC2"]
    return ["EC2", "FARGATE"] if params.get("cpu") and params.get("memory") else ["EC2"]


def _required_attributes(params: dict[str, Any]) -> list[str]:
    containers = params["containerDefinitions"]
    drivers = {c["logConfiguration"]["logDriver"] for c in containers if c.get("logConfiguration")}
    wanted = {
        "ecs.capability.task-eni": params.get("networkMode") == "awsvpc",
        "com.amazonaws.ecs.capability.task-iam-role": params.get("taskRoleArn"),
        "com.amazonaws.ecs.capability.ecr-auth": any(
            re.search(r"\.dkr[.-]ecr(-fips)?\.", container["image"]) for container in containers
        ),
        "ecs.capability.container-health-check": any(c.get("healthCheck") for c in containers),
        "ecs.capability.secrets.asm.environment-variables": any(
            ":secretsmanager:" in secret["valueFrom"]
            for container in containers
            for secret in container.get("secrets", [])
        ),
    }
    names = [name for name, needed in wanted.items() if needed]
    return names + [f"com.amazonaws.ecs.capability.logging-driver.{name}" for name in drivers]
