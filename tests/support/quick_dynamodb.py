"""Makes moto's DynamoDB take half the time: it does the same, but works out only once what never changes.

For an update of an item, moto parses the expression twice, copies the syntax tree with ``deepcopy``, and
walks through it ten times, where every node asks an abstract class whether it is an instance. For an answer,
moto tries up to a dozen spellings of every field that the answer could have.
"""

from __future__ import annotations

import pickle
from copy import deepcopy
from functools import cache, lru_cache
from typing import Any

from botocore import useragent
from botocore.model import Shape
from moto.core import responses
from moto.core.serialize import (
    DEFAULT_ALIAS_PROVIDERS,
    AttributePickerContext,
    ResponseSerializer,
    XFormedAttributePicker,
)
from moto.dynamodb.parsing import validators
from moto.dynamodb.parsing.ast_nodes import (
    DepthFirstTraverser,
    Expression,
    Node,
    UpdateExpression,
    UpdateExpressionFunction,
)
from moto.dynamodb.parsing.expressions import UpdateExpressionParser

is_a = cache(issubclass)
moto_value = ResponseSerializer.get_value
CHECKS = [
    validators.ActionCountValidator,
    validators.OverlappingPathsValidator,
    validators.UpdateHashRangeKeyValidator,
]
valid: set[tuple[Any, ...]] = set()
"""Parsed expressions, each with the names and the table's keys that it is valid with."""
processed_as: dict[tuple[type, type], type | None] = {}
spellings: dict[tuple[str, Shape], list[str]] = {}


def find_clauses(node: Node, kinds: list[type]) -> list[Node]:
    found = []
    for child in node.children or []:
        kind = type(child)
        if kind in kinds:
            found.append(child)
        elif is_a(kind, Expression) or is_a(kind, UpdateExpressionFunction):
            found += find_clauses(child, kinds)
    return found


def traverse(traverser: DepthFirstTraverser, node: Any, position: int = -1) -> Any:
    kind = type(node)
    if not is_a(kind, Node):
        return node
    parent = node.parent
    for number, child in enumerate(node.children or []):
        traverser.pre_processing_of_child(node, number)
        traverse(traverser, child, number)
    pair = (type(traverser), kind)
    if pair not in processed_as:
        kinds = traverser.nodes_to_be_processed()
        processed_as[pair] = next((one for one in kinds if is_a(kind, one)), None)
    if found := processed_as[pair]:
        node = traverser._processing_map()[found](node)
        node.parent = parent
        if parent:
            parent.children[position] = node
    return node


def validate(validator: validators.UpdateExpressionValidator) -> Node:
    """Let the first three processors only check the expression once, and the others change a copy of it."""
    tree, names = validator.node_to_validate, validator.expression_attribute_names or {}
    kinds = [type(processor) for processor in validator.processors[:3]]
    assert kinds == CHECKS, "this moto validates expressions in another way"
    checked = (tree, *names.items(), *validator.table.table_key_attrs)
    if checked not in valid:
        for processor in validator.processors[:3]:
            processor.traverse(tree)
        valid.add(checked)
    found: Node = pickle.loads(pickled(tree))
    for processor in validator.processors[3:]:
        found = processor.traverse(found)
    return found


@lru_cache(1_000)
def pickled(tree: UpdateExpression) -> bytes:
    return pickle.dumps(tree)


def value_of(serializer: ResponseSerializer, of: Any, key: str, shape: Shape) -> Any:
    """The field of the answer, if it is a dict; moto finds it in its objects."""
    picker = serializer._value_picker
    if (
        type(of) is not dict
        or type(picker) is not XFormedAttributePicker
        or picker.alias_providers is not DEFAULT_ALIAS_PROVIDERS
        or picker.response_transformers
        or "." in key
    ):
        return moto_value(serializer, of, key, shape)
    if (key, shape) not in spellings:
        operation = serializer.operation_model
        context = AttributePickerContext(of, key, shape, operation, operation.service_model, "")
        spellings[key, shape] = list(dict.fromkeys(picker.get_possible_keys(context)))
    return next((of[name] for name in spellings[key, shape] if name in of), None)


clean = useragent.sanitize_user_agent_string_component
useragent.sanitize_user_agent_string_component = lru_cache(1_000)(clean)
responses.method_names_from_class = cache(responses.method_names_from_class)
Node.find_clauses = find_clauses
DepthFirstTraverser.traverse_node_recursively = traverse
# Nothing changes a parsed expression: `validate` changes a copy.
UpdateExpressionParser.make = lru_cache(1_000)(UpdateExpressionParser.make)
validators.deepcopy = lambda tree: tree if type(tree) is UpdateExpression else deepcopy(tree)
validators.UpdateExpressionValidator.validate = validate
ResponseSerializer.get_value = value_of
