"""CloudFormation, in place of moto's: the SAM transform, and stacks with real operations.

    engine/actions, descriptions          the actions of the API
    engine/store, stack                   stacks and change sets, and where they are stored
    engine/yaml_loader, template          text -> SAM transform -> resources, in order
    engine/validation, parameters         the checks of a template and of its parameters
    engine/syntax, intrinsics             references, conditions, intrinsic functions
    engine/admission                      whether an operation on a stack may begin
    engine/operation                      create, update, roll back, delete
    engine/resource_changes               the contents of a change set
    engine/resource_type                  the base class of resource types
    types/                                the resource types, one class each

moto's HTTP layer is kept: it parses requests and serializes answers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import botocore.session
from botocore import xform_name
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult

from localaws.aws import REGION
from localaws.cloudformation import types
from localaws.cloudformation.engine import actions, descriptions
from localaws.cloudformation.engine.actions import Answer, Request


def install() -> None:
    """Answer CloudFormation's requests. Actions that are not implemented fail."""
    for module in types.MODULES:
        if hasattr(module, "install"):
            module.install()
    # Its warnings are about usage metrics.
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
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
