"""A ledger of one test: moto's DynamoDB in this process, through the functions' own table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto.core.base_backend import BackendDict
from moto.core.models import botocore_stubber

from slipway import aws
from slipway.ledger.ledger import Ledger


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """An empty one; ``aws.table()`` is its table.

    Of ``mock_aws`` this is what a test needs, moto empty and in place of AWS: the rest of it throws away
    boto3's session, and making the clients anew takes longer than the test.
    """
    botocore_stubber.enabled = True
    BackendDict.reset()
    keys = [("pk", "HASH"), ("sk", "RANGE")]
    aws.table().meta.client.create_table(
        TableName="ledger",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n, _ in keys],
    )
    yield Ledger(aws.table())
    botocore_stubber.enabled = False
