"""ListServiceDeployments, DescribeServiceDeployments, DescribeServiceRevisions and
StopServiceDeployment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from moto.core.utils import get_service_model
from moto.ecs.exceptions import ECSException, InvalidParameterException

from localaws.ecs.service import LiveService, find, live_services
from localaws.ecs.service_deployment import FINISHED, ServiceDeployment
from localaws.ecs.service_deployment_states import KEPT_FOR
from localaws.ecs.service_deployment_states import describe as record_of
from localaws.ecs.service_revision import ServiceRevision
from localaws.ecs.state import page, utcnow

_ARN = re.compile(
    r"arn:[^:]+:ecs:[^:]+:\d{12}:(?P<kind>service-deployment|service-revision)"
    r"/(?P<cluster>[^/]+)/(?P<service>[^/]+)/[^/]+"
)


def list_briefs(params: dict[str, Any]) -> dict[str, Any]:
    """ListServiceDeployments, newest first."""
    name = params["service"]
    # The ARN of a service names its cluster: AWS's own example of the call has no cluster.
    named = name.split("/")[1] if name.count("/") == 2 else "default"
    service = find(params.get("cluster") or named, name)
    if not service.is_rolling:
        controller = service.deployment_controller["type"]
        raise NotImplementedError(f"ecs: ListServiceDeployments: deploymentController {controller}")
    statuses, before, after = _filters(params)
    found = [
        each.brief()
        for each in service.service_deployments
        if each.created_at
        and (not statuses or each.status in statuses)
        and (before is None or each.created_at < before)
        and (after is None or each.created_at > after)
    ]
    return page({"maxResults": 20, **params}, "serviceDeployments", found)


def describe(params: dict[str, Any]) -> dict[str, Any]:
    """DescribeServiceDeployments."""
    known = {each.arn: (service, each) for service, each in _service_deployments()}
    found, failures = [], []
    for arn in _arns(params, "serviceDeploymentArns", "service-deployment"):
        if arn in known:
            found.append(record_of(*known[arn]))
        else:
            failures.append({"arn": arn, "reason": "MISSING"})
    return {"serviceDeployments": found, "failures": failures}


def describe_revisions(params: dict[str, Any]) -> dict[str, Any]:
    """DescribeServiceRevisions."""
    known = {revision.arn: revision for revision in _revisions()}
    found, failures = [], []
    for arn in _arns(params, "serviceRevisionArns", "service-revision"):
        if arn in known:
            found.append(known[arn].record())
        else:
            failures.append({"arn": arn, "reason": "MISSING"})
    return {"serviceRevisions": found, "failures": failures}


def stop(params: dict[str, Any]) -> dict[str, Any]:
    """StopServiceDeployment: the scheduler begins the rollback in its next round."""
    if (kind := params.get("stopType") or "ROLLBACK") != "ROLLBACK":
        # An enum has ABORT, but botocore's model says that ROLLBACK alone is valid.
        raise NotImplementedError(f"ecs: StopServiceDeployment: stopType {kind}")
    arn = params["serviceDeploymentArn"]
    _check("serviceDeploymentArn", arn, "service-deployment")
    known = {each.arn: (service, each) for service, each in _service_deployments()}
    if arn not in known:
        raise ECSException(
            "ServiceDeploymentNotFoundException", f"Service deployment not found: {arn}"
        )
    service, each = known[arn]
    if each.status in FINISHED:
        raise ECSException(
            "ConflictException",
            f"The service deployment can't be stopped because it is {each.status}.",
        )
    if each.status in ("PENDING", "IN_PROGRESS"):
        service.remember()
        each.enter("ROLLBACK_REQUESTED")
    return {"serviceDeploymentArn": arn}


def _service_deployments() -> Iterator[tuple[LiveService, ServiceDeployment]]:
    for service in live_services():
        for each in service.service_deployments:
            if each.created_at:
                yield service, each


def _revisions() -> Iterator[ServiceRevision]:
    """The revisions that still matter to a service or to one of its service deployments."""
    for service in live_services():
        if service.status != "ACTIVE" or not service.is_rolling:
            continue
        for deployment in (*service.deployments, service.last_completed):
            if deployment:
                yield deployment.revision
        for each in service.service_deployments:
            yield from (each.target, *each.sources)


def _arns(params: dict[str, Any], name: str, kind: str) -> list[str]:
    arns: list[str] = params[name]
    if not 1 <= len(arns) <= 20:
        raise InvalidParameterException(f"{name} must have 1 to 20 elements.")
    for arn in arns:
        _check(name, arn, kind)
    return arns


def _check(name: str, arn: str, kind: str) -> None:
    match = _ARN.fullmatch(arn)
    if match is None or match["kind"] != kind:
        raise InvalidParameterException(f"Invalid identifier in {name}: {arn}")


def _filters(
    params: dict[str, Any],
) -> tuple[set[str], datetime | None, datetime | None]:
    """The filters of ListServiceDeployments. Raises InvalidParameterException."""
    known = get_service_model("ecs").shape_for("ServiceDeploymentStatus").enum  # type: ignore[attr-defined]
    statuses = set(params.get("status") or ())
    if unknown := sorted(statuses - set(known)):
        raise InvalidParameterException(f"Invalid status: {', '.join(unknown)}")
    if not 1 <= int(params.get("maxResults", 20)) <= 100:
        raise InvalidParameterException("maxResults must be between 1 and 100.")
    if not str(params.get("nextToken") or 0).isdecimal():
        raise InvalidParameterException("Invalid nextToken.")
    created = params.get("createdAt") or {}
    before, after = _moment(created.get("before")), _moment(created.get("after"))
    if any(moment and moment < utcnow() - KEPT_FOR for moment in (before, after)):
        raise InvalidParameterException(
            "Before and After time filter must be within the last 3 months."
        )
    return statuses, before, after


def _moment(value: Any) -> datetime | None:
    if value is None or (isinstance(value, datetime) and value.tzinfo):
        return value
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    return datetime.fromtimestamp(float(value), UTC)
