"""What a CloudFormation resource type is: a small class that calls the service's own API.

moto makes resources inside its backends, with the properties that someone thought of; a type or a
property that nobody thought of is dropped in silence. Here a type says which properties it takes, and
each of them reaches the service as it would come from any other client, through the shapes of botocore.

To add a type, subclass `Resource` in a module of `localaws/cloudformation/types/`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar

from botocore import xform_name
from botocore.model import ListShape, MapShape, Shape, StructureShape
from moto.cloudformation.models import cloudformation_backends

from localaws.aws import ACCOUNT, REGION, client
from localaws.cloudformation.engine.syntax import text

Properties = dict[str, Any]

TYPES: dict[str, Resource] = {}


@dataclass(frozen=True)
class Naming:
    """What a physical name is made of where the template gives none."""

    stack: str
    logical_id: str

    def unique(self, longest: int = 64) -> str:
        """A name that no other resource has: stack, logical id, and what each new local AWS makes alike.

        So events/local-env.json can name what the pipeline has there.
        """
        given = vars(cloudformation_backends[ACCOUNT][REGION]).setdefault("names", Counter())
        given[self] += 1  # in moto's backend, so that its reset clears it
        digest = hashlib.sha256(f"{self.stack} {self.logical_id} {given[self]}".encode()).digest()
        suffix = base64.b32encode(digest).decode()[:12]
        stem = f"{self.stack}-{self.logical_id}"[: longest - len(suffix) - 1]
        return f"{stem.rstrip('-')}-{suffix}"


class Resource(ABC):
    """One resource type. It keeps no state: everything is in the service."""

    type: ClassVar[str]
    properties: ClassVar[frozenset[str]]
    create_only: ClassVar[frozenset[str]] = frozenset()
    """The properties whose change makes CloudFormation replace the resource."""
    attributes: ClassVar[frozenset[str]] = frozenset()
    """What GetAtt can ask for."""
    looked_after: ClassVar[bool] = False
    """Whether every update of the stack comes to it, even if none of its properties has changed."""

    def __init_subclass__(cls) -> None:
        if hasattr(cls, "type"):
            TYPES[cls.type] = cls()

    @abstractmethod
    def create(self, properties: Properties, naming: Naming) -> str:
        """Make the resource with one call and return its physical id, which is what Ref gives."""

    def complete(self, physical_id: str, properties: Properties) -> None:  # noqa: B027
        """The calls that follow; if one fails, what `create` made is deleted."""

    @abstractmethod
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        """Bring the resource to its new properties; no create-only one has changed."""

    @abstractmethod
    def delete(self, physical_id: str, properties: Properties) -> None:
        """Delete the resource; that it is gone already is no error."""

    def put_back(self, physical_id: str, properties: Properties, undone: Properties) -> None:
        """Undo an update, or one that failed halfway."""
        self.update(physical_id, properties, undone)

    def settle(self, physical_id: str) -> None:  # noqa: B027
        """Let go of what would have undone an update: the whole stack has come through."""

    def tagged(self, properties: Properties, tags: dict[str, str]) -> Properties:
        """The properties with the stack's tags, before which the resource's own go."""
        tags = {**tags, **{tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}}
        return {
            **properties,
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        }

    def has_attribute(self, name: str) -> bool:
        """Whether GetAtt can ask for it."""
        return name in self.attributes

    def attribute(self, physical_id: str, name: str) -> Any:
        """The value of one of the `attributes`."""
        raise NotImplementedError(f"{self.type} {physical_id}: attribute {name}")

    def capability(self, properties: Properties) -> str | None:  # noqa: ARG002
        """What the caller must acknowledge before CloudFormation makes such a resource."""
        return None


def call(service: str, operation: str, **arguments: Any) -> dict[str, Any]:
    """Call an API with properties as a template writes them.

    A template writes "60" for 60, {"Statement": ...} for JSON text and `Level` for `level`.
    """
    api = client(service)
    shape = api.meta.service_model.operation_model(operation).input_shape
    typed = _typed(arguments, shape, operation)
    answer: dict[str, Any] = getattr(api, xform_name(operation))(**typed)
    return answer


def _typed(value: Any, shape: Shape, where: str) -> Any:
    if isinstance(shape, StructureShape):
        return dict(_member(key, item, shape, where) for key, item in _mapping(value, where))
    if isinstance(shape, MapShape):
        return {key: _typed(item, shape.value, where) for key, item in _mapping(value, where)}
    if isinstance(shape, ListShape):
        if not isinstance(value, list):
            raise TypeError(f"{where} must be a list, not {value!r}")
        return [_typed(item, shape.member, where) for item in value]
    if shape.type_name == "boolean":
        return value if isinstance(value, bool) else {"true": True, "false": False}[value.lower()]
    if shape.type_name in ("integer", "long"):
        return int(value)
    if shape.type_name in ("float", "double"):
        return float(value)
    if shape.type_name == "string":
        return _string(value, getattr(shape, "enum", []), where)
    return value


def _string(value: Any, allowed: list[str], where: str) -> str:
    given = json.dumps(value) if isinstance(value, dict | list) else text(value)
    if allowed and given not in allowed:  # the services check it; moto's often don't
        raise ValueError(f"{where} must be one of {', '.join(allowed)}, not {given}")
    return given


def _member(key: str, value: Any, shape: StructureShape, where: str) -> tuple[str, Any]:
    for name in (key, key[:1].lower() + key[1:]):
        if name in shape.members:
            return name, _typed(value, shape.members[name], f"{where}.{name}")
    raise ValueError(f"{where} has no {key}")


def _mapping(value: Any, where: str) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise TypeError(f"{where} must be an object, not {value!r}")
    return list(value.items())


def pick(properties: Properties, *names: str) -> Properties:
    """Those of the named properties that are given."""
    return {name: properties[name] for name in names if name in properties}


def tag_map(properties: Properties) -> dict[str, str]:
    """The tags of a resource as a map, which is how some services take them."""
    return {tag["Key"]: text(tag["Value"]) for tag in properties.get("Tags", [])}


def changed_tags(properties: Properties, previous: Properties) -> tuple[dict[str, str], list[str]]:
    """The tags to set, and the keys to take away."""
    now, before = tag_map(properties), tag_map(previous)
    return now, [key for key in before if key not in now]


def update_tags(
    service: str, properties: Properties, previous: Properties, **resource: str
) -> None:
    """Bring the tags of what is there to the new ones, where TagResource and UntagResource do that."""
    tags, gone = changed_tags(properties, previous)
    if tags:
        call(service, "TagResource", **resource, Tags=properties["Tags"])
    if gone:
        call(service, "UntagResource", **resource, TagKeys=gone)
