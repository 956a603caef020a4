"""The custom resource FirstImage: made once, never changed, and CloudFormation always gets an answer."""

from __future__ import annotations

from typing import Any
from urllib.error import HTTPError

import pytest

from tests.support.custom_resources import STACK, CloudFormation
from tests.support.handlers import invoked

NAME, IMAGE = "/slipway/images/production/api", "nginx:1"
PROPERTIES = {"Name": NAME, "Value": IMAGE}


def asked(cloudformation: CloudFormation, kind: str = "Create", **changes: Any) -> dict[str, Any]:
    return cloudformation.asked("put_first_image", kind, PROPERTIES, **changes)


def test_the_parameter_is_made_with_the_first_image(cloudformation, ssm):
    ssm.answers("put_parameter", {"Version": 1}, Name=NAME, Value=IMAGE, Type="String")

    assert asked(cloudformation) == {
        "Status": "SUCCESS",
        "PhysicalResourceId": NAME,
        "StackId": STACK,
        "RequestId": "request-1",
        "LogicalResourceId": "Resource",
    }
    assert cloudformation.types == [""]


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_a_parameter_that_exists_keeps_its_value(kind, cloudformation, ssm):
    ssm.refuses("put_parameter", "ParameterAlreadyExists")

    answer = asked(cloudformation, kind, PhysicalResourceId=NAME)

    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", NAME)


def test_a_parameter_of_another_name_is_another_resource(cloudformation, ssm):
    ssm.answers("put_parameter", {"Version": 1}, Name=NAME, Value=IMAGE, Type="String")

    answer = asked(cloudformation, "Update", PhysicalResourceId="/slipway/images/old/api")

    assert answer["PhysicalResourceId"] == NAME  # CloudFormation then deletes the old one


@pytest.mark.parametrize("there", [True, False])
def test_the_parameter_is_deleted_with_the_stack(there, cloudformation, ssm):
    if there:
        ssm.answers("delete_parameter", {}, Name=NAME)
    else:
        ssm.refuses("delete_parameter", "ParameterNotFound")

    assert asked(cloudformation, "Delete", PhysicalResourceId=NAME)["Status"] == "SUCCESS"


def test_a_refusal_of_ssm_is_answered_to_cloudformation_as_a_failure(cloudformation, ssm):
    ssm.refuses("put_parameter", "AccessDeniedException", "not you")

    answer = asked(cloudformation)

    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", NAME)
    assert answer["Reason"] == (f"AccessDeniedException from ssm:PutParameter on {NAME}: not you")


def test_a_request_that_can_not_be_read_is_answered_as_a_failure(cloudformation):
    answer = asked(cloudformation, ResourceProperties={"Name": NAME})

    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", "none")
    assert "ResourceProperties.Value: it is missing" in answer["Reason"]


def test_an_answer_that_does_not_arrive_fails_the_function_so_that_lambda_tries_again(
    cloudformation, ssm
):
    ssm.answers("put_parameter", {"Version": 1})
    cloudformation.status = 503

    with pytest.raises(HTTPError):
        invoked("put_first_image", cloudformation.request("Create", PROPERTIES))
