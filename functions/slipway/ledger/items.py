"""Reads and writes the items of a DynamoDB table as JSON values; writes can have conditions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from slipway.aws import calling, cancellation_codes, error_code
from slipway.errors import AwsRefused

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

Key = tuple[str, str]
"""The partition key (pk) and the sort key (sk) of an item."""

SCHEMA = 1
"""The number of the schema in which this version of Slipway writes items. Every write sets it, so that a
later
version can tell what an earlier one has written. Reading ignores what it does not know and needs no
number."""


class NoLonger(Exception):  # noqa: N818 - not an error: a caller expects that a condition may not hold
    """The condition of a write does not hold, so nothing was written."""


class Update:
    """The change of one item, as UpdateItem and TransactWriteItems take it.

    In an expression or a condition, every ``#name`` stands for the attribute of that name. DynamoDB refuses
    its reserved words as names of attributes, and this way no name is ever taken for one.
    """

    def __init__(
        self, key: Key, expression: str, condition: str, values: Mapping[str, Any]
    ) -> None:
        self.key = key
        more = expression.removeprefix("SET ")
        joined = ", " if more != expression else " "
        expression = f"SET #schema = :schema{joined}{more}"
        self.arguments: dict[str, Any] = {
            "Key": {"pk": key[0], "sk": key[1]},
            "UpdateExpression": expression,
            "ExpressionAttributeNames": _names(expression, condition),
            "ExpressionAttributeValues": {":schema": SCHEMA, **values},
        }
        if condition:
            self.arguments["ConditionExpression"] = condition

    @classmethod
    def setting(
        cls,
        key: Key,
        facts: Mapping[str, Any],
        condition: str = "",
        values: Mapping[str, Any] | None = None,
        removing: Sequence[str] = (),
    ) -> Update:
        """A change that sets attributes, given by their paths, such as ``steps.UpdateService``.

        Args:
            values: the values of the condition.
            removing: the names of attributes that it removes.
        """
        paths = [f"#{path.replace('.', '.#')}" for path in facts]
        expression = ", ".join(f"{path} = :{index}" for index, path in enumerate(paths))
        settings = {f":{index}": value for index, value in enumerate(facts.values())}
        if removing:
            expression += f" REMOVE {', '.join(f'#{name}' for name in removing)}"
        return cls(key, f"SET {expression}", condition, {**settings, **(values or {})})


class Deletion:
    """The deletion of one item, as TransactWriteItems takes it; nothing if there is no such item."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.arguments: dict[str, Any] = {"Key": {"pk": key[0], "sk": key[1]}}


class Items:
    """The items of one table.

    Every method raises AwsUnavailable if DynamoDB does not answer or throttles, and AwsRefused if it refuses.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, key: Key) -> dict[str, Any]:
        """The item, read consistently: every earlier write is in it. Empty if there is no such item."""
        with calling("dynamodb:GetItem", f"the ledger's item {' '.join(key)}"):
            found = self._table.get_item(Key={"pk": key[0], "sk": key[1]}, ConsistentRead=True)
        return _plain(found.get("Item", {}))

    def query(
        self,
        pk: str,
        prefix: str = "",
        condition: str = "",
        values: Mapping[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """The items of a partition, read consistently, in the order of sk.

        Args:
            prefix: only items whose sk begins with this.
            condition: only items for which it holds; empty for all.
        """
        keys = "#pk = :pk AND begins_with(#sk, :prefix)" if prefix else "#pk = :pk"
        arguments: dict[str, Any] = {
            "KeyConditionExpression": keys,
            "ExpressionAttributeNames": _names(keys, condition),
            "ExpressionAttributeValues": {
                ":pk": pk,
                **({":prefix": prefix} if prefix else {}),
                **(values or {}),
            },
            "ConsistentRead": True,
        }
        if condition:
            arguments["FilterExpression"] = condition
        items: list[dict[str, Any]] = []
        more: dict[str, Any] = {}
        while True:
            with calling("dynamodb:Query", f"the ledger's items {pk}"):
                page = self._table.query(**arguments, **more)
            items += [_plain(item) for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return items
            more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def update(self, update: Update) -> None:
        """Change one item; it is created if it does not exist.

        Raises:
            NoLonger: the condition does not hold.
        """
        try:
            with calling("dynamodb:UpdateItem", f"the ledger's item {' '.join(update.key)}"):
                self._table.update_item(**update.arguments)
        except AwsRefused as refused:
            if error_code(refused.__cause__) == "ConditionalCheckFailedException":
                raise NoLonger from None
            raise

    def update_all(self, updates: Sequence[Update | Deletion]) -> None:
        """Change or delete several items in one transaction, all or none.

        Raises:
            NoLonger: at least one of the conditions does not hold.
        """
        items: Any = [
            {
                "Delete" if isinstance(u, Deletion) else "Update": {
                    "TableName": self._table.name,
                    **u.arguments,
                }
            }
            for u in updates
        ]
        of = " and ".join(" ".join(update.key) for update in updates)
        try:
            with calling("dynamodb:TransactWriteItems", f"the ledger's items {of}"):
                self._table.meta.client.transact_write_items(TransactItems=items)
        except AwsRefused as refused:
            if "ConditionalCheckFailed" in cancellation_codes(refused.__cause__):
                raise NoLonger from None
            raise


def _names(*expressions: str) -> dict[str, str]:
    return {f"#{name}": name for text in expressions for name in re.findall(r"#(\w+)", text)}


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """The item as JSON values.

    boto3 returns numbers as Decimal, and the ledger writes only whole ones. Of what it never writes, such as
    a set, a description remains, which then is not valid where it stands.
    """
    plain: dict[str, Any] = json.loads(json.dumps(item, default=_json))
    return plain


def _json(value: Any) -> int | str:
    whole = isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value()
    return int(value) if whole else repr(value)
