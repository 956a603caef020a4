"""`make local LAMBDA=sam`: the state machines' functions run in containers of `sam local start-lambda`."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from typing import Any
from unittest import mock

import boto3
import docker
import pytest
import requests

from localaws import seed
from tests.support.waiting import wait_for
from tools.samlocal import local
from tools.samlocal.engine import Engine

pytestmark = pytest.mark.sam_local

REPOSITORY = "shop/api"
PATIENCE_SECONDS = 300


@pytest.fixture(scope="module")
def url(containers: Engine) -> Iterator[str]:
    """Where it listens, seen from here."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    handed = [listener.fileno()] if containers.private else []
    with mock.patch.dict(os.environ, {"LOCALAWS_PORT": str(port)}):
        if not handed:
            listener.close()
        running = local.started(containers, *handed)
    listener.close()
    try:
        wait_for(lambda: ready(port) or running.poll() is not None, "Slipway", PATIENCE_SECONDS)
        yield f"http://localhost:{port}"
    finally:
        running.communicate()
    assert running.returncode == 0


def ready(port: int) -> bool:
    try:
        return requests.get(f"http://localhost:{port}/_localaws/ready", timeout=30).ok
    except requests.RequestException:
        return False


def client(url: str, service: str) -> Any:
    keys = {"aws_access_key_id": "localaws", "aws_secret_access_key": "localaws"}
    return boto3.client(service, endpoint_url=url, region_name="us-east-1", **keys)


def released(url: str, tag: str) -> dict[str, Any]:
    """Push an image, and wait for the end of its release."""
    client(url, "ecr").put_image(
        repositoryName=REPOSITORY, imageTag=tag, imageManifest=seed.manifest(tag)
    )
    states = client(url, "stepfunctions")
    machine = machine_arn(url, "slipway-release")

    def ended() -> dict[str, Any] | None:
        for execution in states.list_executions(stateMachineArn=machine)["executions"]:
            found: dict[str, Any] = states.describe_execution(
                executionArn=execution["executionArn"]
            )
            if json.loads(found["input"])["detail"]["image-tag"] == tag:
                return found if found["status"] != "RUNNING" else None
        return None

    found = wait_for(ended, f"the end of {tag}", PATIENCE_SECONDS, 0.2)
    assert found
    return found


def machine_arn(url: str, name: str) -> str:
    machines = client(url, "stepfunctions").list_state_machines()["stateMachines"]
    return str(next(each["stateMachineArn"] for each in machines if each["name"] == name))


def invoked(url: str, execution: str) -> set[str]:
    """The ARNs of the functions that an execution invoked."""
    pages = client(url, "stepfunctions").get_paginator("get_execution_history")
    events = [e for page in pages.paginate(executionArn=execution) for e in page["events"]]
    parameters = [
        json.loads(e["taskScheduledEventDetails"]["parameters"])
        for e in events
        if e["type"] == "TaskScheduled"
    ]
    return {each["FunctionName"] for each in parameters if "FunctionName" in each}


def in_containers(containers: Engine) -> set[str]:
    """The names of the functions that have a container."""
    engine = docker.DockerClient(base_url=containers.host)
    variables = [
        variable
        for container in engine.containers.list()
        for variable in container.attrs["Config"]["Env"]
    ]
    engine.close()
    name = "AWS_LAMBDA_FUNCTION_NAME="
    return {each.removeprefix(name) for each in variables if each.startswith(name)}


def test_a_good_push_is_deployed_with_every_step_in_a_container(
    url: str, containers: Engine
) -> None:
    release = released(url, "v1")
    assert (release["status"], json.loads(release["output"])["outcome"]) == (
        "SUCCEEDED",
        "SUCCEEDED",
    )
    deployments = client(url, "stepfunctions").list_executions(
        stateMachineArn=machine_arn(url, "slipway-deployment")
    )["executions"]
    of_it = [release["executionArn"], *(each["executionArn"] for each in deployments)]
    functions = {arn for execution in of_it for arn in invoked(url, execution)}
    assert len(functions) == 7
    assert {arn.split(":")[6] for arn in functions} <= in_containers(containers)


def test_a_container_signs_with_its_functions_own_key(url: str) -> None:
    calls = requests.get(f"{url}/_localaws/calls", timeout=30).json()
    assert {"ssm:GetParameter"} <= {
        permission
        for call in calls
        for permission in call.get("permissions", [])
        if "-ResolveRelease-" in call["function"]
    }


def test_a_step_that_raises_in_a_container_is_caught_by_name(url: str) -> None:
    name = f"/slipway/repositories/{REPOSITORY}"
    ssm = client(url, "ssm")
    plan = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    ssm.put_parameter(Name=name, Value='{"routes": 1}', Overwrite=True)
    try:
        release = released(url, "v2")
    finally:
        ssm.put_parameter(Name=name, Value=plan, Overwrite=True)
    assert (release["status"], release["error"]) == ("FAILED", "ReleaseFailed")
    pages = client(url, "stepfunctions").get_execution_history(executionArn=release["executionArn"])
    failed = [e["taskFailedEventDetails"] for e in pages["events"] if e["type"] == "TaskFailed"]
    assert [each["error"] for each in failed] == ["InvalidInput"]


def test_a_function_that_was_changed_since_is_refused(url: str) -> None:
    functions = client(url, "lambda")
    name = next(
        each["FunctionName"]
        for each in functions.list_functions()["Functions"]
        if "-Sweep-" in each["FunctionName"]
    )
    functions.update_function_configuration(FunctionName=name, Timeout=59)
    with pytest.raises(functions.exceptions.ClientError, match="after `sam local start-lambda`"):
        functions.invoke(FunctionName=name)
