"""KMS in CloudFormation.

moto's CloudFormation ignores half of a key's properties and deletes keys at once. Its KMS accepts a
policy that nobody could change again, and invalid waiting periods.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.kms.models import Key as KmsKey
from moto.kms.models import KmsBackend
from typing_extensions import override

from localaws.aws import ACCOUNT, listed
from localaws.cloudformation.engine.resource_type import (
    Naming,
    Properties,
    Resource,
    call,
    changed_tags,
    pick,
    tag_map,
)

DEFAULT_POLICY = {
    "Version": "2012-10-17",
    "Id": "key-default-1",
    "Statement": [
        {
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "kms:*",
            "Resource": "*",
        }
    ],
}


class Key(Resource):
    """A symmetric key. The physical id is the id of the key."""

    type = "AWS::KMS::Key"
    properties = frozenset(
        {"Description", "EnableKeyRotation", "KeyPolicy", "PendingWindowInDays", "Tags"}
    )
    attributes = frozenset({"Arn", "KeyId"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        made = pick(properties, "Description")
        made["Policy"] = properties.get("KeyPolicy", DEFAULT_POLICY)
        created = call("kms", "CreateKey", Tags=_tags(tag_map(properties)), **made)
        return str(created["KeyMetadata"]["KeyId"])

    @override
    def complete(self, physical_id: str, properties: Properties) -> None:
        self._set_rotation(physical_id, properties)

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        key = {"KeyId": physical_id}
        if properties.get("Description", "") != previous.get("Description", ""):
            description = properties.get("Description", "")
            call("kms", "UpdateKeyDescription", **key, Description=description)
        if properties.get("KeyPolicy") != previous.get("KeyPolicy"):
            policy = properties.get("KeyPolicy", DEFAULT_POLICY)
            call("kms", "PutKeyPolicy", **key, PolicyName="default", Policy=policy)
        self._set_rotation(physical_id, properties)
        tags, gone = changed_tags(properties, previous)
        if tags:
            call("kms", "TagResource", **key, Tags=_tags(tags))
        if gone:
            call("kms", "UntagResource", **key, TagKeys=gone)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        if self._described(physical_id)["KeyState"] != "PendingDeletion":
            window = pick(properties, "PendingWindowInDays")
            call("kms", "ScheduleKeyDeletion", KeyId=physical_id, **window)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return self._described(physical_id)[name]

    def _described(self, key: str) -> dict[str, Any]:
        metadata: dict[str, Any] = call("kms", "DescribeKey", KeyId=key)["KeyMetadata"]
        return metadata

    def _set_rotation(self, key: str, properties: Properties) -> None:
        rotated = str(properties.get("EnableKeyRotation", False)).lower() == "true"
        call("kms", "EnableKeyRotation" if rotated else "DisableKeyRotation", KeyId=key)


class Alias(Resource):
    """An alias of a key. The physical id is the alias."""

    type = "AWS::KMS::Alias"
    properties = frozenset({"AliasName", "TargetKeyId"})
    create_only = frozenset({"AliasName"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        call("kms", "CreateAlias", **properties)
        return str(properties["AliasName"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        call("kms", "UpdateAlias", **properties)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("kms", "DeleteAlias", AliasName=physical_id)


def _tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"TagKey": key, "TagValue": value} for key, value in tags.items()]


def install() -> None:
    """Make KMS refuse what AWS refuses."""
    create: Any = KmsBackend.create_key
    put_policy = KmsBackend.put_key_policy
    schedule_deletion = KmsBackend.schedule_key_deletion

    def create_checked(self: KmsBackend, policy: str | None, *others: Any, **named: Any) -> KmsKey:
        if policy:
            _check_policy(policy)
        made: KmsKey = create(self, policy, *others, **named)
        return made

    def put_checked_policy(self: KmsBackend, key_id: str, policy: str) -> None:
        _check_policy(policy)
        put_policy(self, key_id, policy)

    # moto answers nothing and keeps the key.
    def schedule_checked_deletion(
        self: KmsBackend, key_id: str, pending_window_in_days: int
    ) -> float:
        if not 7 <= pending_window_in_days <= 30:
            text = f"{pending_window_in_days} is not between 7 and 30 days"
            raise JsonRESTError("ValidationException", text)
        return schedule_deletion(self, self.get_key_id(key_id), pending_window_in_days)

    KmsBackend.create_key = create_checked  # type: ignore[method-assign]
    KmsBackend.put_key_policy = put_checked_policy  # type: ignore[method-assign]
    KmsBackend.schedule_key_deletion = schedule_checked_deletion  # type: ignore[method-assign]


def _check_policy(policy: str) -> None:
    """The policy must allow whoever creates the key to change the policy. Here every caller is the
    account.
    """
    ours = {"*", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root"}
    for statement in listed(json.loads(policy)["Statement"]):
        principal = statement.get("Principal", {})
        who = principal if isinstance(principal, str) else principal.get("AWS", [])
        if (
            statement["Effect"] == "Allow"
            and ours & set(listed(who))
            and any(
                fnmatchcase("kms:PutKeyPolicy", action) for action in listed(statement["Action"])
            )
        ):
            return
    text = "The new key policy will not allow you to update the key policy in the future."
    raise JsonRESTError("MalformedPolicyDocumentException", text)
