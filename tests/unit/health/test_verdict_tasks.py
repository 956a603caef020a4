"""Which stopped tasks count, in the words that ECS, its agents and the registries use."""

from __future__ import annotations

import pytest

from slipway.health.failed_tasks import describe, has_failed
from slipway.health.verdict import Verdict, judge
from tests.support.builders import at, exited, observation, stopped, watch

REF = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/api:v2"
RETRIED = "CannotPullContainerError: pull image manifest has been retried 7 time(s)"
PULL = f"{RETRIED}: failed to resolve ref {REF}"
DAEMON = "CannotPullContainerError: Error response from daemon"

# Seen in the ECS developer guide, amazon-ecs-agent's tests, and reports of users.
NEVER = [
    f"{PULL}: {REF}: not found",
    f"CannotPullContainerError: inspect image has been retried 1 time(s): {REF}: not found",
    (
        "CannotPullContainerError: pull image manifest has been retried 7 time(s): image Manifest does not "
        "contain descriptor matching platform 'linux/amd64'"
    ),
    f"{DAEMON}: no matching manifest for linux/arm64/v8 in the manifest list entries",
    f"{DAEMON}: manifest for {REF} not found: manifest unknown: Requested image not found",
    "CannotPullImageManifestError: Error response from daemon: manifest unknown: manifest unknown",
    f"{DAEMON}: pull access denied for api, repository does not exist or may require 'docker login'",
    (
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref "
        "docker.io/library/api:latest: pull access denied, repository does not exist or may require "
        "authorization: server message: insufficient_scope: authorization failed"
    ),
    f"{DAEMON}: Head https://{REF}: no basic auth credentials",
    f"{DAEMON}: invalid reference format",
    "CannotPullContainerError: API error (404): repository shop/api not found",
    f"{PULL}: unexpected status from HEAD request to https://{REF}: 403 Forbidden",
    (
        "CannotPullECRContainerError: AccessDeniedException: User: arn:aws:sts::123456789012:role/x "
        "is not authorized to perform: ecr:GetAuthorizationToken on resource: * status code: 400"
    ),
    "CannotPullContainerError: unauthorized: incorrect username or password",
    # Fargate says it so when the execution role may not pull.
    (
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval "
        "failed: unable to retrieve ecr registry auth: service call has been retried 1 time(s): "
        "AccessDeniedException: User: arn:aws:sts::123456789012:role/x is not authorized to "
        "perform: ecr:GetAuthorizationToken on resource: * because no identity-based policy allows it"
    ),
]

MAY_DO_BETTER = [
    f'{PULL}: failed to do request: Head "https://{REF}": dial tcp 10.0.3.17:443: i/o timeout',
    (
        "CannotPullContainerError: inspect image has been retried 5 time(s): failed to resolve ref "
        "docker.io/library/nginx:latest: context deadline exceeded"
    ),
    (
        "CannotPullContainerError: ref pull has been retried 5 time(s): failed to copy: httpReadSeeker: "
        "failed open: failed to do request: Get https://registry: dial tcp 52.219.199.138:443: i/o timeout"
    ),
    (
        f"{DAEMON}: toomanyrequests: You have reached your pull rate limit. You may increase the limit by "
        "authenticating and upgrading: https://www.docker.com/increase-rate-limit"
    ),
    f"{DAEMON}: toomanyrequests: You have reached your unauthenticated pull rate limit.",
    (
        f"{DAEMON}: Get https://{REF}: net/http: request canceled while waiting for connection "
        "(Client.Timeout exceeded while awaiting headers)"
    ),
    f"{DAEMON}: Get https://{REF}: net/http: TLS handshake timeout",
    f"{PULL}: unexpected status from HEAD request to https://{REF}: 503 Service Unavailable",
    (
        f"{PULL}: failed to do request: Head https://{REF}: dial tcp: lookup api.ecr on 10.0.0.2:53: "
        "no such host"
    ),
    "CannotPullContainerError: write /var/lib/docker/tmp/GetImageBlob1: no space left on device",
    (
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval "
        "failed: unable to retrieve ecr registry auth: service call was retried 3 time(s): RequestError: "
        'send request failed caused by: Post "https://api.ecr.eu-west-1.amazonaws.com/": dial tcp '
        "52.46.145.142:443: i/o timeout. Please check your task network configuration."
    ),
    "Essential container in task exited",
    "the application says: config not found",
]


@pytest.mark.parametrize("message", NEVER)
def test_a_task_whose_image_cannot_ever_be_pulled_fails_the_deployment_at_once(message):
    judged = judge(observation(stopped=(stopped("TaskFailedToStart", message),)), watch(), at(1))

    assert judged.verdict is Verdict.FAILED
    assert message in judged.reason


@pytest.mark.parametrize("message", MAY_DO_BETTER)
def test_a_task_that_may_start_next_time_does_not_fail_the_deployment_alone(message):
    judged = judge(observation(stopped=(stopped("TaskFailedToStart", message),)), watch(), at(1))

    assert judged.verdict is Verdict.HEALTHY


def test_the_agent_on_ec2_says_why_a_pull_failed_in_the_container_only():
    task = stopped("TaskFailedToStart", "Task failed to start", exited(None, reason=NEVER[0]))

    assert judge(observation(stopped=(task,)), watch(), at(1)).reason == (
        f"a task can never start: Task failed to start; container api, {NEVER[0]} (task s1)"
    )


@pytest.mark.parametrize(
    ("code", "reason", "failed"),
    [
        ("TaskFailedToStart", "", True),
        ("EssentialContainerExited", "Essential container in task exited", True),
        (
            "ServiceSchedulerInitiated",
            "Task failed ELB health checks in (target-group arn:x)",
            True,
        ),
        ("ServiceSchedulerInitiated", "Task failed ELB health checks in (elb elb-name)", True),
        ("ServiceSchedulerInitiated", "Task failed container health checks", True),
        (
            "ServiceSchedulerInitiated",
            "Scaling activity initiated by (deployment ecs-svc/2)",
            False,
        ),
        ("UserInitiated", "Task stopped by user", False),
        ("SpotInterruption", "Your Spot Task was interrupted.", False),
        ("TerminationNotice", "Host EC2 (instance i-1) terminated.", False),
        ("InfrastructureHealth", "", False),
        ("", "", False),
    ],
)
def test_a_task_failed_when_it_did_not_start_exited_or_failed_its_checks(code, reason, failed):
    assert has_failed(stopped(code, reason)) is failed


@pytest.mark.parametrize(
    ("task", "line"),
    [
        (
            stopped("X", "exited", exited(1), exited(None, "never"), exited(0, "web")),
            "exited; container api, exit code 1; container web, exit code 0",
        ),
        (stopped("UserInitiated"), "UserInitiated"),
        (stopped(""), "no reason given"),
    ],
)
def test_a_stopped_task_is_described_in_one_line(task, line):
    assert describe(task) == f"{line} (task s1)"
