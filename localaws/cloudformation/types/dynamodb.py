"""DynamoDB tables in CloudFormation, and the table actions of DynamoDB's API.

moto creates tables from the properties that it knows and drops the others. In its API, UpdateTable
does not encrypt, a changed tag is added a second time, time to live takes any value, and unknown
parameters are ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import MockValidationException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table as DynamoTable
from moto.dynamodb.responses import DynamoHandler
from moto.kms.models import kms_backends
from typing_extensions import override

from localaws.cloudformation.engine.resource_type import (
    Naming,
    Properties,
    Resource,
    call,
    pick,
    update_tags,
)

_IGNORED = frozenset(
    {
        "DisassociationProtectionEnabled",
        "GlobalTableSettingsReplicationMode",
        "GlobalTableSourceArn",
        "GlobalTableWitnessUpdates",
        "MultiRegionConsistency",
        "OnDemandThroughput",
        "ReplicaUpdates",
        "ResourcePolicy",
        "TableClass",
        "VectorIndexUpdates",
        "VectorIndexes",
    }
)
"""Parameters of CreateTable and UpdateTable that moto ignores."""


class Table(Resource):
    """An on-demand table without secondary indexes. The physical id is the name."""

    type = "AWS::DynamoDB::Table"
    # Without secondary indexes only the keys have attribute definitions, so both change together.
    create_only = frozenset({"AttributeDefinitions", "KeySchema", "TableName"})
    properties = create_only | {
        "BillingMode",
        "DeletionProtectionEnabled",
        "PointInTimeRecoverySpecification",
        "SSESpecification",
        "Tags",
        "TimeToLiveSpecification",
    }
    attributes = frozenset({"Arn"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        _check_billing(properties)
        name = str(properties.get("TableName") or naming.unique(255))
        encryption = _encryption(properties)
        call(
            "dynamodb",
            "CreateTable",
            TableName=name,
            AttributeDefinitions=properties["AttributeDefinitions"],
            KeySchema=properties["KeySchema"],
            **pick(properties, "BillingMode", "DeletionProtectionEnabled", "Tags"),
            **({"SSESpecification": encryption} if encryption else {}),
        )
        return name

    @override
    def complete(self, physical_id: str, properties: Properties) -> None:
        self._set_time_to_live(physical_id, properties)
        self._set_recovery(physical_id, properties, {})

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        _check_billing(properties)
        protected = pick(properties, "DeletionProtectionEnabled")
        if protected != pick(previous, "DeletionProtectionEnabled"):
            # A call of its own: DynamoDB takes one kind of change at a time.
            protected = protected or {"DeletionProtectionEnabled": False}
            call("dynamodb", "UpdateTable", TableName=physical_id, **protected)
        if properties.get("SSESpecification") != previous.get("SSESpecification"):
            encryption = _encryption(properties) or {"Enabled": False}
            call("dynamodb", "UpdateTable", TableName=physical_id, SSESpecification=encryption)
        self._set_time_to_live(physical_id, properties)
        self._set_recovery(physical_id, properties, previous)
        arn = self.attribute(physical_id, "Arn")
        update_tags("dynamodb", properties, previous, ResourceArn=arn)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("dynamodb", "DeleteTable", TableName=physical_id)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return call("dynamodb", "DescribeTable", TableName=physical_id)["Table"]["TableArn"]

    def _set_time_to_live(self, name: str, properties: Properties) -> None:
        wanted = properties.get("TimeToLiveSpecification", {})
        enabled = str(wanted.get("Enabled", "false")).lower() == "true"
        described = call("dynamodb", "DescribeTimeToLive", TableName=name)
        now = described["TimeToLiveDescription"].get("AttributeName")
        if enabled == (now is not None) and now in (None, wanted.get("AttributeName")):
            return  # DynamoDB refuses a change that changes nothing
        if "AttributeName" not in wanted:  # also if the whole specification was removed
            raise ValueError(
                "AttributeName property of TimeToLiveSpecification is required when TTL status is "
                "enabled or while enabling/disabling TTL."
            )
        call("dynamodb", "UpdateTimeToLive", TableName=name, TimeToLiveSpecification=wanted)

    def _set_recovery(self, name: str, properties: Properties, previous: Properties) -> None:
        setting = "PointInTimeRecoverySpecification"
        if properties.get(setting) != previous.get(setting):
            wanted = properties.get(setting, {"PointInTimeRecoveryEnabled": False})
            call("dynamodb", "UpdateContinuousBackups", TableName=name, **{setting: wanted})


def _check_billing(properties: Properties) -> None:
    mode = properties.get("BillingMode", "PROVISIONED")
    if mode != "PAY_PER_REQUEST":
        raise NotImplementedError(f"{Table.type}: BillingMode {mode}")


def _encryption(properties: Properties) -> dict[str, Any]:
    """The API's form of the template's SSESpecification."""
    given = properties.get("SSESpecification", {})
    if "KMSMasterKeyId" in given and "SSEType" not in given:
        raise ValueError("SSESpecification has KMSMasterKeyId without SSEType")
    return {("Enabled" if name == "SSEEnabled" else name): value for name, value in given.items()}


# --- the API --------------------------------------------------------------------------------------


def _refusing(action: Callable[[DynamoHandler], ActionResult]) -> Any:
    @wraps(action)
    def refusing(self: DynamoHandler) -> ActionResult:
        if ignored := sorted(self.body.keys() & _IGNORED):
            raise NotImplementedError(f"DynamoDB: {', '.join(ignored)}")
        return action(self)

    return refusing


_create_table = DynamoDBBackend.create_table
_tag_resource = DynamoDBBackend.tag_resource
_delete_table = DynamoDBBackend.delete_table
_update_table = DynamoHandler.update_table


def _create_table_encrypted(self: DynamoDBBackend, name: str, **settings: Any) -> DynamoTable:
    wanted = settings.pop("sse_specification", None)
    table = _create_table(self, name, sse_specification=None, **settings)
    try:
        _encrypt(table, wanted)
    except MockValidationException:
        del self.tables[name]
        raise
    return table


def _update_table_encrypted(self: DynamoHandler) -> ActionResult:
    if "SSESpecification" in self.body:
        table = self.dynamodb_backend.get_table(self.body["TableName"])
        _encrypt(table, self.body["SSESpecification"])
    return _update_table(self)


def _encrypt(table: DynamoTable, wanted: dict[str, Any] | None) -> None:
    if not wanted or not wanted.get("Enabled"):
        table.sse_specification = None  # an AWS owned key, which DescribeTable does not show
        return
    if wanted.get("SSEType", "KMS") != "KMS":
        raise MockValidationException(f"SSEType {wanted['SSEType']} is not supported")
    key = wanted.get("KMSMasterKeyId") or table._get_default_encryption_key(
        table.account_id, table.region_name
    )
    try:
        arn = kms_backends[table.account_id][table.region_name].describe_key(key).arn
    except KeyError as error:
        raise MockValidationException(f"KMS key {key} does not exist") from error
    table.sse_specification = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": arn}


def _delete_table_unless_protected(self: DynamoDBBackend, name: str) -> DynamoTable:
    if self.get_table(name).deletion_protection_enabled:
        raise MockValidationException(
            "Resource cannot be deleted as it is currently protected against deletion. "
            "Disable deletion protection first."
        )
    return _delete_table(self, name)


def _retag_resource(self: DynamoDBBackend, arn: str, tags: dict[str, str]) -> None:
    self.untag_resource(arn, list(tags))
    _tag_resource(self, arn, tags)


def _update_time_to_live(self: DynamoDBBackend, table_name: str, ttl_spec: dict[str, Any]) -> None:
    table = self.get_table(table_name)
    now = table.ttl.get("AttributeName")
    if now is None and not ttl_spec["Enabled"]:
        raise MockValidationException("TimeToLive is already disabled")
    if now is not None and now != ttl_spec["AttributeName"]:
        raise MockValidationException(
            f"TimeToLive is active on a different AttributeName: current AttributeName is {now}"
        )
    if now is not None and ttl_spec["Enabled"]:
        raise MockValidationException("TimeToLive is already enabled")
    on = {"TimeToLiveStatus": "ENABLED", "AttributeName": ttl_spec["AttributeName"]}
    table.ttl = on if ttl_spec["Enabled"] else {"TimeToLiveStatus": "DISABLED"}


def _describe_time_to_live(self: DynamoDBBackend, table_name: str) -> dict[str, Any]:
    return dict(self.get_table(table_name).ttl)


def install() -> None:
    """Make the table actions follow their parameters, or refuse them."""
    DynamoDBBackend.create_table = _create_table_encrypted  # type: ignore[assignment, method-assign]
    DynamoDBBackend.delete_table = _delete_table_unless_protected  # type: ignore[method-assign]
    DynamoDBBackend.tag_resource = _retag_resource  # type: ignore[method-assign]
    DynamoDBBackend.update_time_to_live = _update_time_to_live  # type: ignore[method-assign]
    DynamoDBBackend.describe_time_to_live = _describe_time_to_live  # type: ignore[method-assign]
    DynamoHandler.create_table = _refusing(DynamoHandler.create_table)  # type: ignore[method-assign]
    DynamoHandler.update_table = _refusing(_update_table_encrypted)  # type: ignore[method-assign]
