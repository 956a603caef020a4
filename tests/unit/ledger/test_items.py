"""Items of the table: what is written comes back, under conditions, and which errors there are."""

from __future__ import annotations

import pytest

from slipway import aws
from slipway.errors import AwsRefused, AwsUnavailable
from slipway.ledger.items import SCHEMA, Deletion, Items, NoLonger, Update
from tests.support.ledgers import ITEM_BYTES, Directly, bytes_of
from tests.support.stubs import stubbed

KEY = ("part", "1")
OTHER_KEY = ("part", "2")
THERE = "attribute_exists(#a)"


@pytest.fixture
def items(ledger):
    """Of an empty table."""
    return Items(aws.table())


@pytest.fixture
def dynamodb(request):
    """The table's client, which answers what the test says."""
    yield from stubbed(aws.table().meta.client, request)


def setting(key=KEY, condition="", **facts):
    return Update.setting(key, facts, condition)


def stored(key=KEY, **attributes):
    return {"pk": key[0], "sk": key[1], "schema": SCHEMA, **attributes}


def test_an_item_that_nobody_has_written_is_empty(items):
    assert items.get(KEY) == {}


@pytest.mark.parametrize(
    "value",
    ["text", "", 1_793_000_000, 0, True, False, None, [], {}, ["a", 1], {"b": {"c": [None, 2]}}],
)
def test_an_attribute_comes_back_as_plain_json(items, value):
    items.update(setting(a=value))

    (read,) = items.query("part", condition=THERE)

    assert read == items.get(KEY) == stored(a=value)
    assert type(read["a"]) is type(value)


def test_an_attribute_may_have_a_name_that_dynamodb_reserves(items):
    items.update(setting(name="n", status="s", condition="attribute_not_exists(#comment)"))

    assert items.get(KEY) == stored(name="n", status="s")


def test_a_later_update_leaves_the_other_attributes(items):
    items.update(setting(a=1, b=1))

    items.update(setting(b=2))

    assert items.get(KEY) == stored(a=1, b=2)


def test_an_attribute_inside_another_attribute_is_set_by_its_path(items):
    items.update(setting(steps={"One": 1}))

    items.update(Update.setting(KEY, {"steps.Two": 2, "a": 3}))

    assert items.get(KEY) == stored(steps={"One": 1, "Two": 2}, a=3)


def test_a_path_into_a_missing_attribute_is_refused(items):
    with pytest.raises(
        AwsRefused, match="dynamodb:UpdateItem on the ledger's item part 1: The doc"
    ):
        items.update(Update.setting(KEY, {"steps.Two": 2}))


def test_an_update_whose_condition_does_not_hold_changes_nothing(items):
    items.update(setting(a=1))

    with pytest.raises(NoLonger):
        items.update(setting(a=2, condition="attribute_not_exists(#a)"))

    assert items.get(KEY) == stored(a=1)


@pytest.mark.parametrize("expression", ["SET #a = :a", "REMOVE #b", "SET #a = :a REMOVE #b", ""])
def test_every_update_writes_the_number_of_the_schema(items, expression):
    values = {":a": 1} if ":a" in expression else {}

    items.update(Update(KEY, expression, "", values))

    assert items.get(KEY) == stored(**({"a": 1} if values else {}))


def test_an_update_of_a_newer_schemas_item_leaves_what_it_does_not_know(items):
    aws.table().put_item(Item=stored(schema=2, unknown={"b": 1}))

    items.update(setting(a=1))

    assert items.get(KEY) == stored(unknown={"b": 1}, a=1)


def test_an_update_that_removes_an_attribute_leaves_the_others(items):
    items.update(setting(a=1, b=2))

    items.update(Update(KEY, "REMOVE #a", "#b = :b", {":b": 2}))

    assert items.get(KEY) == stored(b=2)


def test_a_transaction_checks_an_item_that_it_does_not_change(items):
    items.update(setting(a=1))

    with pytest.raises(NoLonger):
        items.update_all([Update(KEY, "", "#a = :a", {":a": 2}), setting(OTHER_KEY, a=1)])
    items.update_all([Update(KEY, "", "#a = :a", {":a": 1}), setting(OTHER_KEY, a=3)])

    assert items.query("part") == [stored(a=1), stored(OTHER_KEY, a=3)]


def test_several_items_are_changed_together(items):
    items.update_all([setting(a=1), setting(OTHER_KEY, a=2)])

    assert items.query("part", condition=THERE) == [stored(a=1), stored(OTHER_KEY, a=2)]


