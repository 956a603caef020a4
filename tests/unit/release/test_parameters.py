"""Reading SSM's parameters."""

from __future__ import annotations

import pytest

from slipway.errors import AwsRefused, AwsUnavailable, InvalidInput
from slipway.release.parameters import read_parameter, read_plan
from tests.support.pushes import FREEZE, PARAMETER, frozen, planned, unfrozen


def test_a_parameter_is_read_as_its_text(ssm):
    frozen(ssm, text="[] ")

    assert read_parameter(FREEZE, ssm.client) == "[] "


def test_a_parameter_that_does_not_exist_is_read_as_none(ssm):
    unfrozen(ssm)

    assert read_parameter(FREEZE, ssm.client) is None


def test_a_parameter_is_read_anew_each_time(ssm):
    frozen(ssm, text="1")
    frozen(ssm, text="2")

    assert [read_parameter(FREEZE, ssm.client) for _ in range(2)] == ["1", "2"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [("AccessDeniedException", AwsRefused), ("ThrottlingException", AwsUnavailable)],
)
def test_a_parameter_that_could_not_be_read_is_not_taken_for_missing(ssm, code, kind):
    ssm.refuses("get_parameter", code)

    with pytest.raises(kind, match=f"{code} from ssm:GetParameter on {FREEZE}"):
        read_parameter(FREEZE, ssm.client)


def test_the_plan_of_a_repository_is_in_a_parameter_of_its_name(ssm):
    planned(ssm)

    assert read_plan("shop/api", ssm.client).route_for("v2")


def test_a_repository_without_a_parameter_has_no_plan(ssm):
    unfrozen(ssm)

    assert read_plan("shop/api", ssm.client) is None


def test_a_parameter_that_holds_no_plan_is_an_error_that_names_it(ssm):
    planned(ssm, text="{}")

    with pytest.raises(InvalidInput, match=f"SSM parameter {PARAMETER}"):
        read_plan("shop/api", ssm.client)
