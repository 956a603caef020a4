"""ECR in CloudFormation, and the settings of repositories and of the registry that moto gets wrong.

moto ignores the policies of a repository in a template, and deletes repositories that hold images.
Its PutImageTagMutability takes filters without their mode and the mode without filters, does not
return what it set, and checks no filter. It refuses repository names and replication rules that ECR
accepts.
"""

from __future__ import annotations

import re
from typing import Any

import moto.ecr.models
from botocore.exceptions import ClientError
from moto.ecr.exceptions import InvalidParameterException
from moto.ecr.models import ECRBackend
from typing_extensions import override

from localaws.cloudformation.engine.resource_type import (
    Naming,
    Properties,
    Resource,
    call,
    pick,
    update_tags,
)


class Repository(Resource):
    """A repository. The physical id is the name."""

    type = "AWS::ECR::Repository"
    mutability = ("ImageTagMutability", "ImageTagMutabilityExclusionFilters")
    create_only = frozenset({"EncryptionConfiguration", "RepositoryName"})
    properties = frozenset(
        {
            *create_only,
            *mutability,
            "EmptyOnDelete",
            "ImageScanningConfiguration",
            "LifecyclePolicy",
            "RepositoryPolicyText",
            "Tags",
        }
    )
    attributes = frozenset({"Arn", "RepositoryUri"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        name = str(properties.get("RepositoryName") or naming.unique(256).lower())
        made = ("EncryptionConfiguration", "ImageScanningConfiguration", "Tags")
        settings = {**pick(properties, *made), **_mutability(properties)}
        call("ecr", "CreateRepository", repositoryName=name, **settings)
        return name

    @override
    def complete(self, physical_id: str, properties: Properties) -> None:
        self._set_policies(physical_id, properties, {})

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        repository = {"repositoryName": physical_id}
        if pick(properties, *self.mutability) != pick(previous, *self.mutability):
            mutability = {"ImageTagMutability": "MUTABLE", **_mutability(properties)}
            call("ecr", "PutImageTagMutability", **repository, **mutability)
        scanning = {"ScanOnPush": False, **properties.get("ImageScanningConfiguration", {})}
        call(
            "ecr",
            "PutImageScanningConfiguration",
            **repository,
            imageScanningConfiguration=scanning,
        )
        self._set_policies(physical_id, properties, previous)
        arn = self.attribute(physical_id, "Arn")
        update_tags("ecr", properties, previous, ResourceArn=arn)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        force = properties.get("EmptyOnDelete", False)
        call("ecr", "DeleteRepository", repositoryName=physical_id, force=force)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        found = call("ecr", "DescribeRepositories", repositoryNames=[physical_id])
        member = {"Arn": "repositoryArn", "RepositoryUri": "repositoryUri"}[name]
        return found["repositories"][0][member]

    def _set_policies(self, name: str, properties: Properties, previous: Properties) -> None:
        repository = {"repositoryName": name}
        if lifecycle := properties.get("LifecyclePolicy"):
            call("ecr", "PutLifecyclePolicy", **repository, **lifecycle)
        elif previous.get("LifecyclePolicy"):
            _delete_policy("DeleteLifecyclePolicy", name)
        if access := properties.get("RepositoryPolicyText"):
            call("ecr", "SetRepositoryPolicy", **repository, policyText=access)
        elif previous.get("RepositoryPolicyText"):
            _delete_policy("DeleteRepositoryPolicy", name)


class ReplicationConfiguration(Resource):
    """The replication of the registry, which has one configuration. The physical id is the
    registry id.
    """

    type = "AWS::ECR::ReplicationConfiguration"
    properties = frozenset({"ReplicationConfiguration"})
    attributes = frozenset({"RegistryId"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        registry = call("ecr", "DescribeRegistry")
        identity = str(registry["registryId"])
        if registry["replicationConfiguration"]["rules"]:
            raise ValueError(
                f"Resource of type '{self.type}' with identifier '{identity}' already exists."
            )
        call("ecr", "PutReplicationConfiguration", **properties)
        return identity

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        call("ecr", "PutReplicationConfiguration", **properties)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("ecr", "PutReplicationConfiguration", replicationConfiguration={"rules": []})

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return physical_id


def _delete_policy(operation: str, name: str) -> None:
    try:
        call("ecr", operation, repositoryName=name)
    except ClientError as error:
        # An update that failed may have set nothing, and is still undone.
        if not error.response["Error"]["Code"].endswith("PolicyNotFoundException"):
            raise


def _mutability(properties: Properties) -> Properties:
    """The mutability settings with the API's names, which differ for filters."""
    given = pick(properties, *Repository.mutability)
    prefix = "ImageTagMutabilityExclusionFilter"
    names = {f"{prefix}Type": "filterType", f"{prefix}Value": "filter"}
    if filters := given.get(f"{prefix}s"):
        given[f"{prefix}s"] = [
            {names.get(name, name): value for name, value in item.items()} for item in filters
        ]
    return given


# --- moto -----------------------------------------------------------------------------------------


def _wrong_filters(self: ECRBackend, filters: list[dict[str, str]] | None) -> str | None:  # noqa: ARG001
    """What is wrong with the exclusion filters of a repository's mutability."""
    if filters is not None and not 1 <= len(filters) <= 5:
        return "'Member must have length between 1 and 5, inclusive'"
    for item in filters or []:
        if item.get("filterType") != "WILDCARD":
            return "'Member must satisfy enum value set: [WILDCARD]'"
        if not re.fullmatch("[0-9a-zA-Z._*-]{1,128}", item.get("filter", "")):
            return "'Member must satisfy regular expression pattern: ^[0-9a-zA-Z._*-]{1,128}$'"
    return None


def _check_mode(mode: str | None, filters: list[dict[str, str]] | None) -> None:
    if (filters is not None) != str(mode).endswith("_WITH_EXCLUSION"):
        raise InvalidParameterException(
            "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint:"
            f" 'filters are for the modes that end in _WITH_EXCLUSION, and these need them: {mode}'"
        )


_put_image_tag_mutability = ECRBackend.put_image_tag_mutability


def _put_checked_mutability(self: ECRBackend, **given: Any) -> dict[str, Any]:
    filters = given["image_tag_mutability_exclusion_filters"]
    _check_mode(given["image_tag_mutability"], filters)
    answer = _put_image_tag_mutability(self, **given)
    return {**answer, "imageTagMutabilityExclusionFilters": filters}


def _put_replication_configuration(
    self: ECRBackend, replication_config: dict[str, Any]
) -> dict[str, Any]:
    for rule in replication_config["rules"]:
        for destination in rule["destinations"]:
            if (destination["region"], destination["registryId"]) == (
                self.region_name,
                self.account_id,
            ):
                raise InvalidParameterException(
                    "Invalid parameter at 'replicationConfiguration' failed to satisfy constraint: "
                    "'Replication destination cannot be the same as the source registry'"
                )
    self.replication_config = replication_config
    return {"replicationConfiguration": replication_config}


def install() -> None:
    """Correct the settings of repositories and of the registry."""
    separated = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*"
    moto.ecr.models.ECR_REPOSITORY_NAME_PATTERN = f"{separated}(?:/{separated})*"
    backend: Any = ECRBackend
    backend._validate_mutability_exclusion_filters = _wrong_filters
    backend.validate_image_tag_mutability_params_compatibility = staticmethod(_check_mode)
    backend.put_image_tag_mutability = _put_checked_mutability
    backend.put_replication_configuration = _put_replication_configuration