@pytest.mark.parametrize("conditions", [("", THERE), (THERE, ""), (THERE, THERE)])
def test_a_transaction_changes_no_item_where_one_condition_does_not_hold(items, conditions):
    first, second = conditions

    with pytest.raises(NoLonger):
        items.update_all([setting(a=1, condition=first), setting(OTHER_KEY, second, a=2)])

    assert items.query("part", condition=THERE) == []


def test_a_query_finds_what_its_condition_holds_for_in_the_order_of_the_keys(items):
    for sk, a in (("3", 1), ("1", 2), ("2", 1)):
        items.update(setting(("part", sk), a=a))
    items.update(setting(("other part", "4"), a=1))

    found = items.query("part", condition="#a = :a", values={":a": 1})

    assert [item["sk"] for item in found] == ["2", "3"]


def test_a_query_finds_the_items_whose_keys_begin_with_its_prefix(items):
    for sk in ("state", "state#1", "state#2", "step#1"):
        items.update(setting(("part", sk), a=sk[-1]))
    items.update(setting(("other part", "state#3"), a="1"))

    found = items.query("part", "state#")
    which = items.query("part", "state#", "#a = :a", {":a": "2"})

    assert [item["sk"] for item in found] == ["state#1", "state#2"]
    assert [item["sk"] for item in which] == ["state#2"]


def test_a_query_without_a_prefix_and_a_condition_finds_the_whole_partition(items):
    for sk in "21":
        items.update(setting(("part", sk), a=1))

    assert items.query("part") == [stored(a=1), stored(OTHER_KEY, a=1)]


def test_a_query_of_a_partition_that_nobody_has_written_finds_nothing(items):
    assert items.query("part", condition=THERE) == []


def test_a_query_goes_on_where_its_items_do_not_fit_into_one_answer(items):
    for sk in "1234":
        items.update(setting(("part", sk), a="x" * 390_000))

    # DynamoDB answers with 1 MB at most, of what it has read, whether the condition held or not.
    assert [item["sk"] for item in items.query("part", condition=THERE)] == list("1234")
    assert items.query("part", condition="attribute_exists(#b)") == []


def test_a_query_past_boto3_finds_what_a_query_through_boto3_finds(items):
    for sk in ("a#1", "a#2", "a#3", "a#4", "b#1"):
        items.update(setting(("part", sk), a="x" * 390_000, b={"c": sk == "a#2"}))
    directly = Items(Directly())

    for asked in [("part",), ("part", "a#"), ("part", "a#", "#b.#c = :c", {":c": False}), ("p",)]:
        assert directly.query(*asked) == items.query(*asked)


def test_every_page_of_a_query_begins_where_the_page_before_ended(dynamodb):
    asked = {
        "TableName": "ledger",
        "KeyConditionExpression": "#pk = :pk",
        "FilterExpression": "#a = :a",
        "ExpressionAttributeNames": {"#pk": "pk", "#a": "a"},
        "ExpressionAttributeValues": {":pk": "part", ":a": 1},
        "ConsistentRead": True,
    }
    end = {"pk": {"S": "part"}, "sk": {"S": "1"}}
    dynamodb.answers("query", {"Items": [], "LastEvaluatedKey": end}, **asked)
    after = {"ExclusiveStartKey": {"pk": "part", "sk": "1"}}
    one = {"pk": {"S": "part"}, "sk": {"S": "2"}, "schema": {"N": "1"}, "a": {"N": "1"}}
    dynamodb.answers("query", {"Items": [one]}, **after, **asked)

    found = Items(aws.table()).query("part", condition="#a = :a", values={":a": 1})

    assert found == [stored(OTHER_KEY, a=1)]


CALLS = {
    "get_item": (lambda items: items.get(KEY), "GetItem on the ledger's item part 1"),
    "query": (lambda items: items.query("part"), "Query on the ledger's items part"),
    "update_item": (
        lambda items: items.update(setting(a=1)),
        "UpdateItem on the ledger's item part 1",
    ),
    "transact_write_items": (
        lambda items: items.update_all([setting(a=1), setting(OTHER_KEY, a=1)]),
        "TransactWriteItems on the ledger's items part 1 and part 2",
    ),
}


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ProvisionedThroughputExceededException", 400, AwsUnavailable),
        ("ThrottlingException", 400, AwsUnavailable),
        ("InternalServerError", 500, AwsUnavailable),
        ("AccessDeniedException", 400, AwsRefused),
        ("ResourceNotFoundException", 400, AwsRefused),
    ],
)
def test_an_error_says_which_action_on_which_item(dynamodb, operation, code, status, kind):
    call, what = CALLS[operation]
    dynamodb.refuses(operation, code, "no", status)

    with pytest.raises(kind) as raised:
        call(Items(aws.table()))

    assert str(raised.value) == f"{code} from dynamodb:{what}: no"


