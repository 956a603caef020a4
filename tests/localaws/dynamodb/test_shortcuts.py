"""localaws/dynamodb/shortcuts.py answers as moto does, and shares nothing between two requests."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from moto.core.serialize import (
    BaseJSONSerializer,
    XFormedAttributePicker,
    get_serializer_class,
)
from moto.core.utils import get_service_model
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.parsing.expressions import UpdateExpressionParser
from moto.dynamodb.responses import DynamoResult

from localaws.dynamodb import dynamodb, shortcuts
from localaws.server import LocalAws
from tests.support.localaws.dynamodb import Table, number, said, text

dynamodb.install()

VALUES: list[dict[str, Any]] = [
    {"S": "ü"},
    {"N": "-1.5"},
    {"B": "eA=="},
    {"BOOL": False},
    {"NULL": True},
    {"SS": ["a", "b"]},
    {"NS": ["1", "2"]},
    {"BS": ["eA=="]},
    {"L": [{"M": {"ü": {"L": [{"S": "x"}, {"SS": ["y"]}]}}}, {"N": "1"}]},
    {"M": {}},
]


@pytest.fixture
def table(aws: LocalAws) -> Table:
    return Table(aws)


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_a_copied_value_is_equal_and_shares_nothing_with_the_first(value: dict[str, Any]) -> None:
    first = DynamoType(copy.deepcopy(value))
    copied = copy.deepcopy(first)
    assert copied == first
    assert repr(copied) == repr(first)
    if isinstance(first.value, (dict, list)):
        first.value.clear()
        assert copied == DynamoType(value)


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_a_value_has_the_size_that_moto_reckons(value: dict[str, Any]) -> None:
    assert DynamoType(value).size() == shortcuts._size(DynamoType(value))


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_a_value_as_json_is_the_one_that_moto_shows(value: dict[str, Any]) -> None:
    assert DynamoType(value).to_regular_json() == shortcuts._to_regular_json(DynamoType(value))


@pytest.mark.parametrize(
    "value", [*VALUES[:2], {"B": b"x"}, {"BS": [b"x"]}, *VALUES[3:7], *VALUES[8:]], ids=str
)
def test_an_answer_has_a_value_as_moto_serializes_it(
    value: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = get_service_model("dynamodb").operation_model("GetItem")

    def answered() -> Any:
        result = DynamoResult({"Item": {"a": DynamoType(copy.deepcopy(value))}}).result
        picker = XFormedAttributePicker(response_transformers=None)
        kind = get_serializer_class("dynamodb", "json")
        return json.loads(kind(operation, value_picker=picker).serialize(result)["body"])

    quick = answered()
    monkeypatch.setattr(
        BaseJSONSerializer, "_serialize_type_structure", shortcuts._serialize_type_structure
    )
    assert quick == answered()
    assert quick["Item"]["a"].keys() == value.keys()


def test_a_copied_item_keeps_its_keys_and_shares_no_attribute() -> None:
    first = Item(DynamoType({"S": "p"}), DynamoType({"S": "s"}), {"a": {"L": [{"S": "x"}]}})
    copied = copy.deepcopy(first)
    assert copied == first
    first.attrs["a"].value.clear()
    first.attrs["b"] = DynamoType({"S": "y"})
    assert copied == Item(copied.hash_key, copied.range_key, {"a": {"L": [{"S": "x"}]}})


def test_an_expression_is_parsed_once() -> None:
    assert UpdateExpressionParser.make("SET once = :x") is UpdateExpressionParser.make(
        "SET once = :x"
    )


def test_an_expression_means_the_same_at_its_second_use_on_other_items_and_values(
    table: Table,
) -> None:
    expression = "SET n = if_not_exists(n, :start) + :more, #l = list_append(#l, :one) REMOVE gone"
    for sk, start in (("a", 1), ("b", 10)):
        table.put(sk, l={"L": []}, gone=text("x"))
        for repeat in (1, 2):
            table.update(
                expression,
                sk=sk,
                ExpressionAttributeNames={"#l": "l"},
                ExpressionAttributeValues={
                    ":start": number(start),
                    ":more": number(1),
                    ":one": {"L": [text(sk)]},
                },
            )
            assert table.get(sk) == {"n": number(start + repeat), "l": {"L": [text(sk)] * repeat}}


def test_an_expression_can_be_used_with_names_that_make_it_right_after_names_that_did_not(
    table: Table,
) -> None:
    def names(second: str) -> dict[str, Any]:
        return {
            "ExpressionAttributeNames": {"#a": "a", "#b": second},
            "ExpressionAttributeValues": {":x": text("x")},
        }

    twice = "SET #a = :x, #b = :x"
    assert "Two document paths overlap" in said(table.error(twice, **names("a")))
    table.update(twice, **names("b"))
    assert table.get() == {"a": text("x"), "b": text("x")}
    assert "Two document paths overlap" in said(table.error(twice, **names("a")))


@pytest.mark.parametrize("clause", ["SET a = :x", "REMOVE a"])
def test_a_clause_that_stands_in_an_expression_twice_is_refused_however_often_it_is_sent(
    table: Table, clause: str
) -> None:
    twice = f"{clause} {clause.replace(' a', ' b')}"
    values = {"ExpressionAttributeValues": {":x": text("x")}} if ":x" in clause else {}
    for _ in range(2):
        assert "can only be used once" in said(table.error(twice, **values))


def test_a_query_finds_its_own_partition_alone_and_nothing_where_there_is_none(
    table: Table,
) -> None:
    for sk in ("b", "a"):
        table.put(sk)
    other = {"pk": text("other"), "sk": text("o")}
    table.client.put_item(TableName=table.name, Item=other)
    for partition, found in (("p", ["a", "b"]), ("other", ["o"]), ("none", [])):
        items = table.query("pk = :p", {":p": partition})["Items"]
        assert [item["sk"]["S"] for item in items] == found
    assert "none" not in str(table.client.scan(TableName=table.name)["Items"])


def test_a_query_of_a_table_without_a_sort_key_finds_its_one_item(aws: LocalAws) -> None:
    client = aws.client("dynamodb")
    client.create_table(
        TableName="one-key",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for name in ("a", "b"):
        client.put_item(TableName="one-key", Item={"id": text(name)})
    for name, found in (("b", [{"id": text("b")}]), ("none", [])):
        answer = client.query(
            TableName="one-key",
            KeyConditionExpression="id = :i",
            ExpressionAttributeValues={":i": text(name)},
        )
        assert answer["Items"] == found


def test_what_is_read_leaves_no_item_behind(table: Table) -> None:
    table.put("a")
    tracked = vars(Item)["instances_tracked"]
    before = len(tracked)
    for _ in range(3):
        table.get("a")
        table.query("pk = :p", {":p": "p"})
    assert len(tracked) == before
