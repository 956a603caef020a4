"""S3 in CloudFormation.

moto's CloudFormation ignores most properties of a bucket except its encryption. In its S3 a new bucket
lacks the settings that AWS gives every new bucket, and policies are accepted that are for another
bucket or public against the public access block.
"""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError
from moto.iam.access_control import PermissionResult
from moto.s3.exceptions import S3AccessDeniedError, S3ClientError
from moto.s3.models import FakeBucket, S3Backend
from moto.s3.utils import bucket_policy_is_public
from typing_extensions import override

from localaws.aws import ACCOUNT, REGION, listed
from localaws.cloudformation.engine.resource_type import Naming, Properties, Resource, call, pick
from localaws.iam import iam
from localaws.iam.access import Access

_ACCOUNT = f"arn:aws:iam::{ACCOUNT}:root"
_PUBLIC = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
DEFAULTS: Properties = {
    "BucketEncryption": {
        "ServerSideEncryptionConfiguration": [
            {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        ]
    },
    "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    "PublicAccessBlockConfiguration": dict.fromkeys(_PUBLIC, True),
}
"""The settings of every new bucket on AWS, which moto lacks."""


class Bucket(Resource):
    """A bucket. The physical id is the name."""

    type = "AWS::S3::Bucket"
    create_only = frozenset({"BucketName"})
    properties = frozenset(
        {*create_only, *DEFAULTS, "LifecycleConfiguration", "Tags", "VersioningConfiguration"}
    )
    attributes = frozenset({"Arn", "DomainName", "RegionalDomainName"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        name = str(properties.get("BucketName") or naming.unique(63).lower())
        # In us-east-1 S3 accepts the creation of one's own bucket again; CloudFormation does not.
        if any(bucket["Name"] == name for bucket in call("s3", "ListBuckets")["Buckets"]):
            raise ValueError(f"{name} already exists")
        call("s3", "CreateBucket", Bucket=name)
        return name

    @override
    def complete(self, physical_id: str, properties: Properties) -> None:
        self.update(physical_id, properties, {})

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        bucket = {"Bucket": physical_id}
        given = {**DEFAULTS, **properties}
        encryption = [
            _renamed(rule, ServerSideEncryptionByDefault="ApplyServerSideEncryptionByDefault")
            for rule in given["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        ]
        rules = {"Rules": encryption}
        call("s3", "PutBucketEncryption", **bucket, ServerSideEncryptionConfiguration=rules)
        controls = pick(given, "OwnershipControls")
        call("s3", "PutBucketOwnershipControls", **bucket, **controls)
        # A setting that the property leaves out is false.
        block = {**dict.fromkeys(_PUBLIC, False), **given["PublicAccessBlockConfiguration"]}
        call("s3", "PutPublicAccessBlock", **bucket, PublicAccessBlockConfiguration=block)
        self._set_versioning(physical_id, properties, previous)
        self._set_lifecycle(physical_id, properties, previous)
        if properties.get("Tags"):
            tags = {"TagSet": properties["Tags"]}
            call("s3", "PutBucketTagging", **bucket, Tagging=tags)
        elif previous.get("Tags"):
            call("s3", "DeleteBucketTagging", **bucket)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("s3", "DeleteBucket", Bucket=physical_id)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return {
            "Arn": f"arn:aws:s3:::{physical_id}",
            "DomainName": f"{physical_id}.s3.amazonaws.com",
            "RegionalDomainName": f"{physical_id}.s3.{REGION}.amazonaws.com",
        }[name]

    def _set_versioning(self, bucket: str, properties: Properties, previous: Properties) -> None:
        name = "VersioningConfiguration"
        if name in properties or name in previous:
            # Versioning can be suspended, but not removed.
            versioning = properties.get(name, {"Status": "Suspended"})
            call("s3", "PutBucketVersioning", Bucket=bucket, VersioningConfiguration=versioning)

    def _set_lifecycle(self, bucket: str, properties: Properties, previous: Properties) -> None:
        name = "LifecycleConfiguration"
        if name in properties:
            rules = {"Rules": [_lifecycle_rule(rule) for rule in properties[name]["Rules"]]}
            operation = "PutBucketLifecycleConfiguration"
            call("s3", operation, Bucket=bucket, LifecycleConfiguration=rules)
        elif name in previous:
            call("s3", "DeleteBucketLifecycle", Bucket=bucket)


class BucketPolicy(Resource):
    """The policy of a bucket. The physical id is the name of the bucket."""

    type = "AWS::S3::BucketPolicy"
    properties = frozenset({"Bucket", "PolicyDocument"})
    create_only = frozenset({"Bucket"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        bucket = str(properties["Bucket"])
        if self._has_policy(bucket):  # it belongs to another resource
            raise ValueError(f"The bucket policy already exists on bucket {bucket}.")
        self._put(bucket, properties)
        return bucket

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        self._put(physical_id, properties)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("s3", "DeleteBucketPolicy", Bucket=physical_id)

    def _put(self, bucket: str, properties: Properties) -> None:
        call("s3", "PutBucketPolicy", Bucket=bucket, Policy=properties["PolicyDocument"])

    def _has_policy(self, bucket: str) -> bool:
        try:
            call("s3", "GetBucketPolicy", Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchBucketPolicy":
                return False
            raise
        return True


def _lifecycle_rule(rule: Properties) -> Properties:
    known = {
        "AbortIncompleteMultipartUpload",
        "ExpirationInDays",
        "Id",
        "NoncurrentVersionExpiration",
        "Prefix",
        "Status",
    }
    unknown = rule.keys() - known
    # moto loses the number of versions to keep.
    unknown |= rule.get("NoncurrentVersionExpiration", {}).keys() - {"NoncurrentDays"}
    if unknown:
        raise NotImplementedError(f"{Bucket.type}: {', '.join(sorted(unknown))} of lifecycle rules")
    made = pick(rule, "AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration", "Status")
    if "ExpirationInDays" in rule:
        made["Expiration"] = {"Days": rule["ExpirationInDays"]}
    if "Id" in rule:
        made["ID"] = rule["Id"]
    return {**made, "Filter": {"Prefix": rule.get("Prefix", "")}}


def _renamed(value: Properties, **names: str) -> Properties:
    return {names.get(name, name): item for name, item in value.items()}


def install() -> None:
    """Make S3 refuse the policies that AWS refuses."""
    put = S3Backend.put_bucket_policy

    def put_checked(self: S3Backend, bucket_name: str, policy: bytes) -> None:
        arn = f"arn:aws:s3:::{bucket_name}"
        for statement in listed(json.loads(policy)["Statement"]):
            for resource in listed(statement.get("Resource", [])):
                if resource != arn and not resource.startswith(f"{arn}/"):
                    raise S3ClientError("MalformedPolicy", "Policy has invalid resource")
        block = self.get_bucket(bucket_name).public_access_block
        if block and block.block_public_policy and bucket_policy_is_public(policy):
            raise S3AccessDeniedError
        put(self, bucket_name, policy)

    S3Backend.put_bucket_policy = put_checked  # type: ignore[method-assign]
    FakeBucket.get_permission = _permission  # type: ignore[method-assign]


def _permission(self: FakeBucket, action: str, resource: str) -> PermissionResult:
    """What the policy of the bucket says to its own account.

    moto refuses whatever a statement is about if the condition of the statement does not hold.
    """
    statements = listed(json.loads(self.policy)["Statement"]) if self.policy else []
    effects = iam.resource_effects(statements, _ACCOUNT, Access(action, resource))
    if "Deny" in effects:
        return PermissionResult.DENIED
    return PermissionResult.PERMITTED if effects else PermissionResult.NEUTRAL
