"""Function PutFirstImage: the custom resource FirstImage, the image of a service before there is a good one.

``AWS::SSM::Parameter`` would put the first image back with every update of the resource, even if only a tag
of the stack changes. By then the parameter holds the image that FinishDeployment recorded as good.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from slipway import aws, custom_resource
from slipway.ecs.kept_image import forget_image, put_first_image

logger = Logger()


class Wanted(custom_resource.Properties):
    """The resource's properties."""

    value: str
    """The image reference that the parameter holds at first."""


class Input(custom_resource.Request):
    """A request of CloudFormation."""

    resource_properties: Wanted


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> None:
    """Handle the request, and answer CloudFormation whether that succeeded or failed."""
    custom_resource.answer(event, Input, _fulfil)


def _fulfil(given: Input) -> None:
    name, ssm = given.resource_properties.name, aws.ssm()
    if given.request_type == "Delete":
        forget_image(name, ssm)
    else:
        put_first_image(name, given.resource_properties.value, ssm)
