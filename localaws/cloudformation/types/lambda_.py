"""Lambda in CloudFormation.

moto loses LoggingConfig and DeadLetterConfig when a function is created, and TracingConfig,
Architectures and others when it is updated: `install` keeps them. moto's CloudFormation has no
EventInvokeConfig (lambda_/destinations.py corrects its API), and does not delete permissions with
their stack.
"""

from __future__ import annotations

import io
import zipfile
from typing import Any, ClassVar

from moto.awslambda.models import LambdaFunction
from typing_extensions import override

from localaws.cloudformation.engine.resource_type import (
    Naming,
    Properties,
    Resource,
    call,
    changed_tags,
    pick,
    tag_map,
)

KEPT = ("LoggingConfig", "DeadLetterConfig", "TracingConfig", "EphemeralStorage")
"""The settings that moto loses when a function is created or updated."""


class Function(Resource):
    """A function. The physical id is the name."""

    type = "AWS::Lambda::Function"
    configuration: ClassVar[Properties] = {
        "DeadLetterConfig": {},
        "Description": "",
        "Environment": {"Variables": {}},
        "EphemeralStorage": {"Size": 512},
        "Handler": "",
        "Layers": [],
        "LoggingConfig": {},
        "MemorySize": 128,
        "Role": "",
        "Runtime": "",
        "Timeout": 3,
        "TracingConfig": {"Mode": "PassThrough"},
    }
    """The properties that an update sends, with the values that stand for those left out."""
    create_only = frozenset({"FunctionName", "PackageType"})
    properties = frozenset(
        {
            *configuration,
            *create_only,
            "Architectures",
            "Code",
            "ReservedConcurrentExecutions",
            "Tags",
        }
    )
    attributes = frozenset({"Arn"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        name = str(properties.get("FunctionName") or naming.unique())
        call(
            "lambda",
            "CreateFunction",
            FunctionName=name,
            Code=_code(properties),
            Tags=tag_map(properties),
            **pick(properties, *self.configuration, "Architectures", "PackageType"),
        )
        return name

    @override
    def complete(self, physical_id: str, properties: Properties) -> None:
        self._reserve_concurrency(physical_id, properties)

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        code = ("Code", "Architectures")
        if pick(properties, *code) != pick(previous, *code):
            call(
                "lambda",
                "UpdateFunctionCode",
                FunctionName=physical_id,
                **_code(properties),
                Architectures=properties.get("Architectures", ["x86_64"]),
            )
        changed = {
            name: properties.get(name, default)
            for name, default in self.configuration.items()
            if properties.get(name) != previous.get(name)
        }
        if changed:
            call("lambda", "UpdateFunctionConfiguration", FunctionName=physical_id, **changed)
        self._reserve_concurrency(physical_id, properties)
        tags, gone = changed_tags(properties, previous)
        arn = self.attribute(physical_id, "Arn")
        if tags:
            call("lambda", "TagResource", Resource=arn, Tags=tags)
        if gone:
            call("lambda", "UntagResource", Resource=arn, TagKeys=gone)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("lambda", "DeleteFunction", FunctionName=physical_id)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        answer = call("lambda", "GetFunctionConfiguration", FunctionName=physical_id)
        return answer["FunctionArn"]

    def _reserve_concurrency(self, name: str, properties: Properties) -> None:
        reserved = pick(properties, "ReservedConcurrentExecutions")
        operation = "PutFunctionConcurrency" if reserved else "DeleteFunctionConcurrency"
        call("lambda", operation, FunctionName=name, **reserved)


class Version(Resource):
    """A published version. The physical id is its ARN."""

    type = "AWS::Lambda::Version"
    properties = frozenset({"FunctionName", "Description"})
    create_only = properties
    attributes = frozenset({"FunctionArn", "Version"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        function = properties["FunctionName"]
        known = call("lambda", "ListVersionsByFunction", FunctionName=function)["Versions"]
        arn = str(call("lambda", "PublishVersion", **properties)["FunctionArn"])
        # Lambda answers with the last version if nothing has changed, but a stack can't have it twice.
        if arn in [version["FunctionArn"] for version in known]:
            raise ValueError(
                f"Version already exists: [{arn}]. Please modify the function to create a new version."
            )
        return arn

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        raise NotImplementedError(f"{self.type}: every property makes a new one")

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("lambda", "DeleteFunction", FunctionName=physical_id)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return physical_id if name == "FunctionArn" else physical_id.rpartition(":")[2]


class Alias(Resource):
    """The name of a version. The physical id is its ARN."""

    type = "AWS::Lambda::Alias"
    create_only = frozenset({"FunctionName", "Name"})
    properties = frozenset({*create_only, "FunctionVersion", "Description"})
    attributes = frozenset({"AliasArn"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        return str(call("lambda", "CreateAlias", **properties)["AliasArn"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        call("lambda", "UpdateAlias", **{"Description": "", **properties})

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("lambda", "DeleteAlias", **pick(properties, "FunctionName", "Name"))

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return physical_id


class Permission(Resource):
    """A statement of a function's policy. The physical id is the statement id."""

    type = "AWS::Lambda::Permission"
    properties = frozenset(
        {"FunctionName", "Action", "Principal", "SourceArn", "SourceAccount", "PrincipalOrgID"}
    )
    create_only = properties

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        statement = naming.unique(100)
        call("lambda", "AddPermission", StatementId=statement, **properties)
        return statement

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        raise NotImplementedError("AWS::Lambda::Permission: every property makes a new one")

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call(
            "lambda",
            "RemovePermission",
            FunctionName=properties["FunctionName"],
            StatementId=physical_id,
        )


class EventInvokeConfig(Resource):
    """The retries and destinations of asynchronous invocations."""

    type = "AWS::Lambda::EventInvokeConfig"
    create_only = frozenset({"FunctionName", "Qualifier"})
    properties = frozenset(
        {
            *create_only,
            "DestinationConfig",
            "MaximumEventAgeInSeconds",
            "MaximumRetryAttempts",
        }
    )

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        if properties.get("Qualifier", "$LATEST") != "$LATEST":
            raise NotImplementedError(f"{self.type}: Qualifier {properties['Qualifier']}")
        call("lambda", "PutFunctionEventInvokeConfig", **properties)
        return naming.unique()

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        call("lambda", "PutFunctionEventInvokeConfig", **properties)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call(
            "lambda",
            "DeleteFunctionEventInvokeConfig",
            FunctionName=properties["FunctionName"],
        )


def _code(properties: Properties) -> Properties:
    """The code in the API's form. ZipFile in a template is the text of a module named index."""
    code: Properties = properties["Code"]
    if "ZipFile" not in code:
        return code
    suffix = ".py" if properties.get("Runtime", "").startswith("python") else ".js"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as module:
        # Without the time: the same text is the same code, of which a function has only one version.
        module.writestr(zipfile.ZipInfo(f"index{suffix}"), code["ZipFile"])
    return {"ZipFile": archive.getvalue()}


def install() -> None:
    """Make a function keep the settings that moto loses."""
    initialise: Any = LambdaFunction.__init__
    describe = LambdaFunction.get_configuration
    change_code = LambdaFunction.update_function_code
    change = LambdaFunction.update_configuration

    def initialise_and_keep(
        self: Any, account_id: str, spec: Properties, *others: Any, **named: Any
    ) -> None:
        initialise(self, account_id, spec, *others, **named)
        self.kept = pick(spec, *KEPT)

    def describe_all(self: Any, on_create: bool = False) -> dict[str, Any]:
        logging = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{self.function_name}"}
        logging.update(self.kept.get("LoggingConfig", {}))
        return {**describe(self, on_create), **self.kept, "LoggingConfig": logging}

    def change_all(self: Any, config_updates: Properties) -> dict[str, Any]:
        self.kept.update(pick(config_updates, *KEPT))
        change(self, config_updates)
        return describe_all(self)

    def change_code_and_architecture(self: Any, updated_spec: Properties) -> dict[str, Any]:
        self.architectures = updated_spec.get("Architectures", self.architectures)
        return change_code(self, updated_spec)

    LambdaFunction.__init__ = initialise_and_keep  # type: ignore[method-assign]
    LambdaFunction.get_configuration = describe_all  # type: ignore[method-assign]
    LambdaFunction.update_configuration = change_all  # type: ignore[method-assign]
    LambdaFunction.update_function_code = change_code_and_architecture  # type: ignore[method-assign]
