"""A service revision: what one deployment of a service deploys.

It never changes. A rollback makes no new one: it deploys the last that was deployed successfully.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from localaws.ecs.state import utcnow
from localaws.ecs.task_definitions import LiveTaskDefinition

_LATEST = "1.4.0"  # the platform version of Fargate on Linux that LATEST stands for


@dataclass
class ServiceRevision:
    """The task definition and those settings of a service that need new tasks when they change."""

    arn: str
    service_arn: str
    cluster_arn: str
    definition: LiveTaskDefinition
    settings: dict[str, Any]
    digests: dict[str, str] = field(default_factory=dict)
    """The image that the first task of the revision pulled, by container."""
    created_at: datetime = field(default_factory=utcnow)

    def note_digests(self, containers: list[dict[str, Any]]) -> None:
        """Keep the digests of the first task that has pulled its images."""
        for container in containers:
            if digest := container.get("imageDigest"):
                self.digests.setdefault(container["name"], digest)

    def record(self) -> dict[str, Any]:
        """The revision as in DescribeServiceRevisions."""
        platform = {}
        if version := self.settings.get("platformVersion"):
            platform = {
                "platformVersion": _LATEST if version == "LATEST" else version,
                "platformFamily": "Linux",
            }
        return {
            **self.settings,
            **platform,
            "serviceRevisionArn": self.arn,
            "serviceArn": self.service_arn,
            "clusterArn": self.cluster_arn,
            "taskDefinition": self.definition.arn,
            "containerImages": [
                self._image(c) for c in self.definition.record["containerDefinitions"]
            ],
            "guardDutyEnabled": False,
            "createdAt": self.created_at,
        }

    def _image(self, container: dict[str, Any]) -> dict[str, str]:
        image = {"containerName": container["name"], "image": container["image"]}
        digest = self.digests.get(container["name"])
        return {**image, "imageDigest": digest} if digest else image
