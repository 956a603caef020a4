"""The errors with which services say that they throttle, fail, or deny a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from moto.core.errors import COMMON_ERROR_CODES
from moto.core.model import OperationModel

from localaws.iam import iam, required_permissions
from localaws.iam.access import Access

_THROUGHPUT = (
    "The level of configured provisioned throughput for the table was exceeded."
    " Consider increasing your provisioning level with the UpdateTable API."
)
_FAILURE = "The request processing has failed because of an unknown error, exception, or failure."
# The names of server errors in the models of services. Without one it is the common InternalFailure.
_SERVER_ERRORS = (
    "InternalServerError",
    "ServerException",
    "ServiceException",
    "InternalErrorException",
    "InternalServiceFault",
    "InternalException",
)
_REFUSALS = {"query": ("AccessDenied", 403), "rest-json": ("AccessDeniedException", 403)}

COMMON_ERROR_CODES.extend(("Throttling", "ThrottlingException"))  # or moto logs warnings about them


class Answer(NamedTuple):
    """An error of a service."""

    code: str
    message: str
    status: int


def check(how: str, action: str, operation: OperationModel) -> None:
    """Raise ValueError if AWS has no such error, or its wording is not known here."""
    if how == "throttle":
        throttled(operation)
    if how == "deny" and required_permissions.RULES.get(action) is required_permissions.nothing:
        raise ValueError(f"{action} needs no permission, so that nobody can be denied it")


def throttled(operation: OperationModel) -> Answer:
    """The error of a call that is throttled."""
    service, own = operation.service_model, {shape.name for shape in operation.error_shapes}
    if "ProvisionedThroughputExceededException" in own:
        return Answer("ProvisionedThroughputExceededException", _THROUGHPUT, 400)
    if service.protocol == "rest-json" and "TooManyRequestsException" in own:
        return Answer("TooManyRequestsException", "Rate Exceeded.", 429)
    if service.protocol == "query" or service.is_query_compatible:
        return Answer("Throttling", "Rate exceeded", 400)
    if service.protocol == "json":
        return Answer("ThrottlingException", "Rate exceeded", 400)
    raise ValueError(f"how {service.service_name} {operation.name} is throttled is not known here")


def failed(operation: OperationModel) -> Answer:
    """The error of a call that fails in the service."""
    own = {shape.name: shape for shape in operation.error_shapes}
    for name in _SERVER_ERRORS:
        if name in own:
            code = own[name].metadata.get("error", {}).get("code", name)
            return Answer(code, _FAILURE, 500)
    return Answer("InternalFailure", _FAILURE, 500)


def denied(
    action: str,
    operation: OperationModel,
    function: str | None,
    parameters: Callable[[], Mapping[str, Any]],
) -> Answer:
    """The error of a call that the caller's role does not allow."""
    if action in required_permissions.RULES:
        access = required_permissions.rule_for(action)(action, parameters())[0]
    else:
        access = Access(action, "*")
    # The local AWS's own key belongs to no role that the message could name.
    session = f"{iam._role(function).name}/{function}" if function else "localaws/localaws"
    service = action.partition(":")[0]
    refusal = iam.AccessDeniedError(service, iam._message(session, access, denied=False))
    code, status = refusal.code, refusal.status
    if code == "AccessDeniedException":
        code, status = _REFUSALS.get(operation.service_model.protocol, (code, status))
    return Answer(code, str(refusal), status)
