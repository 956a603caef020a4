"""Published versions and aliases: what keeps what it was, and what names which of them."""

from __future__ import annotations

import io
import json
import sys
import textwrap
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.lambda_ import awslambda
from localaws.server import LocalAws
from tests.support.localaws.iam import Function as Caller
from tests.support.localaws.iam import allow
from tests.support.localaws.sns import unique
from tests.support.waiting import wait_for

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
SAYS = """
import os

def handler(event, context):
    return {{
        "code": "{code}",
        "variable": os.environ.get("VARIABLE"),
        "version": context.function_version,
        "environment": os.environ["AWS_LAMBDA_FUNCTION_VERSION"],
        "arn": context.invoked_function_arn,
        "stream": context.log_stream_name,
        "process": os.getpid(),
    }}
"""


def zipped(source: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as artifact:
        # A time of its own would give the same source another hash.
        artifact.writestr(zipfile.ZipInfo("app.py"), textwrap.dedent(source))
    return packed.getvalue()


class Function:
    """A function that says which code and configuration it runs with."""

    def __init__(self, aws: LocalAws, **settings: Any) -> None:
        self.aws, self.client, self.name = aws, aws.client("lambda"), unique("versioned")
        self.arn = ARN + self.name
        iam = aws.client("iam")
        role = iam.create_role(RoleName=self.name, AssumeRolePolicyDocument="{}")["Role"]
        self.client.create_function(
            FunctionName=self.name,
            Role=role["Arn"],
            Runtime=f"python3.{sys.version_info.minor}",
            Handler="app.handler",
            Code={"ZipFile": zipped(SAYS.format(code="one"))},
            **{"Timeout": 30, **settings},
        )

    def code(self, name: str) -> None:
        source = zipped(SAYS.format(code=name))
        self.client.update_function_code(FunctionName=self.name, ZipFile=source)

    def configure(self, **settings: Any) -> None:
        self.client.update_function_configuration(FunctionName=self.name, **settings)

    def variable(self, value: str) -> None:
        self.configure(Environment={"Variables": {"VARIABLE": value}})

    def publish(self) -> str:
        return str(self.client.publish_version(FunctionName=self.name)["Version"])

    def published(self) -> list[str]:
        found = self.client.list_versions_by_function(FunctionName=self.name)["Versions"]
        return [each["Version"] for each in found]

    def alias(self, version: str, name: str = "live") -> str:
        made = self.client.create_alias(FunctionName=self.name, Name=name, FunctionVersion=version)
        return str(made["AliasArn"])

    def says(self, qualifier: str | None = None) -> dict[str, Any]:
        return said(self.aws, self.name, **({"Qualifier": qualifier} if qualifier else {}))


def said(aws: LocalAws, function: str, **more: str) -> dict[str, Any]:
    answer = aws.client("lambda").invoke(FunctionName=function, Payload=b"{}", **more)
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return {**payload, "executed": answer["ExecutedVersion"]}


@pytest.fixture
def function(aws: LocalAws) -> Function:
    return Function(aws)


def refused(code: str, message: str) -> Any:
    return pytest.raises(ClientError, match=rf"\({code}\).*{message}")


def test_a_version_keeps_its_code_and_configuration_when_the_function_is_updated(
    function: Function,
) -> None:
    function.variable("before")
    one = function.publish()
    function.code("two")
    function.variable("after")
    two = function.publish()
    function.code("three")
    said = {each: function.says(each) for each in (one, two, "$LATEST")}
    assert [(v["code"], v["variable"]) for v in said.values()] == [
        ("one", "before"),
        ("two", "after"),
        ("three", "after"),
    ]
    kept = function.client.get_function_configuration(FunctionName=function.name, Qualifier=one)
    assert kept["Environment"] == {"Variables": {"VARIABLE": "before"}}
    assert kept["FunctionArn"] == f"{function.arn}:1"
    assert function.published() == ["$LATEST", "1", "2"]


def test_a_version_keeps_its_log_group_when_the_functions_changes(function: Function) -> None:
    function.configure(LoggingConfig={"LogFormat": "JSON", "LogGroup": "/before"})
    function.publish()
    function.configure(LoggingConfig={"LogFormat": "Text", "LogGroup": "/after"})
    kept = function.client.get_function_configuration(FunctionName=function.name, Qualifier="1")
    assert kept["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": "/before"}


def test_the_context_names_the_version_and_the_arn_that_was_invoked(function: Function) -> None:
    function.publish()
    alias = function.alias("1")
    by_name, latest = function.says(), function.says("$LATEST")
    by_version, by_alias = said(function.aws, f"{function.arn}:1"), said(function.aws, alias)
    arns = [each["arn"] for each in (by_name, latest, by_version, by_alias)]
    assert arns == [
        function.arn,
        f"{function.arn}:$LATEST",
        f"{function.arn}:1",
        f"{function.arn}:live",
    ]
    for each, version in (
        (by_name, "$LATEST"),
        (latest, "$LATEST"),
        (by_version, "1"),
        (by_alias, "1"),
    ):
        assert {each["version"], each["environment"], each["executed"]} == {version}
        assert f"[{version}]" in each["stream"]


def test_an_asynchronous_invocation_of_an_alias_names_the_alias(function: Function) -> None:
    function.configure(LoggingConfig={"LogFormat": "Text", "LogGroup": f"/{function.name}"})
    source = "def handler(event, context):\n    print(context.invoked_function_arn)\n"
    function.client.update_function_code(FunctionName=function.name, ZipFile=zipped(source))
    function.publish()
    alias = function.alias("1")
    function.client.invoke(FunctionName=alias, InvocationType="Event", Payload=b"{}")
    logs = function.aws.client("logs")

    def lines() -> list[str]:
        groups = logs.describe_log_groups(logGroupNamePrefix=f"/{function.name}")["logGroups"]
        events = logs.filter_log_events(logGroupName=f"/{function.name}") if groups else {}
        return [event["message"].strip() for event in events.get("events", [])]

    wait_for(lambda: alias in lines(), "the line of the function")


def test_each_version_has_processes_of_its_own_which_stay_warm(function: Function) -> None:
    one, latest = function.publish(), function.says()
    first = function.says(one)
    assert first["process"] != latest["process"]
    function.code("two")
    assert function.says()["process"] != latest["process"]  # that of the old code has ended
    assert function.says(one)["process"] == first["process"]


def test_the_next_invocation_of_every_version_is_cold_after_cooling(function: Function) -> None:
    one = function.publish()
    warm = {function.says()["process"], function.says(one)["process"]}
    awslambda.cool()
    assert not warm & {function.says()["process"], function.says(one)["process"]}


def test_nothing_is_published_if_nothing_has_changed_since_the_last_version(
    function: Function,
) -> None:
    assert function.publish() == "1"
    assert function.publish() == "1"
    function.code("one")
    function.configure(Timeout=30)
    assert function.publish() == "1"
    function.configure(Timeout=29)
    assert function.publish() == "2"
    # Not the last version's, although an earlier version's.
    function.configure(Timeout=30)
    assert function.publish() == "3"


def test_settings_that_a_version_does_not_have_make_no_new_one(function: Function) -> None:
    function.publish()
    function.client.tag_resource(Resource=function.arn, Tags={"a": "b"})
    function.client.put_function_concurrency(
        FunctionName=function.name, ReservedConcurrentExecutions=3
    )
    assert function.publish() == "1"


def test_the_number_of_a_deleted_version_is_not_given_again(function: Function) -> None:
    function.publish()
    function.code("two")
    function.publish()
    function.client.delete_function(FunctionName=function.name, Qualifier="2")
    assert function.published() == ["$LATEST", "1"]
    assert function.publish() == "3"


def test_versions_are_listed_by_name_and_by_arn(function: Function) -> None:
    function.publish()
    by_arn = function.client.list_versions_by_function(FunctionName=function.arn)["Versions"]
    assert [each["Version"] for each in by_arn] == function.published() == ["$LATEST", "1"]
    with refused("ResourceNotFoundException", "Function not found"):
        function.client.list_versions_by_function(FunctionName="none")


def test_a_version_cannot_be_changed(function: Function) -> None:
    function.publish()
    with refused("InvalidParameterValueException", "versions other than .LATEST"):
        function.client.update_function_configuration(FunctionName=f"{function.arn}:1", Timeout=3)
    with refused("InvalidParameterValueException", "versions other than .LATEST"):
        function.client.update_function_code(FunctionName=f"{function.arn}:1", ZipFile=zipped(""))


def test_a_version_that_an_alias_names_is_not_deleted(function: Function) -> None:
    function.publish()
    function.alias("1")
    with refused("ResourceConflictException", "aliases reference it: .live."):
        function.client.delete_function(FunctionName=function.name, Qualifier="1")
    function.client.delete_alias(FunctionName=function.name, Name="live")
    function.client.delete_function(FunctionName=f"{function.arn}:1")
    with refused("ResourceNotFoundException", "Function not found"):
        function.says("1")


def test_a_function_is_deleted_with_its_versions_and_aliases(function: Function) -> None:
    function.publish()
    alias = function.alias("1")
    function.says("1")
    function.client.delete_function(FunctionName=function.name)
    for arn in (alias, f"{function.arn}:1"):
        with refused("ResourceNotFoundException", "Function not found"):
            said(function.aws, arn)


def test_an_alias_names_another_version_as_soon_as_it_is_updated(function: Function) -> None:
    function.publish()
    function.code("two")
    function.publish()
    alias = function.alias("1")
    assert said(function.aws, alias)["code"] == "one"
    function.client.update_alias(FunctionName=function.name, Name="live", FunctionVersion="2")
    assert said(function.aws, alias)["code"] == "two"


@pytest.mark.parametrize("version", ["7", "live", "x"])
def test_an_alias_of_a_version_that_does_not_exist_is_refused(
    function: Function, version: str
) -> None:
    function.publish()
    function.alias("1")
    with pytest.raises(ClientError):
        function.alias(version, "other")
    with pytest.raises(ClientError):
        function.client.update_alias(
            FunctionName=function.name, Name="live", FunctionVersion=version
        )


def test_traffic_that_an_alias_would_share_is_not_implemented(function: Function) -> None:
    function.publish()
    routing = {"AdditionalVersionWeights": {"1": 0.5}}
    with refused("NotImplemented", "RoutingConfig"):
        function.client.create_alias(
            FunctionName=function.name, Name="a", FunctionVersion="1", RoutingConfig=routing
        )


def statements(function: Function, qualifier: str | None = None) -> list[tuple[str, str]]:
    of = {"Qualifier": qualifier} if qualifier else {}
    policy = function.client.get_policy(FunctionName=function.name, **of)["Policy"]
    return [(each["Sid"], each["Resource"]) for each in json.loads(policy)["Statement"]]


def test_a_permission_is_for_the_one_qualifier_that_it_was_added_to(function: Function) -> None:
    function.publish()
    alias = function.alias("1")
    grant = {"Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}
    function.client.add_permission(FunctionName=alias, StatementId="of-alias", **grant)
    function.client.add_permission(
        FunctionName=function.name, Qualifier="1", StatementId="of-version", **grant
    )
    function.client.add_permission(FunctionName=function.name, StatementId="of-function", **grant)
    assert statements(function, "live") == [("of-alias", alias)]
    assert statements(function, "1") == [("of-version", f"{function.arn}:1")]
    assert statements(function) == [("of-function", function.arn)]
    with refused("ResourceNotFoundException", "No policy"):
        function.client.remove_permission(FunctionName=function.name, StatementId="of-alias")
    function.client.remove_permission(FunctionName=alias, StatementId="of-alias")
    with refused("ResourceNotFoundException", "does not exist"):
        statements(function, "live")


def test_the_permission_of_an_alias_stays_when_it_names_another_version(
    function: Function,
) -> None:
    function.publish()
    function.code("two")
    function.publish()
    alias = function.alias("1")
    function.client.add_permission(
        FunctionName=alias,
        StatementId="kept",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
    )
    function.client.update_alias(FunctionName=function.name, Name="live", FunctionVersion="2")
    assert statements(function, "live") == [("kept", alias)]


def test_reserved_concurrency_is_for_all_versions_together(function: Function) -> None:
    function.publish()
    function.client.put_function_concurrency(
        FunctionName=function.name, ReservedConcurrentExecutions=0
    )
    with refused("TooManyRequestsException", "Rate Exceeded"):
        function.says("1")
    function.client.delete_function_concurrency(FunctionName=function.name)
    assert function.says("1")["code"] == "one"


def test_a_version_keeps_the_role_that_it_was_published_with(aws: LocalAws) -> None:
    function = Caller(aws, allow("ecs:ListTaskDefinitions"))
    aws.client("lambda").publish_version(FunctionName=function.name)
    role = function.iam.create_role(RoleName=unique("other"), AssumeRolePolicyDocument="{}")["Role"]
    aws.client("lambda").update_function_configuration(FunctionName=function.name, Role=role["Arn"])
    assert function.client("ecs", "1").list_task_definitions()["taskDefinitionArns"] is not None
    with refused("AccessDeniedException", f"assumed-role/{role['RoleName']}/{function.name} is"):
        function.client("ecs").list_task_definitions()
