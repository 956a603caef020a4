"""IAM in CloudFormation.

moto's CloudFormation silently attaches managed policies that do not exist. Its IAM knows AWS's managed
policies only if told to load them, refuses inline policies that SAM generates, and deletes managed
policies that are in use.
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.config import default_user_config
from moto.iam.exceptions import DeleteConflictException
from moto.iam.models import IAMBackend
from moto.iam.policy_validation import BaseIAMPolicyValidator
from typing_extensions import override

from localaws.cloudformation.engine.resource_type import (
    Naming,
    Properties,
    Resource,
    call,
    changed_tags,
    pick,
)

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
POLICY_SIZE = 6144
"""Characters of a managed policy, whitespace not counted."""
POLICY_VERSIONS = 5


class Role(Resource):
    """A role. The physical id is the name."""

    type = "AWS::IAM::Role"
    settings = ("Description", "MaxSessionDuration")
    create_only = frozenset({"RoleName", "Path"})
    properties = frozenset(
        {
            *create_only,
            *settings,
            "AssumeRolePolicyDocument",
            "ManagedPolicyArns",
            "PermissionsBoundary",
            "Policies",
            "Tags",
        }
    )
    attributes = frozenset({"Arn", "RoleId"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        name = str(properties.get("RoleName") or naming.unique())
        made = ("AssumeRolePolicyDocument", "Path", "PermissionsBoundary", "Tags", *self.settings)
        call("iam", "CreateRole", RoleName=name, **pick(properties, *made))
        return name

    @override
    def complete(self, physical_id: str, properties: Properties) -> None:
        self._set_policies(physical_id, properties, {})

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        role = {"RoleName": physical_id}
        document = properties["AssumeRolePolicyDocument"]
        if document != previous["AssumeRolePolicyDocument"]:
            call("iam", "UpdateAssumeRolePolicy", **role, PolicyDocument=document)
        if pick(properties, *self.settings) != pick(previous, *self.settings):
            defaults = {"Description": "", "MaxSessionDuration": 3600}
            settings = {**defaults, **pick(properties, *self.settings)}
            call("iam", "UpdateRole", **role, **settings)
        boundary = pick(properties, "PermissionsBoundary")
        if boundary:
            call("iam", "PutRolePermissionsBoundary", **role, **boundary)
        elif "PermissionsBoundary" in previous:
            call("iam", "DeleteRolePermissionsBoundary", **role)
        self._set_policies(physical_id, properties, previous)
        tags, gone = changed_tags(properties, previous)
        if tags:
            call("iam", "TagRole", **role, Tags=properties["Tags"])
        if gone:
            call("iam", "UntagRole", **role, TagKeys=gone)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        role = {"RoleName": physical_id}
        for name in call("iam", "ListRolePolicies", **role)["PolicyNames"]:
            call("iam", "DeleteRolePolicy", **role, PolicyName=name)
        for policy in call("iam", "ListAttachedRolePolicies", **role)["AttachedPolicies"]:
            call("iam", "DetachRolePolicy", **role, PolicyArn=policy["PolicyArn"])
        call("iam", "DeleteRole", **role)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return call("iam", "GetRole", RoleName=physical_id)["Role"][name]

    @override
    def capability(self, properties: Properties) -> str:
        return "CAPABILITY_NAMED_IAM" if "RoleName" in properties else "CAPABILITY_IAM"

    def _set_policies(self, name: str, properties: Properties, previous: Properties) -> None:
        role = {"RoleName": name}
        inline = {policy["PolicyName"]: policy for policy in properties.get("Policies", [])}
        for policy in inline.values():
            call("iam", "PutRolePolicy", **role, **policy)
        for policy in previous.get("Policies", []):
            if policy["PolicyName"] not in inline:
                call("iam", "DeleteRolePolicy", **role, PolicyName=policy["PolicyName"])
        attached = dict.fromkeys(properties.get("ManagedPolicyArns", []))
        before = dict.fromkeys(previous.get("ManagedPolicyArns", []))
        for arn in attached:
            if arn not in before:
                call("iam", "AttachRolePolicy", **role, PolicyArn=arn)
        for arn in before:
            if arn not in attached:
                call("iam", "DetachRolePolicy", **role, PolicyArn=arn)


class InstanceProfile(Resource):
    """An instance profile, which gives an instance its role. The physical id is the name."""

    type = "AWS::IAM::InstanceProfile"
    create_only = frozenset({"InstanceProfileName", "Path"})
    properties = frozenset({*create_only, "Roles"})
    attributes = frozenset({"Arn"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        name = str(properties.get("InstanceProfileName") or naming.unique(128))
        call("iam", "CreateInstanceProfile", InstanceProfileName=name, **pick(properties, "Path"))
        return name

    @override
    def complete(self, physical_id: str, properties: Properties) -> None:
        self._set_roles(physical_id, properties["Roles"], [])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        self._set_roles(physical_id, properties["Roles"], previous["Roles"])

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        profile = {"InstanceProfileName": physical_id}
        found = call("iam", "GetInstanceProfile", **profile)["InstanceProfile"]
        self._set_roles(physical_id, [], [role["RoleName"] for role in found["Roles"]])
        call("iam", "DeleteInstanceProfile", **profile)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        found = call("iam", "GetInstanceProfile", InstanceProfileName=physical_id)
        return found["InstanceProfile"][name]

    @override
    def capability(self, properties: Properties) -> str:
        named = "InstanceProfileName" in properties
        return "CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"

    def _set_roles(self, name: str, roles: list[str], before: list[str]) -> None:
        profile = {"InstanceProfileName": name}
        for role in before:  # remove first: a profile has one role at most
            if role not in roles:
                call("iam", "RemoveRoleFromInstanceProfile", **profile, RoleName=role)
        for role in roles:
            if role not in before:
                call("iam", "AddRoleToInstanceProfile", **profile, RoleName=role)


class ManagedPolicy(Resource):
    """A managed policy. The physical id is the ARN. Users and groups don't exist here."""

    type = "AWS::IAM::ManagedPolicy"
    create_only = frozenset({"ManagedPolicyName", "Path", "Description"})
    properties = frozenset({*create_only, "PolicyDocument", "Roles"})
    attributes = frozenset({"PolicyArn", "PolicyId"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        name = str(properties.get("ManagedPolicyName") or naming.unique(128))
        made = call(
            "iam",
            "CreatePolicy",
            PolicyName=name,
            PolicyDocument=_document(properties),
            **pick(properties, "Path", "Description"),
        )
        return str(made["Policy"]["Arn"])

    @override
    def complete(self, physical_id: str, properties: Properties) -> None:
        self._set_roles(physical_id, properties, {})

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        policy = {"PolicyArn": physical_id}
        if properties["PolicyDocument"] != previous["PolicyDocument"]:
            versions = call("iam", "ListPolicyVersions", **policy)["Versions"]
            if len(versions) == POLICY_VERSIONS:  # the oldest makes room
                oldest = min(versions, key=lambda version: version["CreateDate"])
                call("iam", "DeletePolicyVersion", **policy, VersionId=oldest["VersionId"])
            call(
                "iam",
                "CreatePolicyVersion",
                **policy,
                PolicyDocument=_document(properties),
                SetAsDefault=True,
            )
        self._set_roles(physical_id, properties, previous)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        policy = {"PolicyArn": physical_id}
        self._set_roles(physical_id, {}, properties)
        for version in call("iam", "ListPolicyVersions", **policy)["Versions"]:
            if not version["IsDefaultVersion"]:
                call("iam", "DeletePolicyVersion", **policy, VersionId=version["VersionId"])
        call("iam", "DeletePolicy", **policy)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        found = call("iam", "GetPolicy", PolicyArn=physical_id)["Policy"]
        return {"PolicyArn": found["Arn"], "PolicyId": found["PolicyId"]}[name]

    @override
    def capability(self, properties: Properties) -> str:
        return "CAPABILITY_NAMED_IAM" if "ManagedPolicyName" in properties else "CAPABILITY_IAM"

    def _set_roles(self, arn: str, properties: Properties, previous: Properties) -> None:
        roles, before = properties.get("Roles", []), previous.get("Roles", [])
        for role in roles:
            if role not in before:
                call("iam", "AttachRolePolicy", RoleName=role, PolicyArn=arn)
        for role in before:
            if role not in roles:
                call("iam", "DetachRolePolicy", RoleName=role, PolicyArn=arn)


def _document(properties: Properties) -> str:
    """The document of a managed policy, as CloudFormation gives it to IAM."""
    document = json.dumps(properties["PolicyDocument"], separators=(",", ":"))
    if len(document) > POLICY_SIZE:
        raise ValueError(f"Cannot exceed quota for PolicySize: {POLICY_SIZE}")
    return document


def install() -> None:
    """Load AWS's managed policies, and accept every policy that IAM accepts."""
    default_user_config["iam"]["load_aws_managed_policies"] = True

    # moto requires Version 2012-10-17. IAM reads a document without a version, as SAM's policy templates
    # generate, as 2008-10-17. Unknown versions are refused elsewhere.
    def validate_version(self: BaseIAMPolicyValidator) -> None:
        """Accept every version."""

    BaseIAMPolicyValidator._validate_version = validate_version  # type: ignore[method-assign]

    delete = IAMBackend.delete_policy

    def delete_policy(self: IAMBackend, policy_arn: str) -> None:
        policy = self.get_policy(policy_arn)
        if policy.attachment_count:
            raise DeleteConflictException("Cannot delete a policy attached to entities.")
        if len(policy.versions) > 1:
            raise DeleteConflictException(
                "This policy has more than one version. Before you delete a policy, you must delete"
                " the policy's versions. The default version is deleted with the policy."
            )
        delete(self, policy_arn)

    IAMBackend.delete_policy = delete_policy  # type: ignore[method-assign]
