"""Buckets, keys and their policies in CloudFormation."""

from __future__ import annotations

import json
import uuid
from contextlib import nullcontext
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.localaws.stacks import create, delete, outputs, reasons, update
from tests.support.localaws.templates import template

ROOT = {"AWS": "arn:aws:iam::123456789012:root"}
TAGS = {"Tags": [{"Key": "team", "Value": "a"}]}
EXPIRE = {"Id": "Expire", "Status": "Enabled", "ExpirationInDays": 7}
BLOCKS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


def policy(bucket: Any, *resources: str, principal: Any = None) -> tuple[str, dict[str, Any]]:
    statement = {
        "Effect": "Allow",
        "Principal": principal or {"Service": "logs.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": [{"Fn::Sub": resource} for resource in resources],
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return "S3::BucketPolicy", {"Bucket": bucket, "PolicyDocument": document}


def key_policy(action: str, principal: Any = None) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": principal or ROOT, "Action": action}
    return {"Version": "2012-10-17", "Statement": [{**statement, "Resource": "*"}]}


def test_a_bucket_gets_every_property_and_goes_back_to_what_a_new_one_has(aws):
    s3 = aws.client("s3")
    rule = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
    full = {
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [rule]},
        "PublicAccessBlockConfiguration": {"BlockPublicAcls": True},
        "LifecycleConfiguration": {"Rules": [EXPIRE]},
        "VersioningConfiguration": {"Status": "Enabled"},
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]},
        **TAGS,
    }

    def encryption() -> dict[str, Any]:
        answer = s3.get_bucket_encryption(Bucket=name)
        return answer["ServerSideEncryptionConfiguration"]["Rules"][0]

    def blocked() -> list[bool]:
        answer = s3.get_public_access_block(Bucket=name)
        return [answer["PublicAccessBlockConfiguration"][block] for block in BLOCKS]

    def owner() -> str:
        answer = s3.get_bucket_ownership_controls(Bucket=name)
        return answer["OwnershipControls"]["Rules"][0]["ObjectOwnership"]

    stack = create(aws, template("Logs.Arn", "Logs.DomainName", Logs=("S3::Bucket", full)))
    name = outputs(stack)["It"]
    assert name.startswith(f"{stack['StackName']}-logs-")
    assert outputs(stack)["LogsArn"] == f"arn:aws:s3:::{name}"
    assert outputs(stack)["LogsDomainName"] == f"{name}.s3.amazonaws.com"
    assert encryption()["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms"}
    assert encryption()["BucketKeyEnabled"] is True
    assert (blocked(), owner()) == ([True, False, False, False], "ObjectWriter")
    (kept,) = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    assert (kept["ID"], kept["Status"], kept["Expiration"]) == ("Expire", "Enabled", {"Days": 7})
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == TAGS["Tags"]

    stack = update(aws, stack, template(Logs=("S3::Bucket", {})))
    assert outputs(stack)["It"] == name
    assert encryption()["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert (blocked(), owner()) == ([True] * 4, "BucketOwnerEnforced")
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Suspended"
    for ask in (s3.get_bucket_lifecycle_configuration, s3.get_bucket_tagging):
        with pytest.raises(ClientError, match=r"NoSuch(LifecycleConfiguration|TagSet)"):
            ask(Bucket=name)
    delete(aws, stack)
    assert name not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


def test_a_bucket_that_holds_something_is_not_deleted(aws):
    s3 = aws.client("s3")
    stack = create(aws, template(Logs=("S3::Bucket", {})))
    held = {"Bucket": outputs(stack)["It"], "Key": "log"}
    s3.put_object(**held, Body=b"")
    delete(aws, stack)
    assert "BucketNotEmpty" in reasons(aws, stack)["Logs"]
    s3.delete_object(**held)
    delete(aws, stack)
    with pytest.raises(ClientError, match="404"):
        s3.head_bucket(Bucket=held["Bucket"])


def test_a_bucket_has_the_policy_of_its_template_and_of_no_other(aws):
    s3, bucket = aws.client("s3"), ("S3::Bucket", {})

    def allowed() -> list[str]:
        return json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])["Statement"][0]["Resource"]

    declared = policy({"Ref": "Logs"}, "${Logs.Arn}/a/*")
    stack = create(aws, template(Policy=declared, Logs=bucket))
    name = outputs(stack)["It"]
    assert allowed() == [f"arn:aws:s3:::{name}/a/*"]
    second = policy({"Ref": "Logs"}, "${Logs.Arn}/b/*")
    stack = update(aws, stack, template(Policy=second, Logs=bucket))
    assert allowed() == [f"arn:aws:s3:::{name}/b/*"]
    other = create(aws, template(Policy=policy(name, f"arn:aws:s3:::{name}/c/*")))
    assert "already exists" in reasons(aws, other)["Policy"]
    assert allowed() == [f"arn:aws:s3:::{name}/b/*"]
    update(aws, stack, template(Logs=bucket))
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        allowed()


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        ({"Principal": "*"}, True),
        ({"Principal": {"AWS": "*"}}, True),
        ({"Principal": ROOT}, True),
        ({"Principal": {"Service": "logs.amazonaws.com"}}, False),
        ({"Principal": "*", "Action": "s3:GetObject"}, False),
        ({"Principal": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}, False),
    ],
)
def test_a_bucket_refuses_what_a_statement_that_applies_denies(aws, statement, refused):
    s3, name = aws.client("s3"), f"denied-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name)
    denied = {"Effect": "Deny", "Action": "s3:*", "Resource": f"arn:aws:s3:::{name}/*", **statement}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Statement": [denied]}))

    expected = pytest.raises(ClientError, match="Forbidden") if refused else nullcontext()
    with expected:
        s3.put_object(Bucket=name, Key="key", Body=b"")


