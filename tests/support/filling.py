"""Values in which every field of a botocore shape is set."""

from __future__ import annotations

from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from tests.support.builders import NOW


def filled(shape: Shape, name: str = "text") -> Any:
    if isinstance(shape, StructureShape):
        return {member: filled(of, member) for member, of in shape.members.items()}
    if isinstance(shape, ListShape):
        return [filled(shape.member, name)]
    if isinstance(shape, MapShape):
        return {filled(shape.key, name): filled(shape.value, name)}
    if shape.type_name == "string":
        return shape.enum[0] if getattr(shape, "enum", None) else name
    return {
        "integer": 7,
        "long": 7,
        "double": 0.5,
        "float": 0.5,
        "boolean": True,
        "timestamp": NOW,
    }[shape.type_name]
