"""Function PutFirstImage: the custom resource FirstImage, the image of a service before there is a good one.

``AWS::SSM::Parameter`` would put the first image back with every update of the resource, even if only a tag
of the stack changes. By then the parameter holds the image that FinishDeployment recorded as good.
Requests and responses: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

from __future__ import annotations

import json
from typing import Any, Literal
from urllib.request import Request, urlopen

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_pascal

from slipway import aws
from slipway.ecs.kept_image import forget_image, put_first_image
from slipway.model import parse

logger = Logger()

ANSWER_SECONDS = 10
REASON = 1000  # characters; CloudFormation takes at most 4096 bytes for the whole response


class Wanted(BaseModel):
    """The resource's properties. CloudFormation adds ServiceToken and ServiceTimeout, which are ignored."""

    model_config = ConfigDict(alias_generator=to_pascal)

    name: str
    """The name of the SSM parameter."""
    value: str
    """The image reference that the parameter holds at first."""


class Input(BaseModel):
    """The fields of a CloudFormation request that this function reads."""

    model_config = ConfigDict(alias_generator=to_pascal)

    request_type: Literal["Create", "Update", "Delete"]
    resource_properties: Wanted


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> None:
    """Handle the request, and send the response to CloudFormation whether that succeeded or failed."""
    answer = {
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
        "PhysicalResourceId": event.get("PhysicalResourceId", "none"),
    }
    try:
        given = parse(Input, event, "the request")
        answer["PhysicalResourceId"] = given.resource_properties.name
        _do(given)
        answer["Status"] = "SUCCESS"
    except Exception as error:  # without a response, CloudFormation waits for an hour
        logger.exception("the request could not be fulfilled")
        answer |= {"Status": "FAILED", "Reason": str(error)[:REASON]}
    # The signature of the presigned URL covers an empty Content-Type.
    body, headers, url = json.dumps(answer).encode(), {"Content-Type": ""}, event["ResponseURL"]
    request = Request(url, data=body, headers=headers, method="PUT")  # noqa: S310 - CloudFormation's
    with urlopen(request, timeout=ANSWER_SECONDS):  # noqa: S310 - an error is tried again by Lambda
        logger.info("answered", extra={"answer": answer})


def _do(given: Input) -> None:
    name, ssm = given.resource_properties.name, aws.ssm()
    if given.request_type == "Delete":
        forget_image(name, ssm)
    else:
        put_first_image(name, given.resource_properties.value, ssm)
