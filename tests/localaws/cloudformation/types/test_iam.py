"""Managed policies in a template."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localaws.server import LocalAws
from tests.support.localaws.iam import TRUST, allow, refusal
from tests.support.localaws.stacks import create, delete, outputs, reasons, update


def template(actions: list[str], attached: tuple[str, ...] = (), **properties: Any) -> str:
    """A managed policy that allows the actions, and the roles One and Two."""
    trust = {"AssumeRolePolicyDocument": json.loads(TRUST)}
    document = {"Version": "2012-10-17", "Statement": [allow(actions)]}
    policy = {"PolicyDocument": document, **properties}
    if attached:
        policy["Roles"] = [{"Ref": role} for role in attached]
    resources: dict[str, Any] = {
        name: {"Type": "AWS::IAM::Role", "Properties": trust} for name in ("One", "Two")
    }
    resources["Policy"] = {"Type": "AWS::IAM::ManagedPolicy", "Properties": policy}
    values = {name: {"Value": {"Ref": name}} for name in resources}
    values["PolicyId"] = {"Value": {"Fn::GetAtt": "Policy.PolicyId"}}
    return json.dumps({"Resources": resources, "Outputs": values})


def attached_to(aws: LocalAws, role: str) -> list[str]:
    found = aws.client("iam").list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    return [policy["PolicyArn"] for policy in found]


def versions(aws: LocalAws, policy: str) -> list[str]:
    found = aws.client("iam").list_policy_versions(PolicyArn=policy)["Versions"]
    return sorted(version["VersionId"] for version in found)


def allowed(aws: LocalAws, policy: str) -> Any:
    """The actions in the default version of a policy."""
    iam = aws.client("iam")
    version = iam.get_policy(PolicyArn=policy)["Policy"]["DefaultVersionId"]
    found = iam.get_policy_version(PolicyArn=policy, VersionId=version)["PolicyVersion"]
    return found["Document"]["Statement"][0]["Action"]


def test_a_managed_policy_is_referred_to_by_its_arn_and_has_an_id(aws: LocalAws) -> None:
    stack = create(aws, template(["s3:GetObject"], Path="/people/"))
    made = outputs(stack)
    found = aws.client("iam").get_policy(PolicyArn=made["Policy"])["Policy"]
    assert made["PolicyId"] == found["PolicyId"]
    assert f":policy/people/{stack['StackName']}-Policy-" in made["Policy"]
    delete(aws, stack)


def test_a_change_of_the_document_is_the_new_default_version_and_the_oldest_of_five_goes(
    aws: LocalAws,
) -> None:
    stack = create(aws, template(["s3:Get1"]))
    policy = outputs(stack)["Policy"]
    for number in range(2, 6):
        stack = update(aws, stack, template([f"s3:Get{number}"]))
    assert versions(aws, policy) == ["v1", "v2", "v3", "v4", "v5"]
    stack = update(aws, stack, template(["s3:Get6"]))
    assert (stack["StackStatus"], outputs(stack)["Policy"]) == ("UPDATE_COMPLETE", policy)
    assert versions(aws, policy) == ["v2", "v3", "v4", "v5", "v6"]
    assert allowed(aws, policy) == ["s3:Get6"]
    delete(aws, stack)
    assert refusal(aws.client("iam"), "get_policy", PolicyArn=policy).startswith("NoSuchEntity")


def test_a_managed_policy_is_attached_to_the_roles_that_its_template_names(aws: LocalAws) -> None:
    stack = create(aws, template(["s3:GetObject"], ("One",)))
    made = outputs(stack)
    assert attached_to(aws, made["One"]) == [made["Policy"]]
    stack = update(aws, stack, template(["s3:GetObject"], ("Two",)))
    assert attached_to(aws, made["One"]) == []
    assert attached_to(aws, made["Two"]) == [made["Policy"]]
    assert versions(aws, made["Policy"]) == ["v1"]
    delete(aws, stack)
    assert refusal(aws.client("iam"), "get_role", RoleName=made["Two"]).startswith("NoSuchEntity")


def test_a_managed_policy_that_somebody_has_attached_is_not_deleted(aws: LocalAws) -> None:
    stack = create(aws, template(["s3:GetObject"]))
    policy, iam = outputs(stack)["Policy"], aws.client("iam")
    person = f"{stack['StackName']}-person"
    iam.create_role(RoleName=person, AssumeRolePolicyDocument=TRUST)
    iam.attach_role_policy(RoleName=person, PolicyArn=policy)
    delete(aws, stack)
    failed = reasons(aws, stack)
    assert "Cannot delete a policy attached to entities." in failed["Policy"]
    assert attached_to(aws, person) == [policy]
    iam.detach_role_policy(RoleName=person, PolicyArn=policy)
    delete(aws, stack)
    assert refusal(iam, "get_policy", PolicyArn=policy).startswith("NoSuchEntity")


def test_a_managed_policy_with_several_versions_is_not_deleted_by_itself(aws: LocalAws) -> None:
    stack = update(aws, create(aws, template(["s3:Get1"])), template(["s3:Get2"]))
    policy = outputs(stack)["Policy"]
    denied = refusal(aws.client("iam"), "delete_policy", PolicyArn=policy)
    assert denied.startswith("DeleteConflict 409 This policy has more than one version.")
    delete(aws, stack)


@pytest.mark.parametrize(("characters", "made"), [(6144, True), (6145, False)])
def test_a_managed_policy_has_6144_characters_at_most_without_white_space(
    aws: LocalAws, characters: int, made: bool
) -> None:
    statement = {"Version": "2012-10-17", "Statement": [allow(["s3:"])]}
    empty = len(json.dumps(statement, separators=(",", ":")))
    stack = create(aws, template([f"s3:{'x' * (characters - empty)}"]))
    assert (stack["StackStatus"] == "CREATE_COMPLETE") is made
    if not made:
        assert "Cannot exceed quota for PolicySize: 6144" in reasons(aws, stack)["Policy"]
    delete(aws, stack)


def test_a_managed_policy_with_a_name_of_its_own_needs_the_capability_for_names(
    aws: LocalAws,
) -> None:
    denied = refusal(
        aws.client("cloudformation"),
        "create_stack",
        StackName="named-policy",
        TemplateBody=template(["s3:GetObject"], ManagedPolicyName="named"),
        Capabilities=["CAPABILITY_IAM"],
    )
    assert denied.startswith("InsufficientCapabilities")
