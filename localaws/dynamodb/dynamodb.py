"""DynamoDB with atomic writes, as a lock or a ledger in a table needs them.

moto reads the item, evaluates the condition and writes in three steps, while its server runs requests
in threads: two writers with the condition "attribute_not_exists" can both succeed. Here one lock
serializes all actions. Beyond that:

- An update is applied completely or not at all.
- So is a transaction, also if it names a table by its ARN. Errors that depend on the item (its size, a
  path) are cancellation reasons, internal errors of moto are not, and a ClientRequestToken is
  idempotent.
- An item of more than 400 KB is refused however it has grown.
- A query that ends at its limit returns LastEvaluatedKey, even after the last item, as DynamoDB does.

Expressions are in dynamodb/expressions.py, tables in cloudformation/types/dynamodb.py, and what saves
time is in dynamodb/shortcuts.py.
"""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from moto.core.responses import ActionResult
from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.exceptions import (
    ERROR_TYPE_PREFIX,
    AttributeDoesNotExist,
    DynamodbException,
    IncorrectDataType,
    InvalidUpdateExpressionInvalidDocumentPath,
    ItemSizeTooLarge,
    ItemSizeToUpdateTooLarge,
    MultipleTransactionsException,
    TooManyTransactionsException,
    TransactionCanceledException,
    TransactWriteSingleOpException,
    ValidationException,
)
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from localaws import clock
from localaws.dynamodb import expressions, shortcuts

ITEM_BYTES = 400 * 1024
TOKEN_SECONDS = 600
"""The seconds for which the token of a transaction is remembered."""

# Errors that depend on the item. In a transaction they are reasons of its cancellation.
_ITEM_ERRORS = (
    AttributeDoesNotExist,
    IncorrectDataType,
    InvalidUpdateExpressionInvalidDocumentPath,
    ItemSizeTooLarge,
    ItemSizeToUpdateTooLarge,
    ValidationException,  # for a number out of range
)

_Key = tuple[DynamoType, DynamoType | None]
_Undo = dict[tuple[str, _Key], Callable[[], None]]
"""By table and key: the function that restores an item."""
_Reason = tuple[str | None, str | None, dict[str, Any] | None]
"""The cancellation reason of an item: code, message and item. All are None if it has none."""


class _IdempotentParameterMismatchError(DynamodbException):
    def __init__(self) -> None:
        super().__init__(
            f"{ERROR_TYPE_PREFIX}IdempotentParameterMismatchException",
            "DynamoDB rejected the request because you retried a request with a different payload "
            "but with an idempotent token that was already used.",
        )


# --- atomic writes -----------------------------------------------------------------------


def _put_back(table: Table, key: _Key) -> Callable[[], None]:
    """A function that restores an item to its present state."""
    before = copy.deepcopy(table.get_item(*key))

    def put_back() -> None:
        place: Any
        place, name = (table.items[key[0]], key[1]) if key[1] else (table.items, key[0])
        if before is None:
            place.pop(name, None)
        else:
            place[name] = before

    return put_back


def item_bytes(item: Item) -> int:
    """The size of an item as AWS reckons it: a list or map costs 3 bytes, and each of its members one."""
    return item.size() + sum(map(_overhead, item.attrs.values()))


def _fitting(item: Item) -> Item:
    if item_bytes(item) > ITEM_BYTES:
        raise ItemSizeToUpdateTooLarge
    return item


def _overhead(value: DynamoType) -> int:
    if value.type not in ("L", "M"):
        return 0
    members = value.value.values() if value.type == "M" else value.value
    return 3 + len(members) + sum(map(_overhead, members))


_put_item = Table.put_item


def _put_item_if_it_fits(self: Table, item_attrs: dict[str, Any], *args: Any, **more: Any) -> Item:
    fits = Item(DynamoType({"S": ""}), None, item_attrs)
    if item_bytes(fits) > ITEM_BYTES:
        raise ItemSizeTooLarge
    return _put_item(self, item_attrs, *args, **more)


_update_item = DynamoDBBackend.update_item


def _update_item_or_nothing(
    self: DynamoDBBackend, table_name: str, key: dict[str, Any], *args: Any, **kwargs: Any
) -> Item:
    table = self.get_table(table_name)
    put_back = _put_back(table, self.get_keys_value(table, key))
    try:
        return _fitting(_update_item(self, table_name, key, *args, **kwargs))
    except Exception:
        put_back()
        raise


