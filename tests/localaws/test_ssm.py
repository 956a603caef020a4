"""What PutParameter refuses: values that are too long for their tier, and names that are none."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.aws import ACCOUNT, REGION
from localaws.server import LocalAws

ADVANCED = "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from"


@pytest.fixture
def name() -> str:
    return f"/test-{uuid.uuid4()}"


def put(aws: LocalAws, name: str, value: str, **more: Any) -> str:
    """Put a parameter, and return its tier, on which DescribeParameters agrees."""
    ssm = aws.client("ssm")
    answer = ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True, **more)
    asked = [{"Key": "Name", "Values": [name]}]
    [described] = ssm.describe_parameters(ParameterFilters=asked)["Parameters"]
    assert described["Tier"] == answer["Tier"]
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == value
    return str(answer["Tier"])


def refused(aws: LocalAws, name: str, value: str = "v", **more: Any) -> str:
    """The code and the message with which PutParameter is refused."""
    with pytest.raises(ClientError) as error:
        aws.client("ssm").put_parameter(Name=name, Value=value, Type="String", **more)
    found = error.value.response["Error"]
    return f"{found['Code']}: {found['Message']}"


@pytest.mark.parametrize("tier", [{}, {"Tier": "Standard"}])
def test_a_standard_parameter_has_4096_characters_at_most(aws, name, tier):
    assert put(aws, name, "v" * 4096, **tier) == "Standard"
    assert refused(aws, name, "v" * 4097, Overwrite=True, **tier).startswith(
        "ValidationException: Standard tier parameters support a maximum parameter value of 4096"
        " characters. To create a larger parameter value, upgrade"
    )
    assert put(aws, name, "ü" * 4096, **tier) == "Standard"


def test_an_advanced_parameter_has_8192_characters_at_most(aws, name):
    assert put(aws, name, "v" * 8192, Tier="Advanced") == "Advanced"
    for tier in ("Advanced", "Intelligent-Tiering"):
        assert refused(aws, name, "v" * 8193, Overwrite=True, Tier=tier) == (
            "ValidationException: The specified parameter value is too large. Advanced-tier"
            " parameters support a maximum parameter value of 8192 characters."
        )


def test_intelligent_tiering_takes_the_tier_that_the_value_needs(aws, name):
    assert put(aws, name, "v" * 4096, Tier="Intelligent-Tiering") == "Standard"
    assert put(aws, name, "v" * 4097, Tier="Intelligent-Tiering") == "Advanced"
    assert put(aws, name, "v", Tier="Intelligent-Tiering") == "Advanced"


def test_intelligent_tiering_takes_the_advanced_tier_for_a_parameter_with_policies(aws, name):
    assert put(aws, name, "v", Tier="Intelligent-Tiering", Policies="[{}]") == "Advanced"


def test_an_advanced_parameter_does_not_become_a_standard_one_again(aws, name):
    put(aws, name, "v", Tier="Advanced")
    assert ADVANCED in refused(aws, name, Overwrite=True, Tier="Standard")
    assert put(aws, name, "v" * 4097) == "Advanced"


@pytest.mark.parametrize("wrong", ["/a b", "/ä", "/a:1", "/a@b", "/a+b"])
def test_a_name_with_another_sign_is_refused(aws, wrong):
    assert refused(aws, wrong).startswith("ValidationException: Parameter name: ")


def test_a_path_begins_with_a_slash(aws):
    assert "fully qualified name" in refused(aws, "a/b")


def test_a_path_has_fifteen_levels_at_most(aws, name):
    put(aws, name + "/x" * 14, "v")
    assert refused(aws, name + "/x" * 15).startswith("HierarchyLevelLimitExceededException: ")


def test_a_name_has_1011_characters_at_most_with_its_arn(aws, name):
    longest = 1011 - len(f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/")
    put(aws, name.ljust(longest, "x"), "v")
    assert refused(aws, name.ljust(longest + 1, "x")).startswith("ValidationException: ")


def test_a_page_of_a_path_has_ten_parameters_and_never_more(aws, name):
    ssm = aws.client("ssm")
    for number in range(11):
        put(aws, f"{name}/{number}", "v")

    page = ssm.get_parameters_by_path(Path=name)

    assert len(page["Parameters"]) == 10
    rest = ssm.get_parameters_by_path(Path=name, NextToken=page["NextToken"])
    assert (len(rest["Parameters"]), rest.get("NextToken")) == (1, None)
    with pytest.raises(ClientError, match="less than or equal to 10"):
        ssm.get_parameters_by_path(Path=name, MaxResults=11)
