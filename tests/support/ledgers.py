"""A ledger for one test, in moto's DynamoDB within this process."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.base_backend import BackendDict
from moto.core.models import botocore_stubber
from moto.dynamodb import dynamodb_backends
from moto.dynamodb.exceptions import DynamodbException, TransactionCanceledException
from moto.dynamodb.parsing.key_condition_expression import parse_expression

from localaws import caching
from localaws.dynamodb import dynamodb
from slipway import aws
from slipway.ledger.items import Items, Update
from slipway.ledger.ledger import VERSIONS, Ledger
from slipway.ledger.records import Recovery, ServiceRecord
from tests.support.asked import part_of
from tests.support.builders import REGION, deployment, execution

ITEM_BYTES = 400 * 1024
"""The size of an item that DynamoDB still takes."""
PARTITION_KEY_BYTES, SORT_KEY_BYTES = 2048, 1024
WRITE_UNIT_BYTES = 1024
_ALONE = threading.Lock()

caching.install()
dynamodb.install()


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """An empty ledger, whose table ``aws.table()`` returns; its own calls go past boto3, see `Directly`.

    The fixture does only that part of ``mock_aws`` that a test needs: it resets moto and puts it in the place
    of AWS. ``mock_aws`` also drops boto3's session, and to create the clients again takes longer than a test.
    """
    botocore_stubber.enabled = True
    known = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables.get("ledger")
    BackendDict.reset()
    if known is None:
        _create_table()
    else:
        known.items.clear()
        dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables["ledger"] = known
    yield Ledger(Directly())
    botocore_stubber.enabled = False


def _create_table() -> None:
    keys = [("pk", "HASH"), ("sk", "RANGE")]
    aws.table().meta.client.create_table(
        TableName="ledger",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n, _ in keys],
    )


def every_item() -> list[dict[str, Any]]:
    """All items of the ledger, of every service."""
    items: list[dict[str, Any]] = aws.table().scan()["Items"]
    return items


def lift_quarantine(table: Any, service: str, digest: str) -> None:
    """Lift a quarantine as a person does, at any time and without the claim of the service."""
    items, key = Items(table), (service, VERSIONS)
    record = ServiceRecord.model_validate({**items.get(key), "service": service})
    left = {name: why.to_json() for name, why in record.quarantined.items() if name != digest}
    items.update(Update.setting(key, {"quarantined": left, "writes": record.writes + 1}))


def recovery(attempt: int, by: str = "recovery") -> Recovery:
    """The recovery of a deployment of a release, by the execution of this name."""
    why, start = "its execution was stopped", part_of(deployment())
    return Recovery(attempt=attempt, execution=execution(f"{by}-{attempt}"), why=why, start=start)


def write_units(item: dict[str, Any]) -> int:
    """The write units that an update of this item costs. moto answers with the same number for every item."""
    return -(-bytes_of(item) // WRITE_UNIT_BYTES)


def bytes_of(item: dict[str, Any]) -> int:
    """The size of an item by the rule that AWS publishes."""
    return sum(len(name.encode()) + _bytes_of(value) for name, value in item.items())


def _bytes_of(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, dict):  # each member costs a byte more, and the whole three
        return 3 + len(value) + bytes_of(value)
    if isinstance(value, list):
        return 3 + len(value) + sum(map(_bytes_of, value))
    return 1 + -(-len(str(value)) // 2)  # a number: a byte for two digits, and one more


class Directly:
    """A table of moto's backend, called without boto3, which takes most of a call's time.

    moto evaluates expressions and conditions as it does behind a client, but nothing checks the shape of a
    request: tests/unit/ledger sends every request through a client.
    """

    name = "ledger"

    def __init__(self) -> None:
        self._moto = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION]
        self.meta = SimpleNamespace(client=self)

    def empty(self) -> None:
        """Delete every item."""
        self._moto.tables[self.name].items.clear()

    def get_item(self, *, Key: dict[str, str], ConsistentRead: bool = False) -> dict[str, Any]:  # noqa: N803
        with _call("GetItem"):
            item = self._moto.get_item(self.name, _typed(Key))
            return {"Item": item.to_regular_json()} if item else {}

    def query(self, **arguments: Any) -> dict[str, Any]:
        names, values = (arguments[f"ExpressionAttribute{part}"] for part in ("Names", "Values"))
        [(_, pk)], sk, _ = parse_expression(
            key_condition_expression=arguments["KeyConditionExpression"],
            expression_attribute_names=names,
            expression_attribute_values=_typed(values),
            schema=self._moto.get_schema(table_name=self.name, index_name=None),
        )
        [(_, comparison, compared)] = sk or [("sk", None, [])]
        start = arguments.get("ExclusiveStartKey")
        with _call("Query"):
            found, _, last = self._moto.query(
                self.name,
                pk,
                comparison,
                compared,
                limit=None,
                exclusive_start_key=_typed(start) if start else None,
                scan_index_forward=True,
                projection_expressions=None,
                expr_names=names,
                expr_values=_typed(values),
                filter_expression=arguments.get("FilterExpression"),
            )
            end = {name: value.value for name, value in last.items()} if last else None
            more = {"LastEvaluatedKey": end} if end else {}
            return {"Items": [item.to_regular_json() for item in found], **more}

    def update_item(self, **arguments: Any) -> None:
        with _call("UpdateItem"):
            self._moto.update_item(
                self.name,
                _typed(arguments["Key"]),
                arguments["UpdateExpression"],
                arguments["ExpressionAttributeNames"],
                _typed(arguments["ExpressionAttributeValues"]),
                condition_expression=arguments.get("ConditionExpression"),
            )

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]]) -> None:  # noqa: N803
        typed = ("Key", "ExpressionAttributeValues")
        with _call("TransactWriteItems"):
            self._moto.transact_write_items(
                [
                    {kind: {**u, **{name: _typed(u[name]) for name in typed if name in u}}}
                    for item in TransactItems
                    for kind, u in item.items()
                ]
            )


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    return {name: TypeSerializer().serialize(value) for name, value in values.items()}


@contextmanager
def _call(operation: str) -> Iterator[None]:
    """Call moto, one thread at a time: its conditional writes are not atomic. Raise boto3's errors."""
    try:
        with _ALONE:
            yield
    except DynamodbException as error:
        code = error.error_type.rpartition("#")[2]
        response: Any = {"Error": {"Code": code, "Message": error.message}}
        if isinstance(error, TransactionCanceledException):
            response |= json.loads(error.description)
        raise ClientError(response, operation) from error
