"""Function ReservePrefix: the custom resource Prefix, which no second stack can have.

``AWS::SSM::Parameter`` would also fail if another stack has the parameter, but its error does not name that
stack.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from slipway import aws, custom_resource
from slipway.release.prefix import free_prefix, reserve_prefix

logger = Logger()

Input = custom_resource.Request


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> None:
    """Handle the request, and answer CloudFormation whether that succeeded or failed."""
    custom_resource.answer(event, Input, _fulfil)


def _fulfil(given: Input) -> None:
    act = free_prefix if given.request_type == "Delete" else reserve_prefix
    act(given.resource_properties.name, given.stack_id, aws.ssm())
