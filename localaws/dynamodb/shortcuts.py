"""Does what moto's DynamoDB does with expressions and values, in a fraction of the time.

moto parses each update expression anew, copies its tree, and checks the whole expression again at each node.
It copies every value once for each level of the maps and lists around it, and a query sorts the whole table.
Together these take most of the time of a call.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import Table
from moto.dynamodb.models.utilities import bytesize
from moto.dynamodb.parsing.ast_nodes import (  # type: ignore[attr-defined]
    DepthFirstTraverser,
    Node,
)
from moto.dynamodb.parsing.expressions import UpdateExpressionParser  # type: ignore[attr-defined]
from moto.dynamodb.parsing.validators import (
    ActionCountValidator,
    OverlappingPathsValidator,
)

# --- expressions ----------------------------------------------------------------------------------

_parse = UpdateExpressionParser.make


@lru_cache(maxsize=1024)
def _parse_once(expression: str) -> Any:
    """The tree of an expression. Nothing changes it: each update copies it first."""
    return _parse(expression)


def _copy_node(self: Any, memo: dict[int, Any]) -> Any:
    """A copy of a node and of all below it; the node itself has no parent then."""
    kind: Any = type(self)
    copied = kind.__new__(kind)
    copied.type, copied.parent, copied.children = self.type, None, self.children
    if self.children is not None:
        copied.children = [
            child if type(child) is str else copy.deepcopy(child, memo) for child in self.children
        ]
        for child in copied.children:
            if _is_a(child.__class__, Node):
                child.parent = copied
    return copied


@cache
def _is_a(kind: Any, of: type) -> bool:
    # isinstance() asks the abstract classes, which takes ten times as long.
    return issubclass(kind, of)


def _traverse(self: Any, node: Any) -> Any:
    return _walk(self, tuple(self._processing_map().items()), node, -1)


def _walk(
    traverser: Any,
    processors: tuple[tuple[type, Callable[[Any], Any]], ...],
    node: Any,
    child_id: int,
) -> Any:
    parent = node.parent
    for i, child in enumerate(node.children or ()):
        traverser.pre_processing_of_child(node, i)
        if _is_a(child.__class__, Node):
            _walk(traverser, processors, child, i)
    for kind, process in processors:
        if _is_a(node.__class__, kind):
            node = process(node)
            node.parent = parent
            if parent:
                parent.children[child_id] = node
            break
    return node


def _check_the_whole(self: Any, node: Any) -> Any:
    """Check an expression: what is twice in a part of it is twice in the whole, too."""
    return self.process(node)


# --- values ---------------------------------------------------------------------------------------


def _copy_value(self: DynamoType, memo: dict[int, Any]) -> DynamoType:
    copied = DynamoType.__new__(DynamoType)
    copied.type, value = self.type, self.value
    if self.type == "L":
        value = [_copy_value(one, memo) for one in value]
    elif self.type == "M":
        value = {name: _copy_value(one, memo) for name, one in value.items()}
    elif self.type in ("SS", "NS", "BS"):
        value = list(value)
    copied.value = value
    return copied


def _copy_item(self: Item, memo: dict[int, Any]) -> Item:
    copied: Any = object.__new__(Item)  # moto keeps every Item that its class makes
    copied.hash_key = _copy_value(self.hash_key, memo)
    copied.range_key = self.range_key and _copy_value(self.range_key, memo)
    copied.attrs = LimitedSizeDict.__new__(LimitedSizeDict)
    dict.update(copied.attrs, {name: _copy_value(one, memo) for name, one in self.attrs.items()})
    return copied  # type: ignore[no-any-return]


def _plain(self: DynamoType) -> dict[str, Any]:
    value = self.value
    if self.type == "L":
        value = [_plain(one) for one in value]
    elif self.type == "M":
        value = {name: _plain(one) for name, one in value.items()}
    elif self.type == "B" and isinstance(value, str):
        value = base64.b64decode(value)
    elif self.type in ("SS", "NS", "BS"):
        value = list(value)
    return {self.type: value}


_serialize_type_structure = BaseJSONSerializer._serialize_type_structure
_size = DynamoType.size
_to_regular_json = DynamoType.to_regular_json


def _size_without_copies(self: DynamoType) -> int:
    if self.type == "L":
        return sum(map(_size_without_copies, self.value))
    if self.type == "M":
        return sum(bytesize(name) + _size_without_copies(one) for name, one in self.value.items())
    return _size(self)


def _serialize_structure(
    self: BaseJSONSerializer, serialized: Any, value: Any, shape: Any, key: str
) -> None:
    # moto asks for each member of each value by all names that a member of a model can have.
    if shape.name == "AttributeValue":
        self._default_serialize(serialized, _wire(value), shape, key)
    else:
        _serialize_type_structure(self, serialized, value, shape, key)


def _wire(value: dict[str, Any]) -> dict[str, Any]:
    """A value as an answer has it."""
    [(kind, content)] = value.items()
    if kind == "L":
        content = [_wire(one) for one in content]
    elif kind == "M":
        content = {name: _wire(one) for name, one in content.items()}
    elif kind == "B":
        content = base64.b64encode(content).decode()
    elif kind == "BS":
        content = [base64.b64encode(one).decode() for one in content]
    return {kind: content}


# --- queries --------------------------------------------------------------------------------------


def only_partition(table: Table, key: DynamoType) -> Table:
    """The table with the items of this partition alone. In a query, moto sorts and compares all items."""
    kind: Any = Table
    only: Table = object.__new__(kind)  # moto keeps every Table that its class makes
    items = {key: table.items[key]} if key in table.items else {}
    vars(only).update(vars(table), items=items)
    return only


# --- installation ---------------------------------------------------------------------------------


def install() -> None:
    """Put the shortcuts into moto."""
    UpdateExpressionParser.make = staticmethod(_parse_once)
    Node.__deepcopy__ = _copy_node
    DepthFirstTraverser.traverse = _traverse
    ActionCountValidator.traverse = _check_the_whole
    OverlappingPathsValidator.traverse = _check_the_whole
    DynamoType.__deepcopy__ = _copy_value  # type: ignore[method-assign]
    Item.__deepcopy__ = _copy_item  # type: ignore[method-assign]
    BaseJSONSerializer._serialize_type_structure = _serialize_structure  # type: ignore[method-assign]
    DynamoType.to_regular_json = _plain  # type: ignore[method-assign]
    DynamoType.size = _size_without_copies  # type: ignore[method-assign]
