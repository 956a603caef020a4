"""The types of iam/required_permissions.py: an action that has to be allowed, and on which
resource.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localaws.aws import ACCOUNT, REGION

CONDITION_KEYS = frozenset(
    {
        "aws:SecureTransport",
        "aws:SourceAccount",
        "aws:SourceArn",
        "dynamodb:LeadingKeys",
        "ecs:CreateAction",
        "ecs:cluster",
        "ecs:service",
        "iam:PassedToService",
        "kms:EncryptionContext:PARAMETER_ARN",
        "kms:EncryptionContext:SecretARN",
        "kms:ViaService",
    }
)
"""The condition keys that the rules provide. A policy with another key can't be evaluated here."""


@dataclass(frozen=True)
class Access:
    """One action that a request needs, on one resource."""

    action: str
    resource: str
    """An ARN, or "*" if the action has no resource types."""
    context: Mapping[str, str] = field(default_factory=dict)
    """The values of condition keys. A key that is missing here is not in the request."""


Parameters = Mapping[str, Any]
Rule = Callable[[str, Parameters], list[Access]]
"""Maps an action and the parameters of a request to all that has to be allowed."""


def arn(service: str, prefix: str, name: str) -> str:
    """The ARN for a parameter that holds a name or an ARN."""
    if name.startswith("arn:"):
        return name
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{prefix}{name}"
