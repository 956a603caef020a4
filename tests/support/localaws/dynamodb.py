"""A table for each test, and DynamoDB's answers to calls on it."""

from __future__ import annotations

import uuid
from typing import Any

from botocore.exceptions import ClientError

from localaws.server import LocalAws

Values = dict[str, Any]


class Table:
    """A table with a partition key and a sort key, like the ledger."""

    def __init__(self, aws: LocalAws) -> None:
        self.client = aws.client("dynamodb")
        self.name = f"table-{uuid.uuid4().hex[:8]}"
        described = self.client.create_table(
            TableName=self.name,
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")
            ],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        self.arn = described["TableDescription"]["TableArn"]

    def put(self, sk: str = "s", **attributes: Any) -> None:
        self.client.put_item(TableName=self.name, Item={**key(sk), **attributes})

    def get(self, sk: str = "s") -> Values | None:
        """The item without its key; None if there is no item."""
        found = self.client.get_item(TableName=self.name, Key=key(sk), ConsistentRead=True)
        item = found.get("Item")
        return item and {name: value for name, value in item.items() if name not in ("pk", "sk")}

    def update(self, expression: str, condition: str = "", sk: str = "s", **more: Any) -> Values:
        """Update an item; return the answer of the call."""
        conditional = {"ConditionExpression": condition} if condition else {}
        answer: Values = self.client.update_item(
            TableName=self.name,
            Key=key(sk),
            UpdateExpression=expression,
            **conditional,
            **more,
        )
        return answer

    def error(self, expression: str, condition: str = "", sk: str = "s", **more: Any) -> Values:
        """DynamoDB's answer to an update that it must refuse."""
        return error_of(lambda: self.update(expression, condition, sk, **more))

    def holds(self, condition: str, **values: Values) -> bool:
        """Whether the item meets a condition; the value ``x`` replaces the placeholder ``:x``."""
        given = {f":{name}": value for name, value in values.items()}
        more = {"ExpressionAttributeValues": given} if given else {}
        try:
            self.update("REMOVE nothing", condition, **more)
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def query(self, keys: str, values: dict[str, str], **more: Any) -> Values:
        answer: Values = self.client.query(
            TableName=self.name,
            KeyConditionExpression=keys,
            ExpressionAttributeValues={name: text(value) for name, value in values.items()},
            **more,
        )
        return answer


def key(sk: str = "s") -> Values:
    return {"pk": text("p"), "sk": text(sk)}


def text(value: str) -> Values:
    return {"S": value}


def number(value: int) -> Values:
    return {"N": str(value)}


def error_of(call: Any) -> Values:
    try:
        call()
    except ClientError as error:
        answer: Any = error.response
        return dict(answer)
    raise AssertionError("it was not refused")


def said(answer: Values) -> str:
    """The code and the message of an error."""
    return f"{answer['Error']['Code']}: {answer['Error']['Message']}"
