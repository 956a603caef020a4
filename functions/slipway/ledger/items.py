"""DynamoDB's items: reading and writing them as plain values, under conditions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from slipway.aws import calling, cancellation_codes, error_code
from slipway.errors import AwsRefused

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

Key = tuple[str, str]
"""pk and sk."""


class NoLonger(Exception):  # noqa: N818 - no error: a condition did not hold
    """What a write was conditional on is not so."""


class Update:
    """One item's change.

    Every ``#name`` in an expression or a condition stands for the attribute of that name, so that none
    of them can be one of DynamoDB's reserved words.
    """

    def __init__(
        self, key: Key, expression: str, condition: str, values: Mapping[str, Any]
    ) -> None:
        self.key = key
        self.arguments: dict[str, Any] = {
            "Key": {"pk": key[0], "sk": key[1]},
            "UpdateExpression": expression,
            "ExpressionAttributeNames": _names(expression, condition),
            "ExpressionAttributeValues": dict(values),
        }
        if condition:
            self.arguments["ConditionExpression"] = condition

    @classmethod
    def setting(cls, key: Key, facts: Mapping[str, Any], condition: str = "") -> Update:
        """Sets attributes by their paths (``steps.UpdateService``)."""
        paths = [f"#{path.replace('.', '.#')}" for path in facts]
        expression = ", ".join(f"{path} = :{index}" for index, path in enumerate(paths))
        values = {f":{index}": value for index, value in enumerate(facts.values())}
        return cls(key, f"SET {expression}", condition, values)


class Items:
    """The items of a table.

    Every method raises AwsUnavailable or AwsRefused where DynamoDB does not answer or says no.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, key: Key) -> dict[str, Any]:
        """The item as it is after every write before; empty where there is none."""
        with calling("dynamodb:GetItem", f"the ledger's item {' '.join(key)}"):
            found = self._table.get_item(Key={"pk": key[0], "sk": key[1]}, ConsistentRead=True)
        return _plain(found.get("Item", {}))

    def query(self, pk: str, condition: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The items of a partition for which the condition holds, in the order of their sk."""
        items: list[dict[str, Any]] = []
        more: dict[str, Any] = {}
        while True:
            with calling("dynamodb:Query", f"the ledger's items {pk}"):
                page = self._table.query(
                    KeyConditionExpression="#pk = :pk",
                    FilterExpression=condition,
                    ExpressionAttributeNames=_names("#pk", condition),
                    ExpressionAttributeValues={":pk": pk, **values},
                    ConsistentRead=True,
                    **more,
                )
            items += [_plain(item) for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return items
            more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def update(self, update: Update) -> None:
        """Change one item, or make it.

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

    def update_all(self, updates: Sequence[Update]) -> None:
        """Change several items, all or none.

        Raises:
            NoLonger: one of the conditions does not hold.
        """
        items: Any = [{"Update": {"TableName": self._table.name, **u.arguments}} for u in updates]
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
    """The item as JSON has it; the table's numbers are Decimals, and all of ours are whole."""
    plain: dict[str, Any] = json.loads(json.dumps(item, default=int))
    return plain
