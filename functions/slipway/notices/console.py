"""Addresses of pages in AWS's console, with the names in them encoded."""

from __future__ import annotations

import re
from urllib.parse import quote

from slipway.ecs.service import split_service_name

HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-eusc": "console.amazonaws-eusc.eu",
}


class Console:
    """The pages of one region."""

    def __init__(self, arn: str, region: str = "") -> None:
        """Create the pages of a region.

        Args:
            arn: any ARN of the partition and, unless ``region`` is given, of the region.
        """
        _, partition, _, arn_region, *_ = arn.split(":")
        self._region = region or arn_region
        self._url = f"https://{self._region}.{HOSTS.get(partition, HOSTS['aws'])}"

    def execution(self, arn: str) -> str:
        """An execution of a state machine."""
        details = f"#/v2/executions/details/{quote(arn, safe=':')}"
        return f"{self._url}/states/home?region={self._region}{details}"

    def health(self, service: str) -> str:
        """The health of ``cluster/service``: its tasks, targets and events."""
        cluster, name = (quote(part, safe="") for part in split_service_name(service))
        return f"{self._url}/ecs/v2/clusters/{cluster}/services/{name}/health?region={self._region}"

    def alarm(self, name: str) -> str:
        """A CloudWatch alarm."""
        return self._cloudwatch(f"alarmsV2:alarm/{quote(name, safe='')}")

    def log_stream(self, group: str, stream: str) -> str:
        """A stream of CloudWatch Logs."""
        names = (_encoded_twice(name) for name in (group, stream))
        return self._cloudwatch("logsV2:log-groups/log-group/{}/log-events/{}".format(*names))

    def _cloudwatch(self, place: str) -> str:
        return f"{self._url}/cloudwatch/home?region={self._region}#{place}"


def _encoded_twice(name: str) -> str:
    """The encoding that the page of a log needs: percent-encoded twice, then with ``$`` for each ``%``."""
    return re.sub("%", "$25", quote(name, safe=""))
