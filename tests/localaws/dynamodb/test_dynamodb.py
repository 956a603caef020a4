"""What localaws/dynamodb/dynamodb.py mends, and what a ledger needs of moto besides."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from localaws.dynamodb import dynamodb
from localaws.server import LocalAws
from tests.support.localaws.dynamodb import Table, error_of, key, number, said, text

WRITERS = 8
ROUNDS = 20
# Long, so that evaluating it takes a while: between the read and the write, where moto can be wrong.
NOT_THERE = " AND ".join(["attribute_not_exists(id)"] * 50)
BAD_PATH = "The document path provided in the update expression is invalid for update"
X = {":x": text("x")}


@pytest.fixture
def table(aws: LocalAws) -> Table:
    return Table(aws)


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
def test_exactly_one_of_many_simultaneous_conditional_writes_wins(aws: LocalAws) -> None:
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


# --- updates --------------------------------------------------------------------------------------


def test_an_update_makes_the_item_that_is_missing(table: Table) -> None:
    made = table.update(
        "SET holder = :h, good = if_not_exists(good, :none)",
        "attribute_not_exists(holder)",
        ExpressionAttributeValues={":h": {"M": {"execution": text("e1")}}, ":none": {"L": []}},
        ReturnValues="ALL_NEW",
    )
    assert made["Attributes"] == {
        **key(),
        "holder": {"M": {"execution": text("e1")}},
        "good": {"L": []},
    }


def test_an_update_that_is_refused_shows_the_item_that_was_in_its_way(table: Table) -> None:
    table.put(holder={"M": {"execution": text("e1")}})
    values = {":e": text("e2"), ":l": text("later")}
    setting = "SET holder.lease_until = :l"
    condition = "attribute_not_exists(holder) OR holder.execution = :e"
    error = table.error(
        setting,
        condition,
        ExpressionAttributeValues=values,
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )
    assert said(error) == "ConditionalCheckFailedException: The conditional request failed"
    assert error["Item"] == {**key(), "holder": {"M": {"execution": text("e1")}}}
    table.update(setting, condition, ExpressionAttributeValues={**values, ":e": text("e1")})
    assert table.get() == {"holder": {"M": {"execution": text("e1"), "lease_until": text("later")}}}


def test_an_update_keeps_other_attributes_and_removes_those_that_it_names(table: Table) -> None:
    table.put(good=number(1), holder={"M": {"a": number(1), "b": number(2)}})
    expression = "SET good = if_not_exists(good, :none), spare = if_not_exists(spare, :none)"
    values = {":none": number(0)}
    table.update(f"{expression} REMOVE holder.a, nothing", ExpressionAttributeValues=values)
    assert table.get() == {
        "good": number(1),
        "spare": number(0),
        "holder": {"M": {"b": number(2)}},
    }


def test_an_update_that_fails_has_changed_nothing(table: Table) -> None:
    table.put(kind=text("a"))
    values = {**X, ":one": number(1)}
    error = table.error("SET spare = :x ADD kind :one", ExpressionAttributeValues=values)
    assert said(error).startswith("ValidationException: An operand in the update expression has")
    assert table.get() == {"kind": text("a")}
    table.error("SET spare = :x ADD pk.a :one", sk="new", ExpressionAttributeValues=values)
    assert table.get("new") is None


# --- limits ---------------------------------------------------------------------------------------

EMPTY = "The AttributeValue for a key attribute cannot contain an empty string value. Key: "
TOO_LONG_PK = "Size of hashkey has exceeded the maximum size limit of2048 bytes"
TOO_LONG_SK = "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"
KEYS = {
    "empty partition key": ({"pk": text(""), "sk": text("s")}, EMPTY + "pk"),
    "empty sort key": ({"pk": text("p"), "sk": text("")}, EMPTY + "sk"),
    "long partition key": ({"pk": text("ä" * 1024 + "p"), "sk": text("s")}, TOO_LONG_PK),
    "long sort key": ({"pk": text("p"), "sk": text("s" * 1025)}, TOO_LONG_SK),
}


@pytest.mark.parametrize(("wrong", "why"), KEYS.values(), ids=KEYS)
def test_a_key_that_is_empty_or_too_long_is_refused_by_every_call(
    table: Table, wrong: dict[str, Any], why: str
) -> None:
    client, name = table.client, {"TableName": table.name}
    update = {**name, "Key": wrong, "UpdateExpression": "REMOVE a"}
    both = {
        "KeyConditionExpression": "pk = :pk AND begins_with(sk, :sk)",
        "ExpressionAttributeValues": {":pk": wrong["pk"], ":sk": wrong["sk"]},
    }
    calls = {
        "get": lambda: client.get_item(**name, Key=wrong),
        "update": lambda: client.update_item(**update),
        "delete": lambda: client.delete_item(**name, Key=wrong),
        "transaction": lambda: client.transact_write_items(TransactItems=[{"Update": update}]),
        "query": lambda: client.query(**name, **both),
    }
    answers = {call: said(error_of(made)) for call, made in calls.items()}
    assert {call for call, answer in answers.items() if answer.endswith(why)} == calls.keys()


def filling(bytes_more: int) -> dict[str, Any]:
    """A value with which an item with this one attribute is this much larger than the largest one."""
    rest = len("pk" + "p" + "sk" + "s" + "a")
    return text("x" * (400 * 1024 + bytes_more - rest))


def test_an_item_is_refused_from_the_byte_that_is_one_too_many(table: Table) -> None:
    too_large = {"ExpressionAttributeValues": {":x": filling(1)}}
    for _ in range(2):  # also if the attribute is as large already
        table.update("SET a = :x", ExpressionAttributeValues={":x": filling(0)})
    assert "exceeded the maximum allowed size" in said(table.error("SET a = :x", **too_large))
    assert table.get() == {"a": filling(0)}
    put_one = {"TableName": table.name, "Item": {**key("new"), "a": text(filling(1)["S"])}}
    assert "maximum allowed size" in said(error_of(lambda: table.client.put_item(**put_one)))


def test_an_item_that_grows_within_an_attribute_is_refused_too(table: Table) -> None:
    table.put(steps={"M": {}})
    half = {"ExpressionAttributeValues": {":x": text("x" * 250_000)}}
    table.update("SET steps.a = :x", **half)
    assert "maximum allowed size" in said(table.error("SET steps.b = :x", **half))
    assert list(table.get()["steps"]["M"]) == ["a"]


# --- transactions ---------------------------------------------------------------------------------


def put(table: str, sk: str, **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": table, "Item": {**key(sk), "writer": text("me")}, **more}}


def setting(table: str, sk: str, path: str = "writer") -> dict[str, Any]:
    update = {"UpdateExpression": f"SET {path} = :x", "ExpressionAttributeValues": X}
    return {"Update": {"TableName": table, "Key": key(sk), **update}}


def transact(table: Table, *items: dict[str, Any], **more: Any) -> None:
    table.client.transact_write_items(TransactItems=list(items), **more)


def cancelled(table: Table, *items: dict[str, Any]) -> list[dict[str, Any]]:
    """The reasons of a transaction that is cancelled, after a look that it left nothing."""
    before = table.query("pk = :pk", {":pk": "p"})["Items"]
    error = error_of(lambda: transact(table, *items))
    assert error["Error"]["Code"] == "TransactionCanceledException"
    assert table.query("pk = :pk", {":pk": "p"})["Items"] == before
    return list(error["CancellationReasons"])


def test_a_transaction_writes_every_item(table: Table) -> None:
    table.put("old")
    table.put("gone")
    is_there = {"ConditionExpression": "attribute_exists(pk)"}
    transact(
        table,
        put(table.name, "new", ConditionExpression="attribute_not_exists(pk)"),
        setting(table.arn, "old"),
        setting(table.name, "made"),
        {"Delete": {"TableName": table.name, "Key": key("gone"), **is_there}},
    )
    assert table.get("new") == {"writer": text("me")}
    assert table.get("old") == table.get("made") == {"writer": text("x")}
    assert table.get("gone") is None


@pytest.mark.parametrize("named", ["name", "arn"])
def test_a_transaction_that_is_cancelled_writes_nothing_and_says_why_item_by_item(
    table: Table, named: str
) -> None:
    name = getattr(table, named)
    table.put("old", writer=text("you"))
    is_new = {"ConditionExpression": "attribute_not_exists(pk)"}
    show = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    is_there = {"ConditionExpression": "attribute_exists(pk)", **show}
    failed = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
    assert cancelled(
        table,
        setting(name, "new"),
        put(name, "old", **is_new, **show),
        {"ConditionCheck": {"TableName": name, "Key": key("other"), **is_new}},
        {"Delete": {"TableName": name, "Key": key("none"), **is_there}},
    ) == [
        {"Code": "None"},
        {**failed, "Item": {**key("old"), "writer": text("you")}},
        {"Code": "None"},
        failed,
    ]


def test_an_update_that_does_not_fit_the_stored_item_cancels_a_transaction(table: Table) -> None:
    table.put("old")
    reasons = cancelled(table, setting(table.name, "new"), setting(table.name, "old", "steps.a"))
    assert reasons == [{"Code": "None"}, {"Code": "ValidationError", "Message": BAD_PATH}]


def test_a_transaction_takes_an_item_once_however_its_table_is_named(table: Table) -> None:
    items = setting(table.name, "a"), put(table.arn, "a")
    error = said(error_of(lambda: transact(table, *items)))
    assert error.endswith("Transaction request cannot include multiple operations on one item")
    assert table.get("a") is None


def adding(table: Table, more: int) -> dict[str, Any]:
    values = {":n": number(more)}
    update = {"UpdateExpression": "ADD amount :n", "ExpressionAttributeValues": values}
    return {"Update": {"TableName": table.name, "Key": key(), **update}}


def test_a_transaction_that_comes_again_with_its_token_is_done_once(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    for token in (table.name, table.name, f"{table.name}-2"):
        transact(table, adding(table, 1), ClientRequestToken=token)
    assert table.get() == {"amount": number(2)}
    error = error_of(lambda: transact(table, adding(table, 2), ClientRequestToken=table.name))
    assert error["Error"]["Code"] == "IdempotentParameterMismatchException"
    monkeypatch.setattr(dynamodb, "TOKEN_SECONDS", 0)
    transact(table, adding(table, 2), ClientRequestToken=table.name)
    assert table.get() == {"amount": number(4)}


def test_the_token_of_a_transaction_that_was_cancelled_is_not_used_up(table: Table) -> None:
    update = adding(table, 1)
    update["Update"]["ConditionExpression"] = "attribute_exists(pk)"
    error = error_of(lambda: transact(table, update, ClientRequestToken=table.name))
    assert error["Error"]["Code"] == "TransactionCanceledException"
    table.put()
    transact(table, update, ClientRequestToken=table.name)
    assert table.get() == {"amount": number(1)}


# --- queries --------------------------------------------------------------------------------------


def test_a_query_goes_backwards_and_says_where_its_limit_ended_it(table: Table) -> None:
    for sk in ("a", "d#1", "d#2", "d#3"):
        table.put(sk, kind=text(sk[0]))

    def page(keys: str, values: dict[str, str], **more: Any) -> tuple[list[str], str | None]:
        answer = table.query(keys, {":pk": "p", **values}, ScanIndexForward=False, **more)
        last = answer.get("LastEvaluatedKey")
        return [item["sk"]["S"] for item in answer["Items"]], last and last["sk"]["S"]

    prefix = "pk = :pk AND begins_with(sk, :d)", {":d": "d#"}
    assert page(*prefix, Limit=2) == (["d#3", "d#2"], "d#2")
    rest = {"ExclusiveStartKey": key("d#2")}
    assert page(*prefix, Limit=2, **rest) == (["d#1"], None)
    # DynamoDB looks no further than its limit, so it does not know that there is nothing more.
    assert page("pk = :pk", {}, Limit=4) == (["d#3", "d#2", "d#1", "a"], "a")
    filtered = {"FilterExpression": "kind = :kind", "ProjectionExpression": "sk"}
    assert page("pk = :pk", {":kind": "d"}, Limit=4, **filtered) == (["d#3", "d#2", "d#1"], "a")
    assert page("pk = :pk", {}) == (["d#3", "d#2", "d#1", "a"], None)
