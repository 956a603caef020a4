"""What localaws/dynamodb/expressions.py refuses, and how it judges and updates items."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.server import LocalAws
from tests.support.localaws.dynamodb import Table, error_of, key, number, said, text

BAD_PATH = "The document path provided in the update expression is invalid for update"
X = {":x": text("x")}
NO_SUCH_NAME = (
    "An expression attribute name used in the document path is not defined; attribute name: #no"
)
NO_SUCH_VALUE = (
    "An expression attribute value used in expression is not defined; attribute value: :no"
)
RESERVED = "Attribute name is a reserved keyword; reserved keyword: status"


@pytest.fixture
def table(aws: LocalAws) -> Table:
    return Table(aws)


EXPRESSIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("update_item", "UpdateExpression", {"UpdateExpression": "SET {0} = {1}"}),
    (
        "update_item",
        "ConditionExpression",
        {"UpdateExpression": "REMOVE a", "ConditionExpression": "a.{0} = {1}"},
    ),
    ("put_item", "ConditionExpression", {"ConditionExpression": "{0} = {1}"}),
    ("delete_item", "ConditionExpression", {"ConditionExpression": "{0} = {1}"}),
    ("query", "KeyConditionExpression", {"KeyConditionExpression": "pk = {1} AND {0} = {1}"}),
    (
        "query",
        "FilterExpression",
        {"KeyConditionExpression": "pk = :x", "FilterExpression": "size({0}) = {1}"},
    ),
]


def refusal(table: Table, call: str, expressions: dict[str, str], **more: Any) -> str:
    items = {"put_item": {"Item": key()}, "query": {}}
    request = {"TableName": table.name, **items.get(call, {"Key": key()}), **expressions, **more}
    in_transaction = {"put_item": "Put", "update_item": "Update", "delete_item": "Delete"}
    refused = said(error_of(lambda: getattr(table.client, call)(**request)))
    if call in in_transaction:
        items_ = [{in_transaction[call]: request}]
        again = error_of(lambda: table.client.transact_write_items(TransactItems=items_))
        assert said(again) == refused
    return refused


@pytest.mark.parametrize(("call", "kind", "expressions"), EXPRESSIONS)
@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [("#no", ":x", NO_SUCH_NAME), ("b", ":no", NO_SUCH_VALUE), ("status", ":x", RESERVED)],
)
def test_a_name_or_value_that_is_not_given_and_a_reserved_word_are_refused(
    table: Table,
    call: str,
    kind: str,
    expressions: dict[str, str],
    name: str,
    value: str,
    reason: str,
) -> None:
    filled = {field: written.format(name, value) for field, written in expressions.items()}
    refused = refusal(table, call, filled, ExpressionAttributeValues=X)
    assert refused == f"ValidationException: Invalid {kind}: {reason}"


@pytest.mark.parametrize(("call", "kind", "expressions"), EXPRESSIONS)
def test_a_name_or_value_that_no_expression_uses_is_refused(
    table: Table, call: str, kind: str, expressions: dict[str, str]
) -> None:
    filled = {field: written.format("b", ":x") for field, written in expressions.items()}
    values = {**X, ":more": text("y")}
    assert refusal(table, call, filled, ExpressionAttributeValues=values) == (
        "ValidationException: Value provided in ExpressionAttributeValues unused in expressions: "
        "keys: {:more}"
    )
    names = {"#more": "y"}
    more: dict[str, Any] = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": X}
    assert refusal(table, call, filled, **more).endswith("unused in expressions: keys: {#more}")
    more["ExpressionAttributeNames"] = {}
    assert refusal(table, call, filled, **more).endswith("Names must not be empty")


@pytest.mark.parametrize(
    "wrong",
    [{"pk": text("p")}, {"pk": text("p"), "sk": number(1)}, {**key(), "more": text("x")}],
    ids=["half", "type", "more"],
)
def test_a_key_that_is_not_the_tables_is_refused(table: Table, wrong: dict[str, Any]) -> None:
    for call in ("get_item", "delete_item", "update_item"):
        ask = getattr(table.client, call)
        more = {"UpdateExpression": "REMOVE a"} if call == "update_item" else {}
        error = error_of(lambda: ask(TableName=table.name, Key=wrong, **more))  # noqa: B023
        assert said(error) == (
            "ValidationException: The provided key element does not match the schema"
        )


def test_expressions_have_any_white_space(table: Table) -> None:
    table.put(a=text("x"))
    condition = "attribute_exists(a)\n\tAND  (attribute_not_exists(b)\nOR b = :x)"
    table.update("SET\n a = :y", condition, ExpressionAttributeValues={**X, ":y": text("y")})
    assert table.get() == {"a": text("y")}


ITEM = {
    "moment": text("2026-01-01T00:00:00.000000Z"),
    "one": number(1),
    "yes": {"BOOL": True},
    "blank": {"NULL": True},
    "tree": {"M": {"n": number(2)}},
}


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        ("moment < :v", text("2026-01-01T00:00:00.000001Z"), True),
        ("moment <= :v", text("2026-01-01T00:00:00.000000Z"), True),
        ("moment > :v", text("2025-12-31T23:59:59.999999Z"), True),
        ("moment < :v", text("2026-01-01T00:00:00.000000Z"), False),
        ("moment BETWEEN :v AND :v", text("2026-01-01T00:00:00.000000Z"), True),
        ("moment < :v", number(3), False),  # texts and numbers have no order
        ("moment >= :v", number(3), False),
        ("moment BETWEEN :v AND :v", number(3), False),
        ("yes = :v", number(1), False),  # to Python, 1 and True are the same
        ("yes IN (:v)", number(1), False),
        ("yes <> :v", number(1), True),
        ("one IN (:v)", number(1), True),
        ("tree.n = :v", number(2), True),
        ("tree.n.x = :v", number(2), False),
        ("nothing = :v", {"NULL": True}, False),  # what is not there is not null either
        ("blank = :v", {"NULL": True}, True),
        ("nothing <> :v", text("x"), True),
        ("nothing < :v", text("x"), False),
        ("size(nothing) < :v", number(9), False),
        ("size(moment) = :v", number(27), True),
    ],
)
def test_values_are_compared_by_their_types(
    table: Table, condition: str, value: dict[str, Any], holds: bool
) -> None:
    table.put(**ITEM)
    assert table.holds(condition, v=value) is holds
    values = {":pk": text("p"), ":v": value}
    found = table.client.query(
        TableName=table.name,
        KeyConditionExpression="pk = :pk",
        FilterExpression=condition,
        ExpressionAttributeValues=values,
    )
    assert found["Count"] == holds


def test_two_missing_attributes_are_not_equal(table: Table) -> None:
    table.put(**ITEM)
    assert not table.holds("nothing = nowhere")
    assert table.holds("NOT nothing = nowhere")


def test_truth_has_no_order(table: Table) -> None:
    table.put(**ITEM)
    values = {":yes": {"BOOL": True}}
    error = table.error("REMOVE a", "yes < :yes", ExpressionAttributeValues=values)
    assert said(error) == (
        "ValidationException: Invalid ConditionExpression: Incorrect operand type for operator or "
        "function; operator or function: <, operand type: BOOL"
    )


@pytest.mark.parametrize("path", ["nothing.a", "leaf.a", "tree.nothing.a", "things.a"])
def test_a_path_through_an_attribute_that_is_no_map_is_refused(table: Table, path: str) -> None:
    item = {"leaf": text("x"), "tree": {"M": {}}, "things": {"L": [text("x")]}}
    table.put(**item)
    error = table.error(f"SET spare = :x, {path} = :x", ExpressionAttributeValues=X)
    assert said(error) == f"ValidationException: {BAD_PATH}"
    assert table.get() == item


def test_a_removal_from_an_attribute_that_is_no_map_is_refused(table: Table) -> None:
    table.put(leaf=text("x"))
    assert said(table.error("REMOVE leaf.a")) == f"ValidationException: {BAD_PATH}"


def test_an_update_reads_the_item_as_it_was_and_copies_what_it_copies(table: Table) -> None:
    table.put(a={"M": {"n": number(1)}})
    values = {":n": number(2)}
    table.update("SET a.n = :n, b = a", ExpressionAttributeValues=values)
    assert table.get() == {"a": {"M": {"n": number(2)}}, "b": {"M": {"n": number(1)}}}
    table.update("SET c = a")
    table.update("SET c.n = :n", ExpressionAttributeValues={":n": number(3)})
    assert table.get() == {
        "a": {"M": {"n": number(2)}},
        "b": {"M": {"n": number(1)}},
        "c": {"M": {"n": number(3)}},
    }
