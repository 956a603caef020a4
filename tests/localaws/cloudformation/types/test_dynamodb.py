"""AWS::DynamoDB::Table, seen through DynamoDB's API, and what of that API is mended for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localaws.server import LocalAws
from tests.support.localaws.dynamodb import Table, error_of, said
from tests.support.localaws.stacks import create, delete, finished, outputs, reasons, update

KEYS = {
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "S"},
    ],
    "KeySchema": [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ],
    "BillingMode": "PAY_PER_REQUEST",
}
EXPIRES = {"AttributeName": "expires_at", "Enabled": True}


def template(policies: dict[str, str] | None = None, **properties: Any) -> str:
    """A stack of one table; a property that is None is left out."""
    given = {name: value for name, value in {**KEYS, **properties}.items() if value is not None}
    table = {"Type": "AWS::DynamoDB::Table", "Properties": given, **(policies or {})}
    shown = {"Name": {"Value": {"Ref": "Table"}}, "Arn": {"Value": {"Fn::GetAtt": "Table.Arn"}}}
    return json.dumps({"Resources": {"Table": table}, "Outputs": shown})


class Seen:
    """A stack's table as DynamoDB describes it."""

    def __init__(self, aws: LocalAws, stack: dict[str, Any]) -> None:
        self.client = aws.client("dynamodb")
        self.name, self.arn = outputs(stack)["Name"], outputs(stack)["Arn"]

    def table(self) -> dict[str, Any]:
        described: dict[str, Any] = self.client.describe_table(TableName=self.name)["Table"]
        return described

    def time_to_live(self) -> dict[str, Any]:
        answer = self.client.describe_time_to_live(TableName=self.name)
        described: dict[str, Any] = answer["TimeToLiveDescription"]
        return described

    def recovery(self) -> tuple[str, int | None]:
        answer = self.client.describe_continuous_backups(TableName=self.name)
        described = answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        return described["PointInTimeRecoveryStatus"], described.get("RecoveryPeriodInDays")

    def tags(self) -> list[tuple[str, str]]:
        listed = self.client.list_tags_of_resource(ResourceArn=self.arn)["Tags"]
        return sorted((tag["Key"], tag["Value"]) for tag in listed)


def test_a_table_has_what_its_template_says(aws: LocalAws) -> None:
    stack = create(
        aws,
        template(
            DeletionProtectionEnabled="false",
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": "true"},
            SSESpecification={"SSEEnabled": True},
            Tags=[{"Key": "team", "Value": "a"}],
            TimeToLiveSpecification=EXPIRES,
        ),
    )
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    seen = Seen(aws, stack)
    described = seen.table()
    assert seen.name.startswith(f"{stack['StackName']}-Table-")
    assert described["TableArn"] == seen.arn
    assert (described["TableStatus"], described["ItemCount"]) == ("ACTIVE", 0)
    assert described["AttributeDefinitions"] == KEYS["AttributeDefinitions"]
    assert described["KeySchema"] == KEYS["KeySchema"]
    assert described["BillingModeSummary"] == {"BillingMode": "PAY_PER_REQUEST"}
    assert described["DeletionProtectionEnabled"] is False
    assert described["SSEDescription"]["Status"] == "ENABLED"
    assert seen.time_to_live() == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    assert seen.recovery() == ("ENABLED", 35)
    assert seen.tags() == [("team", "a")]
    delete(aws, stack)
    assert error_of(seen.table)["Error"]["Code"] == "ResourceNotFoundException"


def test_a_table_without_options_has_none_of_them(aws: LocalAws) -> None:
    seen = Seen(aws, create(aws, template(TableName="cfn-plain")))
    assert seen.name == "cfn-plain"
    assert seen.table()["DeletionProtectionEnabled"] is False
    assert "SSEDescription" not in seen.table()
    assert seen.time_to_live() == {"TimeToLiveStatus": "DISABLED"}
    assert seen.recovery() == ("DISABLED", None)
    assert seen.tags() == []


