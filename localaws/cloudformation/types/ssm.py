"""SSM parameters in CloudFormation."""

from __future__ import annotations

import re
from typing import Any

from typing_extensions import override

from localaws.aws import client
from localaws.cloudformation.engine.resource_type import Naming, Properties, Resource, call, pick
from localaws.cloudformation.engine.syntax import text


class Parameter(Resource):
    """A parameter. The physical id is the name. Unlike in other types, Tags is a map."""

    type = "AWS::SSM::Parameter"
    settings = ("AllowedPattern", "Description", "Tier", "Type", "Value")
    create_only = frozenset({"Name"})
    properties = frozenset({*create_only, *settings, "Tags"})
    attributes = frozenset({"Type", "Value"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        name = properties.get("Name") or Naming("CFN", naming.logical_id).unique()
        _check(properties)
        call(
            "ssm",
            "PutParameter",
            Name=name,
            **pick(properties, *self.settings),
            Tags=_listed(properties.get("Tags", {})),
        )
        return str(name)

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        _check(properties)
        # moto keeps every setting that is left out; SSM keeps the tier only.
        emptied = dict.fromkeys(pick(previous, "AllowedPattern", "Description"), "")
        given = {**emptied, **pick(properties, *self.settings)}
        call("ssm", "PutParameter", Name=physical_id, Overwrite=True, **given)
        tagged = {"ResourceType": "Parameter", "ResourceId": physical_id}
        tags, before = properties.get("Tags", {}), previous.get("Tags", {})
        if tags and tags != before:
            call("ssm", "AddTagsToResource", **tagged, Tags=_listed(tags))
        if gone := [key for key in before if key not in tags]:
            call("ssm", "RemoveTagsFromResource", **tagged, TagKeys=gone)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("ssm", "DeleteParameter", Name=physical_id)

    @override
    def tagged(self, properties: Properties, tags: dict[str, str]) -> Properties:
        return {**properties, "Tags": {**tags, **properties.get("Tags", {})}}

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return client("ssm").get_parameter(Name=physical_id)["Parameter"][name]


def _check(properties: Properties) -> None:
    if properties["Type"] not in ("String", "StringList"):
        raise ValueError(f"#/Type: {properties['Type']} is not a valid enum value")
    pattern = properties.get("AllowedPattern")  # moto's SSM ignores it
    if pattern and not re.fullmatch(pattern, text(properties["Value"])):
        raise ValueError(f"Parameter value, cannot be validated against allowedPattern: {pattern}")


def _listed(tags: dict[str, Any]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": text(value)} for key, value in tags.items()]
