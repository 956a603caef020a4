"""The base class of CloudFormation resource types. A resource type calls the API of its service.

moto creates resources inside its backends, from the properties that it knows. Types and properties
that it does not know are silently dropped. Here each type lists its properties, and each property
reaches the service through the shapes of botocore, as from any other client.

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
    """The parts of a physical name for a resource that has no name in the template."""

    stack: str
    logical_id: str

    def unique(self, longest: int = 64) -> str:
        """A unique name made of the stack, the logical id and a suffix.

        The suffixes are the same in every new local AWS, so events/local-env.json can name the pipeline's
        resources.
        """
        given = vars(cloudformation_backends[ACCOUNT][REGION]).setdefault("names", Counter())
        given[self] += 1  # kept in moto's backend, whose reset deletes it
        digest = hashlib.sha256(f"{self.stack} {self.logical_id} {given[self]}".encode()).digest()
        suffix = base64.b32encode(digest).decode()[:12]
        stem = f"{self.stack}-{self.logical_id}"[: longest - len(suffix) - 1]
        return f"{stem.rstrip('-')}-{suffix}"


class HalfCreatedError(Exception):
    """The creation failed, but there is a physical id. The rollback deletes what it names."""

    def __init__(self, physical_id: str, message: str) -> None:
        super().__init__(message)
        self.physical_id = physical_id


class Resource(ABC):
    """A resource type. It has no state of its own: everything is stored in the service."""

    type: ClassVar[str]
    properties: ClassVar[frozenset[str]]
    create_only: ClassVar[frozenset[str]] = frozenset()
    """The properties whose change makes CloudFormation replace the resource."""
    attributes: ClassVar[frozenset[str]] = frozenset()
    """The attributes that GetAtt returns."""
    looked_after: ClassVar[bool] = False
    """Whether every update of the stack updates it, even if no property has changed."""

    def __init_subclass__(cls) -> None:
        if hasattr(cls, "type"):
            TYPES[cls.type] = cls()

    @abstractmethod
    def create(self, properties: Properties, naming: Naming) -> str:
        """Create the resource with one call and return its physical id, which Ref returns.

        Raises:
            HalfCreatedError: it failed, and has to be deleted all the same.
        """

    def complete(self, physical_id: str, properties: Properties) -> None:  # noqa: B027
        """Make the calls that follow the creation. If one fails, the resource is deleted again."""

    @abstractmethod
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> str | None:
        """Update the resource to its new properties. No create-only property has changed.

        Returns:
            The physical id of the resource that replaces this one, as a custom resource may answer; None if
            this one was updated.
        """

    @abstractmethod
    def delete(self, physical_id: str, properties: Properties) -> None:
        """Delete the resource. It is no error if it is deleted already."""

    def put_back(self, physical_id: str, properties: Properties, undone: Properties) -> None:
        """Undo an update, also one that failed halfway."""
        self.update(physical_id, properties, undone)

    def placed(self, properties: Properties, stack: str, logical_id: str) -> Properties:  # noqa: ARG002
        """The properties, with the stack's id and the logical id if the type has to know them."""
        return properties

    def settle(self, physical_id: str) -> None:  # noqa: B027
        """Discard what is needed to undo an update: the whole operation has succeeded."""

    def tagged(self, properties: Properties, tags: dict[str, str]) -> Properties:
        """The properties with the stack's tags added. Tags of the resource override them."""
        tags = {**tags, **{tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}}
        return {
            **properties,
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        }

    def has_attribute(self, name: str) -> bool:
        """Whether GetAtt returns this attribute."""
        return name in self.attributes

    def attribute(self, physical_id: str, name: str) -> Any:
        """The value of one of the `attributes`."""
        raise NotImplementedError(f"{self.type} {physical_id}: attribute {name}")

    def capability(self, properties: Properties) -> str | None:  # noqa: ARG002
        """The capability that a request needs to create such a resource."""
        return None


def call(service: str, operation: str, **arguments: Any) -> dict[str, Any]:
    """Call an API with properties as they are written in a template.

    A template may have "60" for 60, {"Statement": ...} for JSON text, and `Level` for `level`.
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
    if allowed and given not in allowed:  # AWS checks this, moto often does not
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
    """The named properties that are set."""
    return {name: properties[name] for name in names if name in properties}


def tag_map(properties: Properties) -> dict[str, str]:
    """The tags of a resource as a map."""
    return {tag["Key"]: text(tag["Value"]) for tag in properties.get("Tags", [])}


def changed_tags(properties: Properties, previous: Properties) -> tuple[dict[str, str], list[str]]:
    """The tags to set, and the keys of the tags to remove."""
    now, before = tag_map(properties), tag_map(previous)
    return now, [key for key in before if key not in now]


def update_tags(
    service: str, properties: Properties, previous: Properties, **resource: str
) -> None:
    """Update the tags of a resource with TagResource and UntagResource."""
    tags, gone = changed_tags(properties, previous)
    if tags:
        call(service, "TagResource", **resource, Tags=properties["Tags"])
    if gone:
        call(service, "UntagResource", **resource, TagKeys=gone)
