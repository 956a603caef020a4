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

from localaws import (
    cfn_actions,
    cfn_applicationautoscaling,
    cfn_autoscaling,
    cfn_cloudwatch,
    cfn_custom,
    cfn_descriptions,
    cfn_dynamodb,
    cfn_ec2_endpoints,
    cfn_ec2_instances,
    cfn_ec2_network,
    cfn_ec2_security,
    cfn_ecr,
    cfn_ecs,
    cfn_ecs_services,
    cfn_elbv2,
    cfn_elbv2_listeners,
    cfn_elbv2_target_groups,
    cfn_events,
    cfn_iam,
    cfn_kms,
    cfn_lambda,
    cfn_nested,
    cfn_s3,
    cfn_secretsmanager,
    cfn_servicediscovery,
    cfn_sns,
    cfn_sqs,
    cfn_ssm,
    cfn_stepfunctions,
    cfn_wafv2,
)
from localaws.aws import REGION
from localaws.cfn_actions import Answer, Request

TYPE_MODULES = (
    cfn_applicationautoscaling,
    cfn_autoscaling,
    cfn_cloudwatch,
    cfn_custom,
    cfn_dynamodb,
    cfn_ec2_endpoints,
    cfn_ec2_instances,
    cfn_ec2_network,
    cfn_ec2_security,
    cfn_ecr,
    cfn_ecs,
    cfn_ecs_services,
    cfn_elbv2,
    cfn_elbv2_listeners,
    cfn_elbv2_target_groups,
    cfn_events,
    cfn_iam,
    cfn_kms,
    cfn_lambda,
    cfn_nested,
    cfn_s3,
    cfn_secretsmanager,
    cfn_servicediscovery,
    cfn_sns,
    cfn_sqs,
    cfn_ssm,
    cfn_stepfunctions,
    cfn_wafv2,
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
        action = getattr(cfn_actions, name, None) or getattr(cfn_descriptions, name, None)
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
