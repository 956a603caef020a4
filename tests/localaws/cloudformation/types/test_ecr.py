"""ECR's types: repositories, and what the registry replicates."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.aws import ACCOUNT
from tests.support.localaws.stacks import create, delete, outputs, reasons, update

PREFIX = "ImageTagMutabilityExclusionFilter"
MANIFEST = json.dumps(
    {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []}
)


@pytest.fixture
def ecr(aws):
    return aws.client("ecr")


@pytest.fixture
def name():
    return f"team/{uuid.uuid4().hex[:8]}"


def template(**properties: Any) -> str:
    resource = {"Type": "AWS::ECR::Repository", "Properties": properties}
    shown = {
        "Ref": {"Value": {"Ref": "Images"}},
        "Arn": {"Value": {"Fn::GetAtt": "Images.Arn"}},
        "Uri": {"Value": {"Fn::GetAtt": "Images.RepositoryUri"}},
    }
    return json.dumps({"Resources": {"Images": resource}, "Outputs": shown})


def lifecycle(count: int, **more: Any) -> dict[str, Any]:
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": count}
    rule = {"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}
    return {"LifecyclePolicyText": json.dumps({"rules": [rule]}), **more}


def access(action: str) -> dict[str, Any]:
    principal = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    statement = {"Sid": "pull", "Effect": "Allow", "Principal": principal, "Action": action}
    return {"Version": "2012-10-17", "Statement": [statement]}


def mutability(mode: str, *filters: str) -> dict[str, Any]:
    listed = [{f"{PREFIX}Type": "WILDCARD", f"{PREFIX}Value": item} for item in filters]
    return {"ImageTagMutability": mode, f"{PREFIX}s": listed}


def described(ecr: Any, name: str) -> dict[str, Any]:
    [repository] = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    return repository


def tags(ecr: Any, arn: str) -> dict[str, str]:
    listed = ecr.list_tags_for_resource(resourceArn=arn)["tags"]
    return {tag["Key"]: tag["Value"] for tag in listed}


def code(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return str(error.value.response["Error"]["Code"])


def test_a_repository_is_made_changed_and_deleted_with_all_its_properties(aws, ecr, name):
    of = {"repositoryName": name}
    encryption = {"EncryptionType": "KMS", "KmsKey": "alias/images"}
    fixed = {"RepositoryName": name, "EncryptionConfiguration": encryption}
    stages = (
        ("IMMUTABLE_WITH_EXCLUSION", ["dev-*", "latest"], "true", 5, "ecr:BatchGetImage", "1"),
        ("MUTABLE_WITH_EXCLUSION", ["v*"], "false", 6, "ecr:PutImage", "2"),
    )
    stack: dict[str, Any] = {}
    for mode, filters, scanned, count, action, tag in stages:
        given = {
            **mutability(mode, *filters),
            "ImageScanningConfiguration": {"ScanOnPush": scanned},
            "LifecyclePolicy": lifecycle(count, RegistryId=ACCOUNT),
            "RepositoryPolicyText": access(action),
            "Tags": [{"Key": "a", "Value": tag}, {"Key": f"only-{tag}", "Value": "x"}],
        }
        wanted = template(**fixed, **given)
        stack = update(aws, stack, wanted) if stack else create(aws, wanted)
        assert stack["StackStatus"].endswith("E_COMPLETE"), reasons(aws, stack)
        found = described(ecr, name)
        assert outputs(stack) == {
            "Ref": name,
            "Arn": found["repositoryArn"],
            "Uri": found["repositoryUri"],
        }
        assert found["encryptionConfiguration"] == {
            "encryptionType": "KMS",
            "kmsKey": "alias/images",
        }
        assert found["imageTagMutability"] == mode
        assert found["imageTagMutabilityExclusionFilters"] == [
            {"filterType": "WILDCARD", "filter": item} for item in filters
        ]
        assert found["imageScanningConfiguration"] == {"scanOnPush": scanned == "true"}
        text = ecr.get_lifecycle_policy(**of)["lifecyclePolicyText"]
        assert json.loads(text)["rules"][0]["selection"]["countNumber"] == count
        assert json.loads(ecr.get_repository_policy(**of)["policyText"]) == access(action)
        assert tags(ecr, found["repositoryArn"]) == {"a": tag, f"only-{tag}": "x"}
    delete(aws, stack)
    assert code(ecr.describe_repositories, repositoryNames=[name]) == "RepositoryNotFoundException"


def test_a_property_that_is_taken_away_goes_back_to_its_default(aws, ecr, name):
    of = {"repositoryName": name}
    given = {
        **mutability("IMMUTABLE_WITH_EXCLUSION", "dev-*"),
        "ImageScanningConfiguration": {"ScanOnPush": True},
        "LifecyclePolicy": lifecycle(5),
        "RepositoryPolicyText": access("ecr:BatchGetImage"),
        "Tags": [{"Key": "a", "Value": "1"}],
    }
    stack = create(aws, template(RepositoryName=name, **given))
    stack = update(aws, stack, template(RepositoryName=name))
    assert stack["StackStatus"] == "UPDATE_COMPLETE", reasons(aws, stack)
    found = described(ecr, name)
    assert found["imageTagMutability"] == "MUTABLE"
    assert "imageTagMutabilityExclusionFilters" not in found
    assert found["imageScanningConfiguration"] == {"scanOnPush": False}
    assert found["encryptionConfiguration"] == {"encryptionType": "AES256"}
    assert code(ecr.get_lifecycle_policy, **of) == "LifecyclePolicyNotFoundException"
    assert code(ecr.get_repository_policy, **of) == "RepositoryPolicyNotFoundException"
    assert tags(ecr, found["repositoryArn"]) == {}
    delete(aws, stack)


def test_a_repository_without_a_name_is_given_one_and_another_encryption_makes_another(aws, ecr):
    stack = create(aws, template())
    first = outputs(stack)["Ref"]
    assert first.startswith(f"{stack['StackName']}-images-")
    kms = {"EncryptionType": "KMS"}
    second = outputs(update(aws, stack, template(EncryptionConfiguration=kms)))["Ref"]
    assert described(ecr, second)["encryptionConfiguration"]["encryptionType"] == "KMS"
    assert code(ecr.describe_repositories, repositoryNames=[first]) == "RepositoryNotFoundException"
    delete(aws, stack)


def test_a_name_may_have_hyphens_in_a_row(aws, ecr, name):
    stack = create(aws, template(RepositoryName=f"{name}--a__b"))
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(aws, stack)
    delete(aws, stack)


def test_a_repository_with_images_is_kept_unless_it_is_emptied_on_delete(aws, ecr, name):
    stack = create(aws, template(RepositoryName=name))
    ecr.put_image(repositoryName=name, imageManifest=MANIFEST, imageTag="v1")
    delete(aws, stack)
    assert "RepositoryNotEmptyException" in reasons(aws, stack)["Images"]
    ecr.delete_repository(repositoryName=name, force=True)
    delete(aws, stack)  # that it is gone already is no error

    stack = create(aws, template(RepositoryName=name))
    ecr.put_image(repositoryName=name, imageManifest=MANIFEST, imageTag="v1")
    update(aws, stack, template(RepositoryName=name, EmptyOnDelete="true"))
    delete(aws, stack)
    assert code(ecr.describe_repositories, repositoryNames=[name]) == "RepositoryNotFoundException"


WRONG = {
    "lifecycle": {"LifecyclePolicy": {"LifecyclePolicyText": "no JSON".ljust(100)}},
    "short": {"LifecyclePolicy": {"LifecyclePolicyText": "{}"}},
    "registry": {"LifecyclePolicy": lifecycle(5, RegistryId="0" * 12)},
    "policy": {"RepositoryPolicyText": {"Statement": "all"}},
    "mode": {"ImageTagMutability": "FROZEN"},
    "no filters": {"ImageTagMutability": "IMMUTABLE_WITH_EXCLUSION"},
    "filters": mutability("IMMUTABLE", "v*"),
    "pattern": mutability("IMMUTABLE_WITH_EXCLUSION", "v[0-9]"),
    "many": mutability("IMMUTABLE_WITH_EXCLUSION", *"abcdef"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_repository_fails_and_is_rolled_back(aws, ecr, name, wrong):
    stack = create(aws, template(RepositoryName=name, **wrong))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert code(ecr.describe_repositories, repositoryNames=[name]) == "RepositoryNotFoundException"

    stack = create(aws, template(RepositoryName=name))
    scanned = {"ImageScanningConfiguration": {"ScanOnPush": True}}
    stack = update(aws, stack, template(RepositoryName=name, **scanned, **wrong))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    found = described(ecr, name)
    assert found["imageTagMutability"] == "MUTABLE"
    assert found["imageScanningConfiguration"] == {"scanOnPush": False}
    delete(aws, stack)


def replication(*rules: tuple[str, str]) -> str:
    listed = [
        {
            "Destinations": [{"Region": region, "RegistryId": ACCOUNT}],
            "RepositoryFilters": [{"Filter": prefix, "FilterType": "PREFIX_MATCH"}],
        }
        for region, prefix in rules
    ]
    properties = {"ReplicationConfiguration": {"Rules": listed}}
    resource = {"Type": "AWS::ECR::ReplicationConfiguration", "Properties": properties}
    return json.dumps(
        {"Resources": {"Copies": resource}, "Outputs": {"Id": {"Value": {"Ref": "Copies"}}}}
    )


def replicated(ecr: Any) -> list[tuple[str, str]]:
    rules = ecr.describe_registry()["replicationConfiguration"]["rules"]
    return [
        (rule["destinations"][0]["region"], rule["repositoryFilters"][0]["filter"])
        for rule in rules
    ]


def test_the_registrys_replication_is_set_changed_and_taken_away(aws, ecr):
    stack = create(aws, replication(("eu-west-1", "prod")))
    assert outputs(stack)["Id"] == ACCOUNT
    assert replicated(ecr) == [("eu-west-1", "prod")]
    two = [("eu-west-1", "prod"), ("us-west-2", "base")]
    update(aws, stack, replication(*two))
    assert replicated(ecr) == two

    other = create(aws, replication(("eu-north-1", "dev")))
    assert other["StackStatus"] == "ROLLBACK_COMPLETE"
    assert f"'{ACCOUNT}' already exists" in reasons(aws, other)["Copies"]
    here = update(aws, stack, replication(("us-east-1", "dev")))
    assert here["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "cannot be the same as the source registry" in reasons(aws, here)["Copies"]
    assert replicated(ecr) == two
    delete(aws, stack)
    assert replicated(ecr) == []
