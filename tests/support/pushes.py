"""Inputs that start a release, and the calls of SSM and ECR that a stubbed client then expects."""

from __future__ import annotations

import json
from typing import Any

from tests.support.builders import ACCOUNT, DIGEST, REGION, RELEASES, URI
from tests.support.ecs_answers import image_detail
from tests.support.stubs import Stubbed

PARAMETER = "/slipway/repositories/shop/api"
FREEZE = "/slipway/freeze"
EXECUTION = f"{RELEASES.replace(':stateMachine:', ':execution:')}:started-1"


def push(**changes: Any) -> dict[str, Any]:
    """An ECR Image Action event as EventBridge delivers it; a detail that is None is left out."""
    detail = {
        "result": "SUCCESS",
        "repository-name": "shop/api",
        "image-digest": DIGEST,
        "action-type": "PUSH",
        "image-tag": "v2",
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    return {
        "version": "0",
        "id": "13cde686-328b-6117-af20-0e5566167482",
        "detail-type": "ECR Image Action",
        "source": "aws.ecr",
        "account": ACCOUNT,
        "time": "2026-11-22T03:00:00Z",
        "region": REGION,
        "resources": [],
        "detail": {name: value for name, value in detail.items() if value is not None},
    }


def route(*tags: str, **stages: list[str]) -> dict[str, Any]:
    """A route of a plan for these tags; the stages are given by name, each with its services."""
    return {
        "tags": list(tags) or ["v*"],
        "stages": [
            {"name": name, "services": [{"service": service} for service in services]}
            for name, services in (stages or {"production": ["production/api"]}).items()
        ],
    }


def planned(ssm: Stubbed, *routes: dict[str, Any], text: str | None = None) -> None:
    """Expect GetParameter; the repository has a plan with these routes, or with this text."""
    value = text if text is not None else json.dumps({"routes": list(routes) or [route()]})
    answer = {"Parameter": {"Name": PARAMETER, "Value": value, "Type": "String"}}
    ssm.answers("get_parameter", answer, Name=PARAMETER, WithDecryption=False)


def unguarded(ssm: Stubbed, services: int = 1) -> None:
    """Expect GetParameter for the policy of so many services; none of them has one."""
    for _ in range(services):
        ssm.refuses("get_parameter", "ParameterNotFound")


def guarded(ssm: Stubbed, service: str, text: str | None = None, **policy: Any) -> None:
    """Expect GetParameter; the service has this policy, or a policy with this text."""
    name = f"/slipway/services/{service}"
    value = text if text is not None else json.dumps(policy)
    answer = {"Parameter": {"Name": name, "Value": value, "Type": "String"}}
    ssm.answers("get_parameter", answer, Name=name, WithDecryption=False)


def found(
    ecr: Stubbed,
    digest: str = DIGEST,
    by: dict[str, str] | None = None,
    registry: str | None = None,
    **changes: Any,
) -> None:
    """Expect DescribeImages, of the registry of this account if one is given; ECR has the image."""
    asked: dict[str, Any] = {"registryId": registry} if registry else {}
    asked |= {"repositoryName": "shop/api", "imageIds": [by or {"imageTag": "v2"}]}
    ecr.answers("describe_images", image_detail(digest, **changes), **asked)


def unfrozen(ssm: Stubbed) -> None:
    """Expect GetParameter; there is no freeze of the whole pipeline."""
    ssm.refuses("get_parameter", "ParameterNotFound")


def unkept(ssm: Stubbed) -> None:
    """Expect GetParameter; the service has no image parameter."""
    ssm.refuses("get_parameter", "ParameterNotFound")


def kept(ssm: Stubbed, image: str) -> None:
    """Expect GetParameter; the service's image parameter holds this image."""
    name = "/slipway/images/production/api"
    answer = {"Parameter": {"Name": name, "Value": image, "Type": "String"}}
    ssm.answers("get_parameter", answer, Name=name, WithDecryption=False)


def frozen(ssm: Stubbed, *windows: dict[str, Any], text: str | None = None) -> None:
    """Expect GetParameter; the whole pipeline is frozen in these windows, or the freeze has this text."""
    value = text if text is not None else json.dumps(windows)
    answer = {"Parameter": {"Name": FREEZE, "Value": value, "Type": "String"}}
    ssm.answers("get_parameter", answer, Name=FREEZE, WithDecryption=False)


def located(ecr: Stubbed) -> None:
    """Expect DescribeRepositories; ECR has the repository."""
    answer = {"repositories": [{"repositoryName": "shop/api", "repositoryUri": URI}]}
    ecr.answers("describe_repositories", answer, repositoryNames=["shop/api"])
