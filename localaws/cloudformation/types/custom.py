"""Custom resources in CloudFormation: a function creates the resource and answers to a given URL.

CloudFormation invokes the function asynchronously and waits for the answer. Here the answer has to be
there when the function ends. As on AWS, a resource whose creation failed is deleted by the physical id in
the answer, and an update that answers another physical id has replaced the resource.
"""

from __future__ import annotations

import json
import os
import uuid
from typing import Any

from moto.cloudformation.models import cloudformation_backends
from typing_extensions import override

from localaws.aws import ACCOUNT, REGION, client
from localaws.cloudformation.engine.resource_type import (
    HalfCreatedError,
    Naming,
    Properties,
    Resource,
)

ENDPOINT = "/_localaws/custom/"
_PLACE = "(where it is declared)"
"""The key of what `placed` adds. No property of a template has such a name."""

_answers: dict[str, dict[str, Any]] = {}
"""The answers by request id, until they are read."""

Answer = tuple[dict[str, Any], int]


class _CustomResource(Resource):
    """The resource of a function. The physical id is the one in the function's answer."""

    create_only = frozenset({"ServiceToken"})

    @override
    def placed(self, properties: Properties, stack: str, logical_id: str) -> Properties:
        # A request names both, and two stacks can have resources of one physical id.
        return {**properties, _PLACE: {"StackId": stack, "LogicalResourceId": logical_id}}

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        said = self._ask("Create", properties)
        if said["Status"] != "SUCCESS":
            raise HalfCreatedError(said["PhysicalResourceId"], _reason(said))
        return str(said["PhysicalResourceId"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> str | None:
        old = {"PhysicalResourceId": physical_id, "OldResourceProperties": _written(previous)}
        said = self._ask("Update", properties, **old)
        if said["Status"] != "SUCCESS":
            raise RuntimeError(_reason(said))
        answered = str(said["PhysicalResourceId"])
        return None if answered == physical_id else answered

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        said = self._ask("Delete", properties, PhysicalResourceId=physical_id)
        if said["Status"] != "SUCCESS":
            raise RuntimeError(_reason(said))

    def _ask(self, kind: str, properties: Properties, **more: Any) -> dict[str, Any]:
        """Invoke the function and return its answer."""
        request_id = str(uuid.uuid4())
        function = properties["ServiceToken"]
        event = {
            "RequestType": kind,
            "ResourceType": self.type,
            "ResourceProperties": _written(properties),
            **more,
            "ServiceToken": function,
            "ResponseURL": f"{os.environ['AWS_ENDPOINT_URL']}{ENDPOINT}{request_id}",
            "StackId": properties[_PLACE]["StackId"],
            "RequestId": request_id,
            "LogicalResourceId": properties[_PLACE]["LogicalResourceId"],
        }
        requests().append(event)
        invoked = client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        said = take_answer(request_id)
        if said is None:
            raise RuntimeError(f"{function} did not answer: {invoked['Payload'].read().decode()}")
        return said


class FirstImage(_CustomResource):
    """The resource of the function PutFirstImage."""

    type = "Custom::FirstImage"
    properties = frozenset({"Name", "ServiceTimeout", "ServiceToken", "Value"})


class Prefix(_CustomResource):
    """The resource of the function ReservePrefix."""

    type = "Custom::Prefix"
    properties = frozenset({"Name", "ServiceTimeout", "ServiceToken"})


def _written(properties: Properties) -> Properties:
    """The properties as CloudFormation sends them: as the template has them, numbers as text."""
    given = {name: value for name, value in properties.items() if name != _PLACE}
    return {**given, "ServiceTimeout": str(given["ServiceTimeout"])}


def _reason(said: dict[str, Any]) -> str:
    return f"Received response status [FAILED] from custom resource. {said['Reason']}"


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
