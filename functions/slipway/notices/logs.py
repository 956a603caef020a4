"""Reads the last lines that a failed container wrote to CloudWatch Logs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from slipway.aws import calling, error_code
from slipway.errors import AwsRefused, AwsUnavailable
from slipway.health.failed_tasks import Failed
from slipway.notices.notice import ContainerLog
from slipway.redaction import masked, redacted
from slipway.text import truncate

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_logs import CloudWatchLogsClient

LINES = 20
PAGES = 3
LONGEST = 500
"""Characters of a line in the notice, which says where the whole log is."""
LONGEST_READ = 4000
"""Characters of a line that are searched for secrets. Half a secret would not look like one."""

# The options of other drivers that say where a log goes. Fluent Bit and Fluentd, behind awsfirelens, have
# hundreds of options. Some of them are secrets (apikey, splunk-token, the path of a URL), so only these are
# shown. See https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LogConfiguration.html.
DESTINATION = {
    *("name", "@type", "region", "log_group_name", "log_stream_name", "log_stream_prefix"),
    *("delivery_stream", "delivery_stream_name", "stream", "stream_name", "bucket", "s3_bucket"),
    *("host", "port", "endpoint", "index", "topics"),
    *("splunk-url", "splunk-index", "fluentd-address", "gelf-address", "syslog-address"),
}
LONGEST_OPTION = 200

# Control sequences of ECMA-48, such as colours. One between a name and its value would hide a secret.
ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


def read_log(
    failed: Failed, ecs: ECSClient, logs_for: Callable[[str], CloudWatchLogsClient]
) -> ContainerLog | None:
    """The last lines of the container's log. What looks like a secret in them is masked.

    An error of AWS is not raised, because people have to be notified all the same: ``problem`` says it.

    Args:
        logs_for: makes the client for a region. A container may log to another region than its own.

    Returns:
        None if the task definition names no log driver for the container. If that is another one than
        ``awslogs``, ``problem`` says where the log goes.
    """
    where = f"task definition {failed.task_definition}"
    try:
        with calling("ecs:DescribeTaskDefinition", where):
            found: Any = ecs.describe_task_definition(taskDefinition=failed.task_definition)
    except (AwsRefused, AwsUnavailable) as error:
        return _log(failed, problem=str(error))
    driver, options = _driver(found["taskDefinition"]["containerDefinitions"], failed.container)
    if not driver:
        return None
    if driver != "awslogs":
        return _log(failed, problem=_elsewhere(driver, options))
    group, stream = options.get("awslogs-group", ""), _stream(options, failed)
    region = options.get("awslogs-region") or failed.task_definition.split(":")[3]
    if not (group and stream):
        return _log(failed, region, group, stream, problem="it is not known which log it writes to")
    try:
        with calling("logs:GetLogEvents", f"log stream {stream} of {group} in {region}"):
            lines = _last_lines(group, stream, logs_for(region))
    except (AwsRefused, AwsUnavailable) as error:
        problem = "" if _never_written_to(error.__cause__) else str(error)
        return _log(failed, region, group, stream, problem=problem)
    return _log(failed, region, group, stream, lines)


def _log(
    failed: Failed,
    region: str = "",
    group: str = "",
    stream: str = "",
    lines: tuple[str, ...] = (),
    problem: str = "",
) -> ContainerLog:
    return ContainerLog(
        container=failed.container,
        task=failed.task,
        region=region,
        group=group,
        stream=stream,
        lines=lines,
        problem=problem or ("" if lines else "the container has written nothing to its log"),
    )


def _never_written_to(error: BaseException | None) -> bool:
    """Whether the error is that the log stream does not exist, because the first line creates it.

    If the log group does not exist, as in a wrong region, the code is the same and the message differs.
    """
    return error_code(error) == "ResourceNotFoundException" and "log stream" in str(error)


def _driver(containers: list[dict[str, Any]], name: str) -> tuple[str, dict[str, str]]:
    """The container's log driver and its options; an empty name if the task definition names none."""
    for container in containers:
        if container["name"] == name and "logConfiguration" in container:
            configuration = container["logConfiguration"]
            return configuration["logDriver"], configuration.get("options", {})
    return "", {}


def _elsewhere(driver: str, options: dict[str, str]) -> str:
    shown = [f"{name} {of}" for name, of in options.items() if name.lower() in DESTINATION]
    where = ", ".join(truncate(one, LONGEST_OPTION) for one in masked(shown))
    return (
        f"it logs with the driver {driver} ({where or 'its options name no destination'}), and Slipway "
        "reads logs of awslogs only"
    )


def _stream(options: dict[str, str], failed: Failed) -> str:
    # How the driver names streams, see awslogs-stream-prefix in
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LogConfiguration.html
    prefix = options.get("awslogs-stream-prefix")
    return f"{prefix}/{failed.container}/{failed.task}" if prefix else failed.runtime_id


def _last_lines(group: str, stream: str, logs: CloudWatchLogsClient) -> tuple[str, ...]:
    # An empty page need not be the last one; the last one returns the token that it was asked with:
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
    asked: Any = {"logGroupName": group, "logStreamName": stream}
    events: list[Any] = []
    for _ in range(PAGES):
        page = logs.get_log_events(**asked, limit=LINES, startFromHead=False)
        events = page["events"]
        if events or page["nextBackwardToken"] == asked.get("nextToken"):
            break
        asked["nextToken"] = page["nextBackwardToken"]
    # If awslogs-multiline-pattern is set, one event may be a whole stack trace.
    lines = [line for event in events for line in event["message"].splitlines() if line.strip()]
    clean = redacted([ESCAPES.sub("", line)[:LONGEST_READ] for line in lines[-LINES:]])
    return tuple(line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…" for line in clean)
