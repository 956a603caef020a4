"""Custom resources of CloudFormation: reads a request, and answers it whether it could be fulfilled or not.

Requests and answers: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal, TypeVar
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_pascal

from slipway.model import parse

logger = Logger()

ANSWER_SECONDS = 10
REASON = 1000  # characters; CloudFormation takes at most 4096 bytes for the whole answer


class Properties(BaseModel):
    """The resource's properties. CloudFormation adds ServiceToken and ServiceTimeout, which are ignored."""

    model_config = ConfigDict(alias_generator=to_pascal)

    name: str
    """The name of the SSM parameter that is the resource."""


class Request(BaseModel):
    """The fields of a request that the functions read."""

    model_config = ConfigDict(alias_generator=to_pascal)

    request_type: Literal["Create", "Update", "Delete"]
    stack_id: str
    resource_properties: Properties


R = TypeVar("R", bound=Request)


def answer(request: dict[str, Any], kind: type[R], fulfil: Callable[[R], None]) -> None:
    """Fulfil a request, and tell CloudFormation whether that succeeded.

    The physical ID of the resource is the name of its parameter. If an update names another parameter,
    CloudFormation therefore asks to delete the old one, once the whole stack is updated.
    """
    said = {
        **{name: request[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
        "PhysicalResourceId": request.get("PhysicalResourceId", "none"),
    }
    try:
        given = parse(kind, request, "the request")
        said["PhysicalResourceId"] = given.resource_properties.name
        fulfil(given)
        said["Status"] = "SUCCESS"
    except Exception as error:  # without an answer, CloudFormation waits for an hour
        logger.exception("the request could not be fulfilled")
        said |= {"Status": "FAILED", "Reason": str(error)[:REASON]}
    # The signature of the presigned URL covers an empty Content-Type.
    body, headers, url = json.dumps(said).encode(), {"Content-Type": ""}, request["ResponseURL"]
    put = HttpRequest(url, data=body, headers=headers, method="PUT")  # noqa: S310 - CloudFormation's
    with urlopen(put, timeout=ANSWER_SECONDS):  # noqa: S310 - an error is tried again by Lambda
        logger.info("answered", extra={"answer": said})
