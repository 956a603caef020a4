"""What localaws/dynamodb.py mends."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from localaws.server import LocalAws

WRITERS = 8
ROUNDS = 20
# Long, so that evaluating it takes a while: between the read and the write, where moto can be wrong.
NOT_THERE = " AND ".join(["attribute_not_exists(id)"] * 50)


@pytest.fixture
def threads_take_turns_often() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def _takes(aws: LocalAws, lock: str) -> bool:
    dynamodb = aws.client("dynamodb")
    try:
        dynamodb.put_item(
            TableName="locks", Item={"id": {"S": lock}}, ConditionExpression=NOT_THERE
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return False
    return True


@pytest.mark.usefixtures("threads_take_turns_often")
def test_of_many_conditional_writes_at_once_exactly_one_wins(aws: LocalAws) -> None:
    aws.client("dynamodb").create_table(
        TableName="locks",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with ThreadPoolExecutor(WRITERS) as writers:
        for round_number in range(ROUNDS):
            tries = [writers.submit(_takes, aws, f"lock {round_number}") for _ in range(WRITERS)]
            assert sum(each.result() for each in tries) == 1
