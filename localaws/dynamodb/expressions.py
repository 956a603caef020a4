"""DynamoDB's expressions, and the errors in them that AWS finds and moto does not.

- Undefined and unused names and values and reserved words are refused in every kind of expression. A
  key has to match the key schema of the table.
- Values of different types are not equal, and neither is less than the other. The same holds for
  missing attributes.
- An update computes from the item before the update, and copies values. A path through something that
  is neither a map nor a list is refused.
"""

from __future__ import annotations

import copy
import operator
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.dynamodb import comparisons
from moto.dynamodb.exceptions import (
    HashKeyTooLong,
    InvalidConditionExpression,
    InvalidUpdateExpressionInvalidDocumentPath,
    MockValidationException,
    ProvidedKeyDoesNotExist,
    RangeKeyTooLong,
)
from moto.dynamodb.limits import HASH_KEY_MAX_LENGTH, RANGE_KEY_MAX_LENGTH
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing.key_condition_expression import parse_expression
from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords
from moto.dynamodb.parsing.validators import ExpressionAttributeResolvingProcessor
from moto.dynamodb.responses import DynamoHandler

_EXPRESSIONS = ("Condition", "Filter", "KeyCondition", "Projection", "Update")
_WORD = re.compile(r"([#:]?\w+)(\s*\()?")  # a name; a function if a parenthesis follows
_KEYWORDS = {"ADD", "AND", "BETWEEN", "DELETE", "IN", "NOT", "OR", "REMOVE", "SET"}
_RESERVED = frozenset(ReservedKeywords.get_reserved_keywords()) - _KEYWORDS
_ACTIONS = (
    *("delete_item", "get_item", "put_item", "query", "scan"),
    *("transact_get_items", "transact_write_items", "update_item"),
)


# --- errors of a request, independent of any item -----------------------------------------


def _checked(action: Callable[[DynamoHandler], Any]) -> Callable[[DynamoHandler], Any]:
    @wraps(action)
    def checked(self: DynamoHandler) -> Any:
        entries = self.body.get("TransactItems")
        each = [self.body] if entries is None else [r for e in entries for r in e.values()]
        for request in each:
            _check_expressions(request)
            if "Key" in request:
                _check_key(self.dynamodb_backend.get_table(request["TableName"]), request["Key"])
        if "KeyConditionExpression" in self.body:
            table = self.dynamodb_backend.get_table(self.body["TableName"])
            _check_key_condition(table, self.body)
        return action(self)

    return checked


def _check_key(table: Table, key: dict[str, Any]) -> None:
    wanted = {table.hash_key_attr: table.hash_key_type}
    if table.range_key_attr:
        wanted[table.range_key_attr] = str(table.range_key_type)
    if {name: next(iter(value)) for name, value in key.items()} != wanted:
        raise ProvidedKeyDoesNotExist
    for name, value in key.items():
        _check_key_value(table, name, value)


def _check_key_value(table: Table, name: str, value: dict[str, Any]) -> None:
    """Refuse what moto refuses in some writes only: an empty value, and one that is too long."""
    [(kind, content)] = value.items()
    if content == "" and kind != "N":
        what = "string" if kind == "S" else "binary"
        raise MockValidationException(
            "One or more parameter values are not valid. The AttributeValue for a key attribute "
            f"cannot contain an empty {what} value. Key: {name}"
        )
    size = DynamoType(value).size()
    if name == table.hash_key_attr and size > HASH_KEY_MAX_LENGTH:
        raise HashKeyTooLong
    if name == table.range_key_attr and size > RANGE_KEY_MAX_LENGTH:
        raise RangeKeyTooLong


def _check_key_condition(table: Table, request: dict[str, Any]) -> None:
    """Refuse the same in the condition of a query; of an index, moto's own checks have to do."""
    if "KeyConditionExpression" not in request or request.get("IndexName"):
        return
    pk, sk, _ = parse_expression(
        key_condition_expression=request["KeyConditionExpression"],
        expression_attribute_names=request.get("ExpressionAttributeNames", {}),
        expression_attribute_values=request.get("ExpressionAttributeValues", {}),
        schema=table.schema,
    )
    for name, value in pk:
        _check_key_value(table, name, value)
    for name, _, values in sk:
        for value in values:
            _check_key_value(table, name, value)


