"""What a function needs to read secrets, the keys of secrets, and containers' logs."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.server import LocalAws
from tests.support.localaws.ecs import unique
from tests.support.localaws.iam import HERE, Function, Statement, allow

VIA = "kms:ViaService"


def via(service: str) -> dict[str, Any]:
    return {"StringEquals": {VIA: f"{service}.us-east-1.amazonaws.com"}}


def secret(aws: LocalAws, **settings: str) -> tuple[str, str]:
    """Its name and its ARN."""
    name = unique("slack/bot")
    made = aws.client("secretsmanager").create_secret(Name=name, SecretString="xoxb", **settings)
    return name, made["ARN"]


def key(aws: LocalAws) -> str:
    return str(aws.client("kms").create_key()["KeyMetadata"]["Arn"])


@pytest.mark.parametrize("by", ["name", "ARN", "ARN without its end"])
def test_a_secret_is_one_resource_by_whichever_name_it_is_asked_for(aws: LocalAws, by: str) -> None:
    name, arn = secret(aws)
    asked = {"name": name, "ARN": arn, "ARN without its end": arn.rpartition("-")[0]}[by]
    function = Function(aws, allow("secretsmanager:GetSecretValue", f"{arn}x"))
    refusal = function.refusal("secretsmanager", "get_secret_value", SecretId=asked)
    assert refusal.startswith("AccessDeniedException 400 ")
    assert f"secretsmanager:GetSecretValue on resource: {arn} because" in refusal
    function.may(allow("secretsmanager:GetSecretValue", arn))
    read = function.client("secretsmanager").get_secret_value(SecretId=asked)
    assert read["SecretString"] == "xoxb"


def test_a_secret_that_is_not_there_is_refused_where_the_policy_does_not_name_it(
    aws: LocalAws,
) -> None:
    function = Function(
        aws, allow("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{HERE}:secret:a-*")
    )
    ask = {"service": "secretsmanager", "call": "get_secret_value"}
    refusal = function.refusal(*ask.values(), SecretId="b-none")
    assert f"on resource: arn:aws:secretsmanager:{HERE}:secret:b-none because" in refusal
    assert function.refusal(*ask.values(), SecretId="a-none").startswith(
        "ResourceNotFoundException"
    )


KEY_CONDITIONS: list[tuple[Statement | None, bool]] = [
    (None, False),
    (allow("kms:Decrypt", "KEY", Condition=via("ssm")), False),
    (allow("kms:Decrypt", "KEY", Condition=via("secretsmanager")), True),
    (allow("kms:Decrypt", f"arn:aws:kms:{HERE}:key/other"), False),
    (allow("kms:Decrypt", "KEY"), True),
]


@pytest.mark.parametrize(("statement", "reads"), KEY_CONDITIONS)
def test_a_secret_with_a_key_of_ones_own_needs_the_key_too(
    aws: LocalAws, statement: Statement | None, reads: bool
) -> None:
    encrypting = key(aws)
    name, arn = secret(aws, KmsKeyId=encrypting)
    statements = [allow("secretsmanager:GetSecretValue", arn)]
    if statement:
        statements.append(
            {**statement, "Resource": statement["Resource"].replace("KEY", encrypting)}
        )
    function = Function(aws, *statements)
    refusal = function.refusal("secretsmanager", "get_secret_value", SecretId=name)
    assert (refusal == "") is reads
    assert reads or f"kms:Decrypt on resource: {encrypting} because" in refusal


def test_a_secure_string_with_a_key_of_ones_own_needs_the_key_to_be_decrypted(
    aws: LocalAws,
) -> None:
    encrypting, name = key(aws), f"/{unique('slack')}"
    aws.client("kms").create_alias(AliasName=f"alias{name}", TargetKeyId=encrypting)
    ssm = aws.client("ssm")
    ssm.put_parameter(Name=name, Value="xoxb", Type="SecureString", KeyId=f"alias{name}")
    reading = allow("ssm:GetParameter", f"arn:aws:ssm:{HERE}:parameter{name}")
    function = Function(aws, reading)
    ask = {"Name": name, "WithDecryption": True}
    assert function.refusal("ssm", "get_parameter", Name=name) == ""
    refusal = function.refusal("ssm", "get_parameter", **ask)
    assert refusal.startswith("AccessDeniedException 400 ")
    assert f"kms:Decrypt on resource: {encrypting} because" in refusal
    context = {"kms:EncryptionContext:PARAMETER_ARN": f"arn:aws:ssm:{HERE}:parameter{name}"}
    narrow = {"StringEquals": {**via("ssm")["StringEquals"], **context}}
    function.may(reading, allow("kms:Decrypt", encrypting, Condition=narrow))
    read = function.client("ssm").get_parameter(**ask)
    assert read["Parameter"]["Value"] == "xoxb"


def test_awss_own_key_may_be_used_by_whoever_may_read_the_parameter(aws: LocalAws) -> None:
    name = f"/{unique('slack')}"
    aws.client("ssm").put_parameter(Name=name, Value="xoxb", Type="SecureString")
    function = Function(aws, allow("ssm:GetParameter", f"arn:aws:ssm:{HERE}:parameter{name}"))
    for asked in (name, f"arn:aws:ssm:{HERE}:parameter{name}"):
        read = function.client("ssm").get_parameter(Name=asked, WithDecryption=True)
        assert read["Parameter"]["Value"] == "xoxb"


def test_decrypting_without_a_service_is_not_implemented(aws: LocalAws) -> None:
    refusal = Function(aws, allow("*")).refusal("kms", "decrypt", CiphertextBlob=b"c")
    assert refusal.startswith("NotImplemented 501")


@pytest.mark.parametrize(
    "group",
    [{"logGroupName": "GROUP"}, {"logGroupIdentifier": f"arn:aws:logs:{HERE}:log-group:GROUP"}],
)
def test_reading_a_log_needs_its_stream(aws: LocalAws, group: dict[str, str]) -> None:
    logs, name, stream = aws.client("logs"), unique("/ecs/api"), "task/app/0123"
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName=stream)
    ask = {k: v.replace("GROUP", name) for k, v in group.items()} | {"logStreamName": stream}
    arn = f"arn:aws:logs:{HERE}:log-group:{name}:log-stream:{stream}"
    function = Function(aws, allow("logs:GetLogEvents", f"arn:aws:logs:{HERE}:log-group:{name}"))
    refusal = function.refusal("logs", "get_log_events", **ask)
    assert refusal.startswith("AccessDeniedException 400 ")
    assert f"logs:GetLogEvents on resource: {arn} because" in refusal
    for allowed in (arn, "arn:aws:logs:*:123456789012:log-group:*:log-stream:*"):
        function.may(allow("logs:GetLogEvents", allowed))
        assert function.refusal("logs", "get_log_events", **ask) == ""
