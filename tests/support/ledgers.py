"""A ledger for one test, in moto's DynamoDB within this process."""

from __future__ import annotations

import json
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

from localaws import caching
from slipway import aws
from slipway.ledger.ledger import Ledger
from tests.support.builders import REGION

caching.install()


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
        """Delete every item. moto copies the whole table in every transaction."""
        self._moto.tables[self.name].items.clear()

    def get_item(self, *, Key: dict[str, str], ConsistentRead: bool = False) -> dict[str, Any]:  # noqa: N803
        item = self._moto.get_item(self.name, _typed(Key))
        return {"Item": item.to_regular_json()} if item else {}

    def query(self, **arguments: Any) -> Any:
        return aws.table().query(**arguments)

    def update_item(self, **arguments: Any) -> None:
        with _refusals("UpdateItem"):
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
        updates = [item["Update"] for item in TransactItems]
        with _refusals("TransactWriteItems"):
            self._moto.transact_write_items(
                [{"Update": {**u, **{name: _typed(u[name]) for name in typed}}} for u in updates]
            )


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    return {name: TypeSerializer().serialize(value) for name, value in values.items()}


@contextmanager
def _refusals(operation: str) -> Iterator[None]:
    try:
        yield
    except DynamodbException as error:
        code = error.error_type.rpartition("#")[2]
        response: Any = {"Error": {"Code": code, "Message": error.message}}
        if isinstance(error, TransactionCanceledException):
            response |= json.loads(error.description)
        raise ClientError(response, operation) from error