def _transact_write_items(self: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
    if len(transact_items) > 100:
        raise TooManyTransactionsException
    undo: _Undo = {}
    try:
        _write_all(self, transact_items, undo)
    except Exception:
        for put_back in undo.values():
            put_back()
        raise


def _write_all(self: DynamoDBBackend, entries: list[dict[str, Any]], undo: _Undo) -> None:
    reasons: list[_Reason] = []
    for entry in entries:
        if len(entry) != 1:
            raise TransactWriteSingleOpException
        [(kind, request)] = entry.items()
        table = self.get_table(request["TableName"])
        if table.stream_shard:
            raise NotImplementedError("DynamoDB: a transaction on a table with a stream")
        given = request.get("Key") or request["Item"]
        key = {name: given[name] for name in table.table_key_attrs if name in given}
        at = table.name, self.get_keys_value(table, key)
        if at in undo:
            raise MultipleTransactionsException
        undo[at] = _put_back(table, at[1])
        reasons.append(_write(self, table, kind, key, request))
    if any(code for code, _, _ in reasons):
        raise TransactionCanceledException(reasons)


def _write(
    self: DynamoDBBackend, table: Table, kind: str, key: dict[str, Any], request: dict[str, Any]
) -> _Reason:
    names = request.get("ExpressionAttributeNames", {})
    values = request.get("ExpressionAttributeValues", {})
    condition = get_filter_expression(request.get("ConditionExpression"), names, values)
    item = self.get_item(table.name, key)
    if not condition.expr(item):
        shown = item and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        attributes = item.to_json()["Attributes"] if item and shown else None
        return "ConditionalCheckFailed", "The conditional request failed", attributes
    try:
        if kind == "Put":
            self.put_item(table.name, request["Item"])
        elif kind == "Delete":
            self.delete_item(table.name, key)
        elif kind == "Update":
            self.update_item(table.name, key, request["UpdateExpression"], names, values)
    except _ITEM_ERRORS as error:
        return "ValidationError", error.message, None
    return None, None, None


def _once_per_token(
    action: Callable[[DynamoHandler], ActionResult],
) -> Callable[[DynamoHandler], ActionResult]:
    @wraps(action)
    def once(self: DynamoHandler) -> ActionResult:
        token, request = self.body.get("ClientRequestToken"), json.dumps(self.body, sort_keys=True)
        # Kept in moto's backend, whose reset deletes them.
        done: dict[str, Any] = vars(self.dynamodb_backend).setdefault("transactions_done", {})
        for old in [t for t, (at, _) in done.items() if clock.monotonic() - at >= TOKEN_SECONDS]:
            del done[old]
        if token in done:
            if done[token][1] != request:
                raise _IdempotentParameterMismatchError
            return ActionResult({})
        answer = action(self)
        if token:
            done[token] = clock.monotonic(), request
        return answer

    return once


# --- reads ----------------------------------------------------------------------------------------

_query = Table.query


def _query_to_the_limit(
    self: Table,
    hash_key: DynamoType | None,
    range_comparison: str | None,
    range_objs: list[DynamoType],
    limit: int,
    start: dict[str, Any],
    forward: bool,
    projection: list[list[str]] | None,
    index: str | None = None,
    consistent: bool = False,
    condition: Any = None,
    **more: Any,
) -> tuple[list[Item], int, dict[str, Any] | None]:
    keys = hash_key, range_comparison, range_objs
    table = self if index or hash_key is None else shortcuts.only_partition(self, hash_key)
    found, scanned, last = _query(
        table, *keys, limit, start, forward, None, index, consistent, None, **more
    )
    if last is None and found and scanned == limit:
        last = self._get_last_evaluated_key(found[-1], index)
    found = [item for item in found if condition is None or condition.expr(item)]
    return [item.project(projection) if projection else item for item in found], scanned, last


# --- installation ---------------------------------------------------------------------------------


@cache
def install() -> None:
    """Serialize DynamoDB's actions, and make each of them atomic."""
    lock = threading.RLock()
    call_action = DynamoHandler.call_action

    def call_action_alone(self: DynamoHandler) -> Any:
        with lock:
            return call_action(self)

    DynamoHandler.call_action = call_action_alone  # type: ignore[method-assign]
    # moto adds the new size of an attribute to its old one, and does not count what is set inside of one.
    LimitedSizeDict.__setitem__ = dict.__setitem__  # type: ignore[method-assign]
    Table.put_item = _put_item_if_it_fits  # type: ignore[method-assign]
    DynamoDBBackend.update_item = _update_item_or_nothing  # type: ignore[method-assign]
    DynamoDBBackend.transact_write_items = _transact_write_items  # type: ignore[method-assign]
    once = _once_per_token(DynamoHandler.transact_write_items)
    DynamoHandler.transact_write_items = once  # type: ignore[assignment, method-assign]
    Table.query = _query_to_the_limit  # type: ignore[assignment, method-assign]
    expressions.install()
    shortcuts.install()
