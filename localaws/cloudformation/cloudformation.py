"""CloudFormation, in place of moto's: the SAM transform, and stacks that are what they say.

    cfn_actions, cfn_descriptions   what the API offers
    cfn_store, cfn_stack            what is kept
    cfn_template, cfn_checks        text -> SAM transform -> checked resources in order
    cfn_syntax, cfn_intrinsics      references, conditions, functions
    cfn_parameters                  their values and constraints
    cfn_admission                   what a stack must pass before an operation begins
    cfn_operation, cfn_changes      create, update, roll back, delete; what a change set says
    cfn_resources                   what a resource type is
    cfn_lambda, cfn_iam, ...        the types, one class each

moto's HTTP layer stays: it reads the requests and writes the answers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import botocore.session
from botocore import xform_name
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult

from localaws.aws import REGION
from localaws.cloudformation.engine import actions, descriptions
from localaws.cloudformation.engine.actions import Answer, Request
from localaws.cloudformation.types import (
    applicationautoscaling,
    autoscaling,
    cloudwatch,
    custom,
    dynamodb,
    ec2_endpoints,
    ec2_instances,
    ec2_network,
    ec2_security,
    ecr,
    ecs,
    ecs_services,
    elbv2,
    elbv2_listeners,
    elbv2_target_groups,
    events,
    iam,
    kms,
    lambda_,
    nested,
    s3,
    secretsmanager,
    servicediscovery,
    sns,
    sqs,
    ssm,
    stepfunctions,
    wafv2,
)

TYPE_MODULES = (
    applicationautoscaling,
    autoscaling,
    cloudwatch,
    custom,
    dynamodb,
    ec2_endpoints,
    ec2_instances,
    ec2_network,
    ec2_security,
    ecr,
    ecs,
    ecs_services,
    elbv2,
    elbv2_listeners,
    elbv2_target_groups,
    events,
    iam,
    kms,
    lambda_,
    nested,
    s3,
    secretsmanager,
    servicediscovery,
    sns,
    sqs,
    ssm,
    stepfunctions,
    wafv2,
)
"""Where the resource types are; a module that is not here has no types."""


def install() -> None:
    """Answer CloudFormation's requests here; what is not answered fails."""
    for module in TYPE_MODULES:
        if hasattr(module, "install"):
            module.install()
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it warns of metrics of AWS's own
    CloudFormationResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER = {}
    model = botocore.session.get_session().get_service_model("cloudformation")
    for operation in model.operation_names:
        name = xform_name(operation)
        action = getattr(actions, name, None) or getattr(descriptions, name, None)
        setattr(CloudFormationResponse, name, _handler(operation, action))


def _handler(
    operation: str, action: Callable[[Request], Answer] | None
) -> Callable[[CloudFormationResponse], ActionResult]:
    def handle(response: CloudFormationResponse) -> ActionResult:
        if action is None:
            raise NotImplementedError(f"cloudformation {operation}")
        if response.region != REGION:
            raise NotImplementedError(f"cloudformation {operation} in {response.region}")
        return ActionResult(action(response._get_params()))

    return handle
