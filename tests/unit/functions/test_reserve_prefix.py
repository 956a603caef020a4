"""The custom resource Prefix: one stack has it, and another one is told which."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.custom_resources import STACK, CloudFormation
from tests.support.stubs import Stubbed

NAME = "/slipway/slipway-stack"
OTHER = STACK.replace("/slipway/", "/shop/")


def asked(cloudformation: CloudFormation, kind: str = "Create", **changes: Any) -> dict[str, Any]:
    return cloudformation.asked("reserve_prefix", kind, {"Name": NAME}, **changes)


def holds(ssm: Stubbed, stack: str) -> None:
    """Expect GetParameter; this stack has the prefix."""
    answer = {"Parameter": {"Name": NAME, "Value": stack, "Type": "String"}}
    ssm.answers("get_parameter", answer, Name=NAME, WithDecryption=False)


def is_taken(ssm: Stubbed, stack: str) -> None:
    """Expect PutParameter, which fails because this stack has the prefix."""
    ssm.refuses("put_parameter", "ParameterAlreadyExists")
    holds(ssm, stack)


def test_the_first_stack_gets_the_prefix(cloudformation, ssm):
    ssm.answers("put_parameter", {"Version": 1}, Name=NAME, Value=STACK, Type="String")

    answer = asked(cloudformation)

    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", NAME)


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_a_stack_that_has_the_prefix_keeps_it(kind, cloudformation, ssm):
    is_taken(ssm, STACK)

    assert asked(cloudformation, kind)["Status"] == "SUCCESS"


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_a_second_stack_is_refused_and_told_which_one_has_the_prefix(kind, cloudformation, ssm):
    is_taken(ssm, OTHER)

    answer = asked(cloudformation, kind)

    assert answer["Status"] == "FAILED"
    assert answer["Reason"] == (
        "stack shop has ParameterPrefix /slipway already: choose another ParameterPrefix for this stack. If "
        f"that stack ({OTHER}) no longer exists, delete SSM parameter {NAME}"
    )


def test_a_stack_of_the_same_name_that_was_deleted_is_another_stack(cloudformation, ssm):
    is_taken(ssm, STACK.replace("9a147874", "0b258985"))

    assert asked(cloudformation)["Reason"].startswith("stack slipway has ParameterPrefix /slipway")


def test_a_parameter_that_was_written_by_somebody_else_is_quoted(cloudformation, ssm):
    is_taken(ssm, "mine")

    assert asked(cloudformation)["Reason"].startswith("stack mine has ParameterPrefix /slipway")


def test_a_prefix_that_became_free_meanwhile_is_to_be_tried_again(cloudformation, ssm):
    ssm.refuses("put_parameter", "ParameterAlreadyExists")
    ssm.refuses("get_parameter", "ParameterNotFound")

    answer = asked(cloudformation)

    assert answer["Status"] == "FAILED"
    assert answer["Reason"] == "ParameterPrefix /slipway was in use until a moment ago: try again"


def test_a_refusal_of_ssm_is_answered_as_a_failure(cloudformation, ssm):
    ssm.refuses("put_parameter", "AccessDeniedException", "not you")

    answer = asked(cloudformation)

    assert answer["Status"] == "FAILED"
    assert answer["Reason"] == f"AccessDeniedException from ssm:PutParameter on {NAME}: not you"


def test_a_stack_frees_its_prefix_when_it_is_deleted(cloudformation, ssm):
    holds(ssm, STACK)
    ssm.answers("delete_parameter", {}, Name=NAME)

    assert asked(cloudformation, "Delete", PhysicalResourceId=NAME)["Status"] == "SUCCESS"


def test_a_stack_that_did_not_get_the_prefix_does_not_free_that_of_the_other(cloudformation, ssm):
    holds(ssm, OTHER)

    assert asked(cloudformation, "Delete", PhysicalResourceId=NAME)["Status"] == "SUCCESS"


def test_a_prefix_that_is_free_already_is_no_error(cloudformation, ssm):
    ssm.refuses("get_parameter", "ParameterNotFound")

    assert asked(cloudformation, "Delete", PhysicalResourceId=NAME)["Status"] == "SUCCESS"


@pytest.mark.parametrize(
    ("code", "status"), [("ParameterNotFound", "SUCCESS"), ("AccessDeniedException", "FAILED")]
)
def test_a_deletion_fails_unless_the_parameter_is_gone(cloudformation, ssm, code, status):
    holds(ssm, STACK)
    ssm.refuses("delete_parameter", code)

    assert asked(cloudformation, "Delete", PhysicalResourceId=NAME)["Status"] == status
