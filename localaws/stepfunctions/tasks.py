"""The calls of Task states, where moto's integrations differ from AWS's.

- Clients are shared. Creating one takes 50 ms, and boto3 sessions are not thread-safe.
- aws-sdk and optimized integrations convert fields, results and errors as AWS does
  (stepfunctions/sdk_integration.py). An unknown field is an error, where moto drops it.
- Integrations that moto only forwards are refused when the state machine is created.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from moto.stepfunctions.parser.asl.component.common import parargs
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_api_gateway as api_gateway,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_aws_sdk as aws_sdk,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_dynamodb as dynamodb,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_lambda as lambda_invoke,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_unsupported as unsupported,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import (
    StateTaskService,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.utils import boto_client, encoding

from localaws import aws
from localaws.stepfunctions import sdk_integration

# These integrations have their own forms of requests and results.
_OWN_PARAMETERS = (api_gateway.StateTaskServiceApiGateway,)
_OWN_RESULTS = (
    api_gateway.StateTaskServiceApiGateway,
    dynamodb.StateTaskServiceDynamoDB,
    lambda_invoke.StateTaskServiceLambda,
)


def _client(region: str, service: str, state_credentials: Any = None) -> Any:
    if region != aws.REGION:
        raise NotImplementedError(f"Step Functions: a task in the Region {region}")
    role = getattr(state_credentials, "role_arn", None) or ""
    if role and f":{aws.ACCOUNT}:" not in role:
        raise NotImplementedError(f"Step Functions: Credentials of another account: {role}")
    return aws.client(service)


# --- the checks of a task when its state machine is created -------------------------------

_from_state_props = StateTaskService.from_state_props


def _checked(self: StateTaskService, state_props: Any) -> None:
    _from_state_props(self, state_props)
    condition = self.resource.condition
    if condition and condition not in getattr(self, "_supported_integration_patterns", ()):
        raise ValueError(f"{self.resource.resource_arn}: .{condition} is not supported")
    if isinstance(self.parargs, parargs.ArgumentsJSONataTemplateValueObject):
        bindings = self.parargs.template_eval_component.bindings  # type: ignore[attr-defined]
        _refuse_unsupported(self, [binding.identifier for binding in bindings])


def _refuse_unsupported(self: StateTask, names: list[str]) -> None:
    supported = self._get_supported_parameters()
    for name in names:
        if supported and name not in supported:
            raise ValueError(f"The field '{name}' is not supported by Step Functions")


def _eval_parameters(self: StateTask, env: Environment) -> Any:
    if self.parargs is None:
        return {}
    self.parargs.eval(env=env)
    parameters = env.stack.pop()
    _refuse_unsupported(self, list(parameters))
    return parameters


def _sdk_operation_exists(self: aws_sdk.StateTaskServiceAwsSdk) -> None:
    _operation(self)


def _sdk_fields(self: aws_sdk.StateTaskServiceAwsSdk) -> set[str]:
    return set(sdk_integration.fields(_operation(self).input_shape)) or {""}


def _refuse(self: unsupported.StateTaskServiceUnsupported) -> None:
    raise NotImplementedError(f"Step Functions: the resource {self.resource.resource_arn}")


# --- the calls -----------------------------------------------------------------------------


def _service_name(self: StateTaskService, boto_service_name: str | None = None) -> str:
    name = boto_service_name or self.resource.api_name
    if isinstance(self, aws_sdk.StateTaskServiceAwsSdk):
        return sdk_integration.service(name)[0]
    return self._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES.get(name, name)


def _operation(self: StateTaskService) -> Any:
    return sdk_integration.operation(self._get_boto_service_name(), self.resource.api_action)


def _normalise_parameters(self: StateTaskService, parameters: Any, *_: Any, **__: Any) -> None:
    if not isinstance(self, _OWN_PARAMETERS):
        converted = sdk_integration.request(parameters, _operation(self).input_shape)
        parameters.clear()
        parameters.update(converted)


def _normalise_response(self: StateTaskService, response: Any, *_: Any, **__: Any) -> None:
    if isinstance(response, dict) and not isinstance(self, _OWN_RESULTS):
        converted = sdk_integration.response(response, _operation(self).output_shape)
        response.clear()
        response.update(converted)


def _service_error_name(service_name: str) -> str:
    return sdk_integration.service(service_name)[1]


class _Encoder(json.JSONEncoder):
    """Characters stay as they are: people read the texts that moto's encoder would escape."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "ensure_ascii": False})

    def default(self, o: Any) -> Any:
        """Write a time in AWS's format."""
        return sdk_integration.response(o, None)


def install() -> None:
    """Make tasks call the local AWS as they would call AWS."""
    original = boto_client.boto_client_for
    for module in list(sys.modules.values()):
        if getattr(module, "__dict__", {}).get("boto_client_for") is original:
            module.boto_client_for = _client  # type: ignore[attr-defined]
    encoding._DateTimeEncoder = _Encoder  # type: ignore[misc,assignment]
    StateTask._eval_parameters = _eval_parameters  # type: ignore[method-assign]
    StateTaskService.from_state_props = _checked  # type: ignore[method-assign]
    StateTaskService._get_boto_service_name = _service_name  # type: ignore[method-assign]
    StateTaskService._normalise_parameters = _normalise_parameters  # type: ignore[method-assign]
    StateTaskService._normalise_response = _normalise_response  # type: ignore[method-assign]
    unsupported.StateTaskServiceUnsupported._validate_service_integration_is_supported = _refuse  # type: ignore[method-assign]
    sdk = aws_sdk.StateTaskServiceAwsSdk
    sdk._validate_service_integration_is_supported = _sdk_operation_exists  # type: ignore[method-assign]
    sdk._get_supported_parameters = _sdk_fields  # type: ignore[assignment,method-assign]
    sdk._normalise_service_error_name = staticmethod(_service_error_name)  # type: ignore[method-assign]