@pytest.mark.parametrize(
    ("name", "declared", "reason"),
    [
        ("Logs", ("S3::Bucket", {"BucketName": "kept"}), "kept already exists"),
        ("Logs", ("S3::Bucket", {"VersioningConfiguration": {"Status": "On"}}), "must be one of"),
        (
            "Logs",
            ("S3::Bucket", {"LifecycleConfiguration": {"Rules": [{**EXPIRE, "TagFilters": []}]}}),
            "TagFilters of lifecycle rules",
        ),
        ("Policy", policy({"Ref": "Logs"}, "arn:aws:s3:::kept/*"), "Policy has invalid resource"),
        ("Policy", policy({"Ref": "Logs"}, "${Logs.Arn}/*", principal="*"), "AccessDenied"),
    ],
)
def test_a_bucket_or_policy_that_is_wrong_is_not_made_and_nothing_stays(
    aws, name, declared, reason
):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="kept")
    before = s3.list_buckets()["Buckets"]
    stack = create(aws, template(**{"Logs": ("S3::Bucket", {}), name: declared}))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reason in reasons(aws, stack)[name]
    assert s3.list_buckets()["Buckets"] == before


def test_a_key_and_its_alias_get_every_property_and_go_back_to_the_defaults(aws):
    kms, alias = aws.client("kms"), "alias/of-the-stack"
    administered = key_policy("kms:Put*")
    full = {
        "Description": "Notifications",
        "EnableKeyRotation": True,
        "KeyPolicy": administered,
        "PendingWindowInDays": 7,
        **TAGS,
    }

    def named(key: str) -> tuple[str, dict[str, Any]]:
        return "KMS::Alias", {"AliasName": alias, "TargetKeyId": {"Ref": key}}

    def seen() -> dict[str, Any]:
        return kms.describe_key(KeyId=key)["KeyMetadata"]

    def allowed() -> dict[str, Any]:
        return json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])

    def rotated() -> bool:
        return kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]

    plain = ("KMS::Key", {})
    body = template("Key.Arn", "Key.KeyId", Key=("KMS::Key", full), Name=named("Key"), Other=plain)
    stack = create(aws, body)
    key = outputs(stack)["It"]
    assert (seen()["Arn"], key) == (outputs(stack)["KeyArn"], outputs(stack)["KeyKeyId"])
    assert (seen()["Description"], rotated(), allowed()) == ("Notifications", True, administered)
    assert kms.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "team", "TagValue": "a"}]
    assert kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"] == key

    less = ("KMS::Key", {"PendingWindowInDays": 7})
    stack = update(aws, stack, template(Key=less, Name=named("Other"), Other=plain))
    assert outputs(stack)["It"] == key
    assert (seen()["Description"], rotated()) == ("", False)
    assert allowed()["Statement"][0]["Action"] == "kms:*"
    assert kms.list_resource_tags(KeyId=key)["Tags"] == []
    assert kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"] != key

    delete(aws, stack)
    assert seen()["KeyState"] == "PendingDeletion"
    assert alias not in [item["AliasName"] for item in kms.list_aliases()["Aliases"]]


def test_a_key_waits_for_its_deletion_as_long_as_its_template_says(aws):
    waits = []
    for window in ({"PendingWindowInDays": 8}, {}):
        stack = create(aws, template(Key=("KMS::Key", window)))
        delete(aws, stack)
        described = aws.client("kms").describe_key(KeyId=outputs(stack)["It"])["KeyMetadata"]
        waits.append(round((described["DeletionDate"] - described["CreationDate"]).total_seconds()))
    assert [wait // 86400 for wait in waits] == [8, 30]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (key_policy("kms:Decrypt"), "will not allow you to update the key policy"),
        (key_policy("kms:*", {"Service": "sns.amazonaws.com"}), "will not allow you to update"),
    ],
)
def test_a_policy_by_which_nobody_could_change_it_is_refused(aws, wrong, reason):
    kms, good = aws.client("kms"), key_policy("kms:*")
    failed = create(aws, template(Key=("KMS::Key", {"KeyPolicy": wrong})))
    assert failed["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reason in reasons(aws, failed)["Key"]
    stack = create(aws, template(Key=("KMS::Key", {"KeyPolicy": good, "Description": "a"})))
    changed = {"KeyPolicy": wrong, "Description": "b"}
    stack = update(aws, stack, template(Key=("KMS::Key", changed)))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    key = outputs(stack)["It"]
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == "a"
    assert json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]) == good


def test_a_wait_that_is_none_is_refused_before_the_key_is_lost(aws):
    stack = create(aws, template(Key=("KMS::Key", {"PendingWindowInDays": 3})))
    delete(aws, stack)
    assert "between 7 and 30 days" in reasons(aws, stack)["Key"]
    described = aws.client("kms").describe_key(KeyId=outputs(stack)["It"])["KeyMetadata"]
    assert described["KeyState"] == "Enabled"
