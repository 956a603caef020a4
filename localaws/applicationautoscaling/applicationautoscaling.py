"""Application Auto Scaling: the desired count of an ECS service follows limits and alarms.

In moto targets and policies are records only: no count ever changes, and the policies of a target
remain when it is deregistered. Here the limits of a target apply from its registration on, and alarms
trigger its policies (applicationautoscaling/scaling_policies.py).

Cooldowns are stored, but have no effect. Only ecs:service:DesiredCount is simulated. Scheduled
actions, predictive scaling and tags are refused.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.models import (
    ApplicationAutoscalingBackend,
    applicationautoscaling_backends,
)
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.core.exceptions import JsonRESTError

from localaws import aws
from localaws.aws import ACCOUNT, REGION
from localaws.iam import service_linked_roles

Record = dict[str, Any]

LOCK = threading.RLock()
"""Held while targets and policies change, and from the reading of a desired count to its change."""

IDENTITY = ("ServiceNamespace", "ResourceId", "ScalableDimension")
_ECS = ("ecs", "ecs:service:DesiredCount")
_SUSPENDABLE = (
    "DynamicScalingInSuspended",
    "DynamicScalingOutSuspended",
    "ScheduledScalingSuspended",
)


class ObjectNotFoundError(JsonRESTError):
    """The target or policy does not exist."""

    def __init__(self, what: str, params: Record) -> None:
        namespace, resource, dimension = (params[name] for name in IDENTITY)
        super().__init__(
            "ObjectNotFoundException",
            f"No {what} found for service namespace: {namespace}, resource ID: {resource},"
            f" scalable dimension: {dimension}",
        )


def backend() -> ApplicationAutoscalingBackend:
    """moto's Application Auto Scaling backend, which holds the targets and policies."""
    return applicationautoscaling_backends[ACCOUNT][REGION]


def targets() -> dict[str, Record]:
    """The scalable targets by resource."""
    return backend().targets


def target_of(params: Record) -> Record:
    """The target that a request names. Raises ObjectNotFoundError if there is none."""
    check(params)
    if params["ResourceId"] not in targets():
        raise ObjectNotFoundError("scalable target", params)
    return targets()[params["ResourceId"]]


def check(params: Record) -> None:
    """Refuse everything but the desired count of ECS services."""
    if (params["ServiceNamespace"], params.get("ScalableDimension", _ECS[1])) != _ECS:
        raise NotImplementedError(f"application-autoscaling: only {_ECS[1]} is simulated")


def scale(
    target: Record, change: Callable[[int], int], cause: str, *, by_policy: bool = False
) -> None:
    """Apply `change` to the desired count of a service, and record the activity."""
    _, cluster, service = target["ResourceId"].split("/")
    ecs = aws.client("ecs")
    activity = {
        "ActivityId": str(uuid.uuid4()),
        **{name: target[name] for name in IDENTITY},
        "Cause": cause,
        "StartTime": time.time(),
    }
    try:
        (described,) = ecs.describe_services(cluster=cluster, services=[service])["services"]
        before = described["desiredCount"]
        wanted = change(before)
        if wanted == before or (by_policy and _suspended(target, up=wanted > before)):
            return
        activity["Description"] = f"Setting desired count to {wanted}."
        ecs.update_service(cluster=cluster, service=service, desiredCount=wanted)
    except (BotoCoreError, ClientError, ValueError) as error:
        activity.setdefault("Description", "Setting desired count.")
        outcome = "Failed", f"Failed to set desired count. Reason: {error}"
    else:
        outcome = (
            "Successful",
            f"Successfully set desired count to {wanted}. Change successfully fulfilled by ecs.",
        )
    activity |= {"StatusCode": outcome[0], "StatusMessage": outcome[1], "EndTime": time.time()}
    _activities().insert(0, activity)


def _suspended(target: Record, *, up: bool) -> bool:
    """Whether scaling by policies is suspended in this direction. Limits apply all the same."""
    kind = "DynamicScalingOutSuspended" if up else "DynamicScalingInSuspended"
    return bool(target["SuspendedState"][kind])