def test_an_update_that_conflicts_with_a_transaction_is_worth_another_try(dynamodb):
    dynamodb.refuses("update_item", "TransactionConflictException")

    with pytest.raises(AwsUnavailable):
        Items(aws.table()).update(setting(a=1))


@pytest.mark.parametrize(
    ("reasons", "kind"),
    [
        ((None, "ConditionalCheckFailed"), NoLonger),
        (("ConditionalCheckFailed", None), NoLonger),
        ((None, "TransactionConflict"), AwsUnavailable),
        (("TransactionConflict", None), AwsUnavailable),
        (("ThrottlingError", None), AwsUnavailable),
        ((None, "ProvisionedThroughputExceeded"), AwsUnavailable),
        # whether the condition will hold after the other one is not known yet
        (("ConditionalCheckFailed", "TransactionConflict"), AwsUnavailable),
        (("ValidationError", None), AwsRefused),
        (("ItemCollectionSizeLimitExceeded", None), AwsRefused),
    ],
)
def test_the_reasons_of_a_cancelled_transaction_decide_which_error_it_is(dynamodb, reasons, kind):
    dynamodb.refuses(
        "transact_write_items",
        "TransactionCanceledException",
        "Transaction cancelled",
        CancellationReasons=[{"Code": code or "None"} for code in reasons],
    )

    with pytest.raises(kind):
        Items(aws.table()).update_all([setting(a=1), setting(OTHER_KEY, a=1)])


# --- limits ---------------------------------------------------------------------------------------


def filling(bytes_more):
    """An attribute that makes an item this much larger than the largest one."""
    more = ITEM_BYTES + bytes_more - bytes_of(stored(a=""))
    return {"a": "ä" * (more // 2) + "x" * (more % 2)}


@pytest.mark.parametrize(
    "write", [Items.update, lambda items, update: items.update_all([update])], ids=["one", "all"]
)
def test_an_item_that_would_become_too_large_is_refused_and_stays_as_it_was(items, write):
    items.update(setting(b=1))

    with pytest.raises(AwsRefused, match=r"on the ledger's items? part 1: "):
        write(items, setting(**filling(1)))

    assert items.get(KEY) == stored(b=1)


@pytest.mark.parametrize("key", [("", "1"), ("part", "")], ids=["partition key", "sort key"])
def test_an_empty_key_is_refused(items, key):
    with pytest.raises(AwsRefused, match="key attribute cannot contain an empty string value"):
        items.get(key)
    with pytest.raises(AwsRefused, match="key attribute cannot contain an empty string value"):
        items.update_all([setting(key, a=1)])


@pytest.mark.parametrize(
    "write", [Items.update, lambda items, update: items.update_all([update])], ids=["one", "all"]
)
@pytest.mark.parametrize(
    ("longest", "too_long"),
    [
        (("p" * 2048, "1"), ("p" * 2049, "1")),
        (("ä" * 1024, "1"), ("ä" * 1024 + "p", "1")),
        (("part", "s" * 1024), ("part", "s" * 1025)),
    ],
    ids=["partition key", "partition key with umlauts", "sort key"],
)
def test_a_key_is_refused_from_the_byte_that_is_one_too_many(items, write, longest, too_long):
    write(items, setting(longest, a=1))

    with pytest.raises(AwsRefused, match=r"exceeded the (maximum )?size limit"):
        write(items, setting(too_long, a=1))


def test_an_item_is_deleted_with_the_others_or_not_at_all(items):
    items.update_all([setting(a=1), setting(OTHER_KEY, a=1)])

    with pytest.raises(NoLonger):
        items.update_all([Deletion(KEY), Update(OTHER_KEY, "", "#a = :a", {":a": 2})])
    assert items.get(KEY) == stored(a=1)
    items.update_all([Deletion(KEY), Deletion(("part", "3")), setting(OTHER_KEY, a=2)])

    assert (items.get(KEY), items.get(OTHER_KEY)) == ({}, stored(OTHER_KEY, a=2))
