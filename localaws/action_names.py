"""The names of AWS actions, which differ between signatures, IAM and botocore's models.

Here an action is named by IAM's service prefix and the API's own name: ``ecs:UpdateService``,
``lambda:Invoke``.
"""

from __future__ import annotations

from botocore.exceptions import UnknownServiceError
from moto.core.model import OperationModel
from moto.core.utils import get_service_model

# botocore's name of a service by the name in the signature, where the two differ.
_MODELS = {
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
}
_PREFIXES = {"monitoring": "cloudwatch"}
_SIGNED = {prefix: signed for signed, prefix in _PREFIXES.items()}


def model_name(signed: str) -> str:
    """botocore's name of the service that a request is signed for."""
    return _MODELS.get(signed, signed)


def prefix(signed: str) -> str:
    """IAM's prefix of the service that a request is signed for."""
    return _PREFIXES.get(signed, signed)


def operation(action: str) -> OperationModel:
    """The model of an action. Raises ValueError if AWS has no such action."""
    service, _, name = action.partition(":")
    try:
        model = get_service_model(model_name(_SIGNED.get(service, service)))
    except UnknownServiceError:
        raise ValueError(f"{action}: there is no service {service!r}") from None
    if (right := prefix(str(model.signing_name))) != service:
        raise ValueError(f"{action}: the service is called {right!r} in actions")
    if name not in model.operation_names:
        raise ValueError(f"{action}: the service has no call {name!r}")
    found: OperationModel = model.operation_model(name)  # its cache hides the type
    return found
