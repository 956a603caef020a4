"""Reasons for which tasks stop, in the words of ECS, its agents and the registries."""

from __future__ import annotations

REF = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/api:v2"
RETRIED = "CannotPullContainerError: pull image manifest has been retried 7 time(s)"
PULL = f"{RETRIED}: failed to resolve ref {REF}"
DAEMON = "CannotPullContainerError: Error response from daemon"


# Sources: the ECS developer guide, the tests of amazon-ecs-agent, and users' reports. NEVER holds the reasons
# for which no later task can start either, MAY_DO_BETTER those after which one may.
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
    # Fargate's wording if the execution role is not allowed to pull.
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
