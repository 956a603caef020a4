"""State machines in CloudFormation.

moto puts them into a backend that executes nothing, reads no definition from S3, makes no
substitutions, and does not apply a changed definition. Here they are created through the API, so that
StartExecution finds them.
"""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

import yaml
from typing_extensions import override

from localaws.aws import client
from localaws.cloudformation.engine.resource_type import (
    Naming,
    Properties,
    Resource,
    call,
    pick,
    update_tags,
)
from localaws.cloudformation.engine.syntax import text
from localaws.cloudformation.engine.yaml_loader import AliasError, Loader

_PLACEHOLDER = re.compile(r"\$\{([a-zA-Z0-9_]+)\}")


class StateMachine(Resource):
    """A state machine. The physical id is the ARN."""

    type = "AWS::StepFunctions::StateMachine"
    settings: ClassVar[Properties] = {
        "LoggingConfiguration": {"Level": "OFF", "IncludeExecutionData": False},
        "TracingConfiguration": {"Enabled": False},
    }
    """The settings that an update sends, with the values that stand for those left out."""
    sources = ("Definition", "DefinitionString", "DefinitionS3Location")
    create_only = frozenset({"StateMachineName", "StateMachineType"})
    properties = frozenset(
        {*create_only, *settings, *sources, "DefinitionSubstitutions", "RoleArn", "Tags"}
    )
    attributes = frozenset({"Arn", "Name"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        created = call(
            "stepfunctions",
            "CreateStateMachine",
            Name=properties.get("StateMachineName") or naming.unique(80),
            Definition=self._definition(properties),
            Type=properties.get("StateMachineType", "STANDARD"),
            Tags=properties.get("Tags", []),
            **pick(properties, "RoleArn", *self.settings),
        )
        return str(created["stateMachineArn"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        call(
            "stepfunctions",
            "UpdateStateMachine",
            StateMachineArn=physical_id,
            Definition=self._definition(properties),
            RoleArn=properties["RoleArn"],
            **{name: properties.get(name, unset) for name, unset in self.settings.items()},
        )
        update_tags("stepfunctions", properties, previous, ResourceArn=physical_id)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("stepfunctions", "DeleteStateMachine", StateMachineArn=physical_id)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return physical_id if name == "Arn" else physical_id.rsplit(":", 1)[1]

    def _definition(self, properties: Properties) -> str:
        given = [source for source in self.sources if source in properties]
        if len(given) != 1:
            raise ValueError(f"{self.type} needs one of {', '.join(self.sources)}")
        substitutions = properties.get("DefinitionSubstitutions", {})
        definition = properties[given[0]]
        if given[0] == "DefinitionS3Location":
            return _as_json(_substitute(_from_s3(definition), substitutions))
        if not isinstance(definition, str):
            definition = json.dumps(definition)
        substituted = _substitute(definition, substitutions)
        _as_json(substituted)  # refuses aliases; Step Functions itself refuses YAML
        return substituted


def _from_s3(location: Properties) -> str:
    version = {"VersionId": location["Version"]} if "Version" in location else {}
    stored = client("s3").get_object(Bucket=location["Bucket"], Key=location["Key"], **version)
    return str(stored["Body"].read().decode())


def _as_json(definition: str) -> str:
    """Step Functions takes only JSON; CloudFormation converts YAML from S3."""
    try:
        json.loads(definition)
    except ValueError:
        pass
    else:
        return definition
    try:
        return json.dumps(yaml.load(definition, Loader))
    except AliasError as error:
        # Of AWS's message only SCHEMA_VALIDATION_FAILED is published:
        # https://github.com/aws-cloudformation/cfn-language-discussion/issues/49
        raise ValueError(
            "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: YAML aliases are not"
            f" allowed: {error}'"
        ) from error


def _substitute(definition: str, values: Properties) -> str:
    """Replace every ${name} in the text, as CloudFormation does before it parses JSON or YAML."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise ValueError(f"the definition has {match[0]}: it is not in DefinitionSubstitutions")
        return text(values[match[1]])

    return _PLACEHOLDER.sub(value, definition)