def test_the_options_of_a_table_change_in_place(aws: LocalAws) -> None:
    stack = create(aws, template(Tags=[{"Key": k, "Value": "1"} for k in ("kept", "gone")]))
    seen = Seen(aws, stack)
    seen.client.put_item(TableName=seen.name, Item={"pk": {"S": "p"}, "sk": {"S": "s"}})
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName="alias/ledger", TargetKeyId=key["KeyId"])
    encrypted = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": "alias/ledger"}
    recovered = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7}
    on = template(
        DeletionProtectionEnabled=True,
        PointInTimeRecoverySpecification=recovered,
        SSESpecification=encrypted,
        Tags=[{"Key": "kept", "Value": "2"}, {"Key": "new", "Value": "1"}],
        TimeToLiveSpecification=EXPIRES,
    )
    assert update(aws, stack, on)["StackStatus"] == "UPDATE_COMPLETE"
    assert seen.table()["DeletionProtectionEnabled"] is True
    assert seen.table()["SSEDescription"]["KMSMasterKeyArn"] == key["Arn"]
    assert seen.time_to_live() == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    assert seen.recovery() == ("ENABLED", 7)
    assert seen.tags() == [("kept", "2"), ("new", "1")]
    off = template(TimeToLiveSpecification={**EXPIRES, "Enabled": False})
    assert update(aws, stack, off)["StackStatus"] == "UPDATE_COMPLETE"
    assert seen.table()["DeletionProtectionEnabled"] is False
    assert "SSEDescription" not in seen.table()
    assert seen.time_to_live() == {"TimeToLiveStatus": "DISABLED"}
    assert seen.recovery() == ("DISABLED", None)
    assert seen.tags() == []
    assert seen.table()["ItemCount"] == 1


def test_other_keys_make_another_table(aws: LocalAws) -> None:
    stack = create(aws, template())
    first = Seen(aws, stack)
    keys = {name: KEYS[name][:1] for name in ("AttributeDefinitions", "KeySchema")}
    second = Seen(aws, update(aws, stack, template(**keys)))
    assert second.name != first.name
    assert second.table()["KeySchema"] == keys["KeySchema"]
    assert error_of(first.table)["Error"]["Code"] == "ResourceNotFoundException"


def test_a_protected_table_is_not_deleted(aws: LocalAws) -> None:
    stack = create(aws, template(DeletionProtectionEnabled=True))
    seen = Seen(aws, stack)
    delete(aws, stack)
    assert finished(aws, stack["StackId"])["StackStatus"] == "DELETE_FAILED"
    assert reasons(aws, stack)["Table"].endswith(
        "Resource cannot be deleted as it is currently protected against deletion. "
        "Disable deletion protection first."
    )
    seen.client.update_table(TableName=seen.name, DeletionProtectionEnabled=False)
    delete(aws, stack)
    assert error_of(seen.table)["Error"]["Code"] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("policy", "status"),
    [("RetainExceptOnCreate", "ROLLBACK_FAILED"), ("Retain", "ROLLBACK_COMPLETE")],
)
def test_a_failed_creation_of_the_stack_can_not_delete_a_protected_table(
    aws: LocalAws, policy: str, status: str
) -> None:
    broken = json.loads(template({"DeletionPolicy": policy}, DeletionProtectionEnabled=True))
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "not allowed"}}
    broken["Resources"]["Queue"] = {**queue, "DependsOn": "Table"}
    stack = create(aws, json.dumps(broken))
    assert stack["StackStatus"] == status
    events = aws.client("cloudformation").describe_stack_events(StackName=stack["StackId"])
    (name,) = {
        event["PhysicalResourceId"]
        for event in events["StackEvents"]
        if event["LogicalResourceId"] == "Table" and event["PhysicalResourceId"]
    }
    table = aws.client("dynamodb").describe_table(TableName=name)["Table"]
    assert (table["TableStatus"], table["DeletionProtectionEnabled"]) == ("ACTIVE", True)


