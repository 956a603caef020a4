"""The custom resource FirstImage: made once, never changed, and CloudFormation always gets an answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.support.handlers import invoked

NAME, IMAGE = "/slipway/images/production/api", "nginx:1"


class CloudFormation:
    """Where the answer goes to."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: list[dict[str, Any]] = []
        self.types: list[str | None] = []
        self.status = 200

    def request(self, kind: str = "Create", **changes: Any) -> dict[str, Any]:
        return {
            "RequestType": kind,
            "ResponseURL": self.url,
            "StackId": "arn:of:the:stack",
            "RequestId": "request-1",
            "ResourceType": "Custom::FirstImage",
            "LogicalResourceId": "FirstImage",
            "ServiceToken": "arn:of:the:function",
            "ResourceProperties": {
                "ServiceToken": "arn:of:the:function",
                "ServiceTimeout": "300",
                "Name": NAME,
                "Value": IMAGE,
            },
            **changes,
        }


@pytest.fixture
def cloudformation() -> Iterator[CloudFormation]:
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.answers.append(json.loads(body))
            made.types.append(self.headers["Content-Type"])
            self.send_response(made.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        made = CloudFormation(f"http://127.0.0.1:{server.server_port}/answer")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def asked(cloudformation: CloudFormation, kind: str = "Create", **changes: Any) -> dict[str, Any]:
    """The one answer to a request."""
    invoked("put_first_image", cloudformation.request(kind, **changes))
    (answer,) = cloudformation.answers
    return answer


def test_the_parameter_is_made_with_the_first_image(cloudformation, ssm):
    ssm.answers("put_parameter", {"Version": 1}, Name=NAME, Value=IMAGE, Type="String")

    assert asked(cloudformation) == {
        "Status": "SUCCESS",
        "PhysicalResourceId": NAME,
        "StackId": "arn:of:the:stack",
        "RequestId": "request-1",
        "LogicalResourceId": "FirstImage",
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
    assert "ResourceProperties.Value: Field required" in answer["Reason"]


def test_an_answer_that_does_not_arrive_fails_the_function_so_that_lambda_tries_again(
    cloudformation, ssm
):
    ssm.answers("put_parameter", {"Version": 1})
    cloudformation.status = 503

    with pytest.raises(HTTPError):
        invoked("put_first_image", cloudformation.request())
