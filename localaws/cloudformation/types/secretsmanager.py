"""Secrets Manager in CloudFormation."""

from __future__ import annotations

import json
from typing import Any

from typing_extensions import override

from localaws.cloudformation.engine.resource_type import (
    Naming,
    Properties,
    Resource,
    call,
    pick,
    update_tags,
)

_TEMPLATE = ("SecretStringTemplate", "GenerateStringKey")


class Secret(Resource):
    """A secret. The physical id is the ARN."""

    type = "AWS::SecretsManager::Secret"
    sources = ("GenerateSecretString", "SecretString")
    create_only = frozenset({"Name"})
    properties = frozenset({*create_only, *sources, "Tags"})
    attributes = frozenset({"Id"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        made = call(
            "secretsmanager",
            "CreateSecret",
            Name=properties.get("Name") or naming.unique(),
            SecretString=_text(properties),
            Tags=properties.get("Tags", []),
        )
        return str(made["ARN"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        # A generated value is kept until GenerateSecretString changes.
        if pick(properties, *self.sources) != pick(previous, *self.sources):
            call(
                "secretsmanager",
                "UpdateSecret",
                SecretId=physical_id,
                SecretString=_text(properties),
            )
        update_tags("secretsmanager", properties, previous, SecretId=physical_id)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        # At once, as CloudFormation does, so that the name can be used again.
        call(
            "secretsmanager", "DeleteSecret", SecretId=physical_id, ForceDeleteWithoutRecovery=True
        )

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return physical_id


def _text(properties: Properties) -> str:
    """The value in the template, or one that Secrets Manager generates."""
    if "SecretString" in properties:
        return str(properties["SecretString"])
    wish = dict(properties.get("GenerateSecretString", {}))
    template, key = (wish.pop(name, None) for name in _TEMPLATE)
    made = call("secretsmanager", "GetRandomPassword", **wish)["RandomPassword"]
    if template is None:
        return str(made)
    return json.dumps({**json.loads(template), key: made})