def test_a_retained_table_survives_its_replacement_and_its_stack(aws: LocalAws) -> None:
    retain = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    stack = create(aws, template(retain))
    first = Seen(aws, stack)
    stack = update(aws, stack, template(retain, TableName="cfn-retained"))
    second = Seen(aws, stack)
    delete(aws, stack)
    assert finished(aws, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert first.table()["TableStatus"] == second.table()["TableStatus"] == "ACTIVE"
    assert second.name == "cfn-retained"


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"BillingMode": None}, "AWS::DynamoDB::Table: BillingMode PROVISIONED"),
        ({"BillingMode": "PROVISIONED"}, "AWS::DynamoDB::Table: BillingMode PROVISIONED"),
        ({"KeySchema": None}, "KeySchema is missing"),
        ({"TimeToLiveSpecification": {"Enabled": True}}, "AttributeName property of TimeToLive"),
        ({"SSESpecification": {"SSEEnabled": True, "SSEType": "AES256"}}, "SSEType AES256 is not"),
        ({"SSESpecification": {"SSEEnabled": True, "KMSMasterKeyId": "a"}}, "without SSEType"),
        (
            {"SSESpecification": {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": "no"}},
            "KMS key no does not exist",
        ),
        ({"PointInTimeRecoverySpecification": {"Days": 3}}, "has no Days"),
    ],
)
def test_a_table_that_cannot_be_made_leaves_nothing(
    aws: LocalAws, properties: dict[str, Any], reason: str
) -> None:
    stack = create(aws, template(TableName="cfn-refused", **properties))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reason in reasons(aws, stack)["Table"]
    assert "cfn-refused" not in aws.client("dynamodb").list_tables()["TableNames"]


@pytest.mark.parametrize("name", ["GlobalSecondaryIndexes", "StreamSpecification", "TableClass"])
def test_a_property_that_is_not_supported_is_refused(aws: LocalAws, name: str) -> None:
    error = error_of(lambda: create(aws, template(**{name: {}})))
    assert f"Table (AWS::DynamoDB::Table) has {name}" in said(error)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"AttributeName": "other", "Enabled": True}, "current AttributeName is expires_at"),
        (None, "AttributeName property of TimeToLiveSpecification is required"),
    ],
)
def test_time_to_live_is_disabled_before_it_becomes_another_or_goes(
    aws: LocalAws, changed: dict[str, Any] | None, reason: str
) -> None:
    stack = create(aws, template(TimeToLiveSpecification=EXPIRES))
    after = update(aws, stack, template(TimeToLiveSpecification=changed))
    assert after["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert reason in reasons(aws, stack)["Table"]
    assert Seen(aws, stack).time_to_live()["AttributeName"] == "expires_at"


@pytest.mark.parametrize("action", ["create_table", "update_table"])
def test_the_api_ignores_no_parameter_of_a_table(aws: LocalAws, action: str) -> None:
    table = Table(aws)
    keys = {**KEYS, "TableName": "api-new"} if action == "create_table" else {}
    asked = {"TableName": table.name, "TableClass": "STANDARD", **keys}
    error = error_of(lambda: getattr(table.client, action)(**asked))
    assert error["Error"]["Code"] == "NotImplemented"
    assert "DynamoDB: TableClass" in said(error)


def test_a_table_that_is_not_there_has_no_time_to_live(aws: LocalAws) -> None:
    client = aws.client("dynamodb")
    error = error_of(lambda: client.describe_time_to_live(TableName="api-none"))
    assert said(error) == "ResourceNotFoundException: Requested resource not found"


def test_time_to_live_is_enabled_and_disabled_once(aws: LocalAws) -> None:
    table = Table(aws)

    def refusal(enabled: bool) -> str:
        specification = {"Enabled": enabled, "AttributeName": "expires_at"}
        return said(
            error_of(
                lambda: table.client.update_time_to_live(
                    TableName=table.name, TimeToLiveSpecification=specification
                )
            )
        )

    assert refusal(enabled=False) == "ValidationException: TimeToLive is already disabled"
    table.client.update_time_to_live(TableName=table.name, TimeToLiveSpecification=EXPIRES)
    assert refusal(enabled=True) == "ValidationException: TimeToLive is already enabled"
