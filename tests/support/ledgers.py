"""A ledger of one test: moto's DynamoDB in this process, through the functions' own table."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from slipway import aws
from slipway.ledger.ledger import Ledger


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """An empty one; ``aws.table()`` is its table."""
    with mock_aws():
        aws.table.cache_clear()
        keys = [("pk", "HASH"), ("sk", "RANGE")]
        boto3.client("dynamodb").create_table(
            TableName="ledger",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n, _ in keys],
        )
        yield Ledger(aws.table())
    aws.table.cache_clear()
