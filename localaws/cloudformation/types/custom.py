"""Custom resources in CloudFormation: a function creates the resource and answers to a given URL.

CloudFormation invokes the function asynchronously and waits for the answer. Here the answer has to be
there when the function ends.
"""

from __future__ import annotations

import json
import os
import uuid
from typing import Any

from moto.cloudformation.models import cloudformation_backends
from typing_extensions import override

from localaws.aws import ACCOUNT, REGION, client
from localaws.cloudformation.engine.resource_type import Naming, Properties, Resource
from localaws.cloudformation.engine.store import find, stacks

ENDPOINT = "/_localaws/custom/"

_answers: dict[str, dict[str, Any]] = {}
"""The answers by request id, until they are read."""

Answer = tuple[dict[str, Any], int]


class FirstImage(Resource):
    """The resource of the function PutFirstImage. The physical id is the one in its answer."""

    type = "Custom::FirstImage"
    properties = frozenset({"Name", "ServiceTimeout", "ServiceToken", "Value"})
    create_only = frozenset({"ServiceToken"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        place = find(naming.stack).id, naming.logical_id
        return _ask(place, self._request("Create", properties))

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        request = self._request("Update", properties)
        old = {"PhysicalResourceId": physical_id, "OldResourceProperties": previous}
        if _ask(_place(self, physical_id), {**request, **old}) != physical_id:
            raise NotImplementedError(f"{self.type}: an update that answers another physical id")

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        request = self._request("Delete", properties)
        _ask(_place(self, physical_id), {**request, "PhysicalResourceId": physical_id})

    def _request(self, kind: str, properties: Properties) -> dict[str, Any]:
        return {
            "RequestType": kind,
            "ResourceType": self.type,
            "ResourceProperties": {
                **properties,
                "ServiceTimeout": str(properties["ServiceTimeout"]),
            },
        }


def requests() -> list[dict[str, Any]]:
    """The requests to functions, oldest first."""
    # Kept in moto's backend, whose reset deletes them.
    backend = cloudformation_backends[ACCOUNT][REGION]
    asked: list[dict[str, Any]] = vars(backend).setdefault("custom_requests", [])
    return asked


def answer(request_id: str, body: bytes) -> Answer:
    """Store a function's answer."""
    _answers[request_id] = json.loads(body)
    return {}, 200


def take_answer(request_id: str) -> dict[str, Any] | None:
    """Remove and return a function's answer; None if there is none."""
    return _answers.pop(request_id, None)


def _place(kind: Resource, physical_id: str) -> tuple[str, str]:
    """The stack and the logical id of a resource."""
    return next(
        (stack.id, resource.logical_id)
        for stack in stacks()
        for resource in stack.resources.values()
        if (resource.kind, resource.physical_id) == (kind, physical_id)
    )


def _ask(place: tuple[str, str], request: dict[str, Any]) -> str:
    """Invoke the function and return the physical id in its answer."""
    request_id = str(uuid.uuid4())
    function = request["ResourceProperties"]["ServiceToken"]
    event = {
        **request,
        "ServiceToken": function,
        "ResponseURL": f"{os.environ['AWS_ENDPOINT_URL']}{ENDPOINT}{request_id}",
        "StackId": place[0],
        "RequestId": request_id,
        "LogicalResourceId": place[1],
    }
    requests().append(event)
    invoked = client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    said = take_answer(request_id)
    if said is None:
        raise RuntimeError(f"{function} did not answer: {invoked['Payload'].read().decode()}")
    if said["Status"] != "SUCCESS":
        raise RuntimeError(
            f"Received response status [FAILED] from custom resource. {said['Reason']}"
        )
    return str(said["PhysicalResourceId"])