def _activities() -> list[Record]:
    """The scaling activities, newest first. moto's reset deletes them."""
    kept: list[Record] = vars(backend()).setdefault("activities", [])
    return kept


def register(params: Record) -> Record:
    """RegisterScalableTarget: register or update a target, and bring the desired count within its
    limits.
    """
    check(params)
    if params.get("Tags"):
        raise NotImplementedError("application-autoscaling: Tags are not simulated")
    if not _exists(params["ResourceId"]):
        raise AWSValidationException(f"ECS service doesn't exist: {params['ResourceId']}")
    former = targets().get(params["ResourceId"], {})
    target = {
        "ScalableTargetARN": f"arn:aws:application-autoscaling:{REGION}:{ACCOUNT}:scalable-target/"
        + uuid.uuid4().hex,
        "CreationTime": time.time(),
        "SuspendedState": dict.fromkeys(_SUSPENDABLE, False),
        **former,
        **{
            name: params[name]
            for name in (*IDENTITY, "MinCapacity", "MaxCapacity")
            if name in params
        },
        # RoleARN is ignored, as on AWS: the service-linked role is used.
        "RoleARN": service_linked_roles.ensure(
            "AWSServiceRoleForApplicationAutoScaling_ECSService",
            "ecs.application-autoscaling.amazonaws.com",
            "AWSApplicationAutoscalingECSServicePolicy",
        ),
    }
    target["SuspendedState"] = {**target["SuspendedState"], **params.get("SuspendedState", {})}
    least, most = target.get("MinCapacity"), target.get("MaxCapacity")
    if least is None or most is None:
        raise AWSValidationException(
            "Both MinCapacity and MaxCapacity must be specified when registering a new target"
        )
    if least > most:
        raise AWSValidationException("Maximum capacity cannot be less than minimum capacity")
    targets()[params["ResourceId"]] = target
    scale(target, lambda count: max(count, least), f"minimum capacity was set to {least}")
    scale(target, lambda count: min(count, most), f"maximum capacity was set to {most}")
    return {"ScalableTargetARN": target["ScalableTargetARN"]}


def _exists(resource: str) -> bool:
    """Whether the resource is an active service."""
    kind, _, names = resource.partition("/")
    cluster, _, service = names.partition("/")
    ecs = aws.client("ecs")
    try:
        answer = ecs.describe_services(cluster=cluster, services=[service])
    except ecs.exceptions.ClusterNotFoundException:
        return False
    return kind == "service" and any(found["status"] == "ACTIVE" for found in answer["services"])


def describe_targets(params: Record) -> Record:
    """DescribeScalableTargets."""
    check(params)
    ids = params.get("ResourceIds")
    found = [t for t in targets().values() if not ids or t["ResourceId"] in ids]
    return page(params, "ScalableTargets", found)


def describe_activities(params: Record) -> Record:
    """DescribeScalingActivities, without activities that did not scale."""
    check(params)
    if params.get("IncludeNotScaledActivities"):
        raise NotImplementedError("application-autoscaling: IncludeNotScaledActivities")
    wanted = params.get("ResourceId")
    found = [a for a in _activities() if wanted in (None, a["ResourceId"])]
    return page(params, "ScalingActivities", found)


def page(params: Record, name: str, items: list[Record]) -> Record:
    """One page of a list. The token is the offset of the next page."""
    start = int(params.get("NextToken") or 0)
    end = start + int(params.get("MaxResults") or 50)
    following = {"NextToken": str(end)} if end < len(items) else {}
    return {name: items[start:end], **following}


def answer_with(actions: dict[str, Callable[[Record], Record]]) -> None:
    """Install the functions that answer these actions."""
    for name, action in actions.items():
        setattr(ApplicationAutoScalingResponse, name, _handler(action))


def _handler(action: Callable[[Record], Record]) -> Callable[[ApplicationAutoScalingResponse], str]:
    def respond(self: ApplicationAutoScalingResponse) -> str:
        if self.region != REGION:
            raise NotImplementedError(f"application-autoscaling in {self.region}")
        with LOCK:
            return json.dumps(action(json.loads(self.body)))

    return respond
