"""Step Functions' names for the actions, fields and errors of the AWS SDK.

State machines use the names of the SDK for Java: service ids (``elasticloadbalancingv2``), actions in
camelCase, fields in PascalCase at every level, and times in ISO 8601. The shapes are those of botocore's
models. A service, action or field that they lack is an error and never dropped.
"""

from __future__ import annotations

import base64
import datetime
import json
from functools import cache
from typing import Any

import botocore.session
from botocore.exceptions import UnknownServiceError
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from botocore.response import StreamingBody
from moto.stepfunctions.parser.utils import camel_to_snake_case

from localaws.stepfunctions.jsonata import iso

# botocore's names of services that differ from the SDK's in more than case.
_BOTOCORE_NAMES = {
    "applicationautoscaling": "application-autoscaling",
    "cloudwatchlogs": "logs",
    "elasticloadbalancing": "elb",
    "elasticloadbalancingv2": "elbv2",
    "eventbridge": "events",
    "sfn": "stepfunctions",
}
_session = botocore.session.get_session()


def pascal(name: str) -> str:
    """Step Functions' form of ``clusterArn`` and ``ClusterARN``: ``ClusterArn``."""
    return "".join(word[:1].upper() + word[1:] for word in camel_to_snake_case(name).split("_"))


@cache
def service(api_name: str) -> tuple[str, str]:
    """botocore's name of a service, and its name in errors: ``ecs`` -> ``("ecs", "Ecs")``."""
    name = _BOTOCORE_NAMES.get(api_name, api_name)
    try:
        service_id = _session.get_service_model(name).service_id
    except UnknownServiceError as error:
        raise ValueError(f"The service aws-sdk:{api_name} is not known") from error
    sdk_name = "".join(pascal(word) for word in service_id.split())
    if sdk_name.lower() != api_name:
        raise ValueError(
            f"The service aws-sdk:{api_name} is not known; aws-sdk:{sdk_name.lower()}?"
        )
    return name, sdk_name


@cache
def operation(service_name: str, action: str) -> OperationModel:
    """The model of an action, given in camelCase, of a service of botocore."""
    model = _session.get_service_model(service_name)
    name = action[:1].upper() + action[1:]
    if name not in model.operation_names:
        raise ValueError(f"The action {action} of {service_name} is not known")
    return model.operation_model(name)


def fields(shape: Shape | None) -> dict[str, str]:
    """The members of a structure: Step Functions' name -> botocore's."""
    return {pascal(member): member for member in getattr(shape, "members", {})}


def request(value: Any, shape: Shape | None) -> Any:
    """The parameters of a state machine in the form that botocore takes."""
    if shape is None:
        if value:
            raise ValueError(f"The action takes no fields, but has {', '.join(value)}")
        return value
    if shape.name == "AttributeValue":  # written in the same way on both sides
        return value
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        names = fields(shape)
        for field in value:
            if field not in names:
                raise ValueError(f"The field '{field}' is not supported by Step Functions")
        return {
            names[field]: request(item, shape.members[names[field]])
            for field, item in value.items()
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [request(item, shape.member) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: request(item, shape.value) for key, item in value.items()}
    return _scalar(value, shape)


def _scalar(value: Any, shape: Shape) -> Any:
    if isinstance(value, (dict, list, int, float)) and shape.type_name in ("string", "blob"):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, str) and shape.type_name == "blob":
        return value.encode()
    return value


def response(value: Any, shape: Shape | None) -> Any:
    """The answer of botocore in the form that a state machine sees."""
    if isinstance(value, datetime.datetime):
        return iso(value).replace(".000Z", "Z")
    if isinstance(value, StreamingBody):
        return response(value.read(), shape)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    if shape is None or shape.name == "AttributeValue":
        return value
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {
            pascal(member): response(item, shape.members.get(member))
            for member, item in value.items()
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [response(item, shape.member) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: response(item, shape.value) for key, item in value.items()}
    return value
