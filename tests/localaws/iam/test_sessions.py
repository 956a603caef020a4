"""Whoever has assumed a role may do what the role allows."""

from __future__ import annotations

from datetime import timedelta

import pytest
import requests
from moto.core.utils import utcnow
from moto.sts.models import sts_backends

from localaws.aws import ACCOUNT
from localaws.server import LocalAws
from tests.support.localaws.iam import HERE, Session, allow, document, refusal, role

PLAN = f"arn:aws:ssm:{HERE}:parameter/plan"


def test_a_session_may_do_what_its_role_allows_and_nothing_else(aws: LocalAws) -> None:
    aws.client("ssm").put_parameter(Name="/plan", Value="{}", Type="String", Overwrite=True)
    name = role(aws, allow("ssm:GetParameter", PLAN))
    session = Session(aws, name)
    assert session.client("ssm").get_parameter(Name="/plan")["Parameter"]["Value"] == "{}"
    assert session.refusal("ssm", "put_parameter", Name="/plan", Value="", Type="String") == (
        f"AccessDeniedException 400 User: arn:aws:sts::{ACCOUNT}:assumed-role/{name}/jo is not"
        f" authorized to perform: ssm:PutParameter on resource: {PLAN} because no identity-based"
        " policy allows the ssm:PutParameter action"
    )


def test_a_change_of_the_role_counts_for_the_next_call_of_a_session(aws: LocalAws) -> None:
    name = role(aws)
    session = Session(aws, name)
    assert session.refusal("ssm", "get_parameter", Name="/plan") != ""
    iam = aws.client("iam")
    policy = iam.create_policy(
        PolicyName=name, PolicyDocument=document(allow("ssm:GetParameter", PLAN))
    )["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    assert session.refusal("ssm", "get_parameter", Name="/plan") == ""
    iam.detach_role_policy(RoleName=name, PolicyArn=policy)
    assert session.refusal("ssm", "get_parameter", Name="/plan") != ""


def test_two_sessions_of_one_role_are_named_apart(aws: LocalAws) -> None:
    name = role(aws)
    for person in ("jo", "ada"):
        session = Session(aws, name, person)
        assert session.client("sts").get_caller_identity()["Arn"] == session.arn
        denied = session.refusal("ssm", "get_parameter", Name="/plan")
        assert f"assumed-role/{name}/{person} is not" in denied


def test_a_call_without_a_rule_is_not_implemented_for_a_session_either(aws: LocalAws) -> None:
    denied = Session(aws, role(aws, allow("*"))).refusal("ecs", "list_clusters")
    assert denied.startswith("NotImplemented 501")
    assert "localaws/iam/required_permissions.py has no rule" in denied


def test_the_calls_of_a_session_are_not_listed_among_those_of_functions(aws: LocalAws) -> None:
    before = requests.get(f"{aws.url}/_localaws/calls", timeout=10).json()
    Session(aws, role(aws)).refusal("ssm", "get_parameter", Name="/plan")
    assert requests.get(f"{aws.url}/_localaws/calls", timeout=10).json() == before


def test_a_role_that_does_not_exist_is_not_assumed(aws: LocalAws) -> None:
    none = f"arn:aws:iam::{ACCOUNT}:role/none"
    denied = refusal(aws.client("sts"), "assume_role", RoleArn=none, RoleSessionName="jo")
    assert denied.startswith("AccessDenied ")
    assert denied.endswith(f"is not authorized to perform: sts:AssumeRole on resource: {none}")


@pytest.mark.parametrize(
    ("name", "narrowing"),
    [
        ("Policy", {"Policy": document(allow("*"))}),
        ("PolicyArns", {"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]}),
        ("Tags", {"Tags": [{"Key": "team", "Value": "shop"}]}),
        ("SourceIdentity", {"SourceIdentity": "jo"}),
    ],
)
def test_what_narrows_a_session_is_not_implemented(
    aws: LocalAws, name: str, narrowing: dict[str, object]
) -> None:
    arn = aws.client("iam").get_role(RoleName=role(aws))["Role"]["Arn"]
    denied = refusal(
        aws.client("sts"), "assume_role", RoleArn=arn, RoleSessionName="jo", **narrowing
    )
    assert denied.startswith("NotImplemented 501")
    assert denied.endswith(f"AssumeRole with {name}")


def test_a_session_of_a_role_that_was_deleted_does_nothing(aws: LocalAws) -> None:
    name = role(aws)
    session = Session(aws, name)
    aws.client("iam").delete_role(RoleName=name)
    denied = session.refusal("ssm", "get_parameter", Name="/plan")
    assert denied.startswith("NotImplemented 501")
    assert denied.endswith(
        f"a session of role arn:aws:iam::{ACCOUNT}:role/{name}, which was deleted"
    )


def test_an_expired_session_does_nothing(aws: LocalAws) -> None:
    session = Session(aws, role(aws, allow("*")))
    key = session.credentials["AccessKeyId"]
    found = sts_backends[ACCOUNT]["aws"].get_assumed_role_from_access_key(key)
    assert found is not None
    found.expiration = utcnow() - timedelta(seconds=1)
    denied = session.refusal("ssm", "get_parameter", Name="/plan")
    assert denied.startswith("NotImplemented 501")
    assert "an expired session of role" in denied