def _check_expressions(request: dict[str, Any]) -> None:
    names = request.get("ExpressionAttributeNames", {})
    values = request.get("ExpressionAttributeValues", {})
    used = set()
    for kind in (f"{kind}Expression" for kind in _EXPRESSIONS):
        if not request.get(kind):
            continue
        request[kind] = " ".join(request[kind].split())  # moto fails on a line break
        for word, function in _WORD.findall(request[kind]):
            used.add(word)
            if word.startswith(":") and word not in values:
                what = "value used in expression is not defined; attribute value"
                raise MockValidationException(
                    f"Invalid {kind}: An expression attribute {what}: {word}"
                )
            if word.startswith("#") and word not in names:
                what = "name used in the document path is not defined; attribute name"
                raise MockValidationException(
                    f"Invalid {kind}: An expression attribute {what}: {word}"
                )
            if word.upper() in _RESERVED and not function:
                raise MockValidationException(
                    f"Invalid {kind}: Attribute name is a reserved keyword; reserved keyword: {word}"
                )
    for field in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
        if request.get(field) == {}:
            raise MockValidationException(f"{field} must not be empty")
        if unused := sorted(request.get(field, {}).keys() - used):
            raise MockValidationException(
                f"Value provided in {field} unused in expressions: keys: {{{', '.join(unused)}}}"
            )


# --- conditions -----------------------------------------------------------------------------------


def _kind(operand: Any, item: Item | None) -> str | None:
    """The type of an operand's value; None if the item lacks it."""
    if isinstance(operand, comparisons.FuncSize):
        return "N" if operand.attr.get_type(item) else None
    kind: str | None = operand.get_type(item)
    return kind


def _comparing(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Item | None], bool]:
    def expr(self: Any, item: Item | None) -> bool:
        kind = _kind(self.lhs, item)
        if kind is None or kind != _kind(self.rhs, item):
            return False
        if compare is not operator.eq and kind not in ("B", "N", "S"):
            what = f"operator or function: {self.OP}, operand type: {kind}"
            raise InvalidConditionExpression(
                f"Incorrect operand type for operator or function; {what}"
            )
        return compare(self.lhs.expr(item), self.rhs.expr(item))

    return expr


def _differs(self: comparisons.OpNotEqual, item: Item | None) -> bool:
    return not comparisons.OpEqual(self.lhs, self.rhs).expr(item)


def _is_one_of(self: comparisons.FuncIn, item: Item | None) -> bool:
    return any(comparisons.OpEqual(self.attr, one).expr(item) for one in self.possible_values)


def _is_between(self: comparisons.FuncBetween, item: Item | None) -> bool:
    above = comparisons.OpLessThanOrEqual(self.start, self.attr).expr(item)
    return above and comparisons.OpLessThanOrEqual(self.attr, self.end).expr(item)


def _install_comparisons() -> None:
    for kind, compare in {
        comparisons.OpEqual: operator.eq,
        comparisons.OpLessThan: operator.lt,
        comparisons.OpLessThanOrEqual: operator.le,
        comparisons.OpGreaterThan: operator.gt,
        comparisons.OpGreaterThanOrEqual: operator.ge,
    }.items():
        kind.expr = _comparing(compare)  # type: ignore[assignment, method-assign]
    comparisons.OpNotEqual.expr = _differs  # type: ignore[method-assign]
    comparisons.FuncIn.expr = _is_one_of  # type: ignore[method-assign]
    comparisons.FuncBetween.expr = _is_between  # type: ignore[method-assign]


# --- updates --------------------------------------------------------------------------------------

_resolve_expression_path = ExpressionAttributeResolvingProcessor.resolve_expression_path
_set_item = DynamoType.__setitem__
_pop = DynamoType.pop


def _resolve_to_a_copy(self: ExpressionAttributeResolvingProcessor, node: Any) -> Any:
    return copy.deepcopy(_resolve_expression_path(self, node))


def _set_where_it_fits(self: DynamoType, key: Any, value: Any) -> None:
    _check_holds(self, key)
    _set_item(self, key, value)


def _pop_where_it_fits(self: DynamoType, key: Any, *default: Any) -> None:
    _check_holds(self, key)
    _pop(self, key, *default)


def _check_holds(parent: DynamoType, key: Any) -> None:
    if not (parent.is_list() if isinstance(key, int) else parent.is_map()):
        raise InvalidUpdateExpressionInvalidDocumentPath


def install() -> None:
    """Check every request, and evaluate conditions and updates as AWS does."""
    for name in _ACTIONS:
        setattr(DynamoHandler, name, _checked(getattr(DynamoHandler, name)))
    _install_comparisons()
    ExpressionAttributeResolvingProcessor.resolve_expression_path = _resolve_to_a_copy  # type: ignore[method-assign]
    DynamoType.__setitem__ = _set_where_it_fits  # type: ignore[method-assign]
    DynamoType.pop = _pop_where_it_fits  # type: ignore[method-assign]
