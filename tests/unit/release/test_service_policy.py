"""A service's policy admits repositories, and adds gates to their plans without making any weaker."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.errors import InvalidInput
from slipway.model import parse_written
from slipway.release.freeze import DatedWindow, frozen_until
from slipway.release.plan import Policy
from slipway.release.service_policy import (
    ServicePolicy,
    admitted,
    parse_service_policy,
    policy_of,
)
from tests.support.builders import NOW, SERVICE, policy
from tests.support.paths import REPO

PARAMETER = "/slipway/services/production/api"
WINDOW = {"from": "2026-12-23T00:00:00Z", "until": "2027-01-02T00:00:00Z"}
WEEKEND = {"cron": "0 18 * * FRI", "hours": 62}
BLOCKING = {"name": "api-5xx", "when_firing": "block"}


def of_service(**given: Any) -> ServicePolicy:
    return parse_written(ServicePolicy, {"repositories": ["shop/api"], **given}, "the policy")


def planned(**given: Any) -> Policy:
    return parse_written(Policy, given, "the plan")


def merged(plan: dict[str, Any], service: dict[str, Any]) -> Policy:
    return policy_of(SERVICE, planned(**plan), of_service(**service))


# --- reading ----------------------------------------------------------------------------------------


def test_a_policy_may_only_name_the_repositories():
    read = parse_service_policy('{"repositories": ["shop/api", "shop/web"]}', SERVICE)

    assert read.repositories == ("shop/api", "shop/web")


WRONG = {
    "no repositories": ({}, "repositories: it is missing"),
    "no repository": ({"repositories": []}, "repositories: it must not be empty"),
    "a pattern": ({"repositories": ["shop/*"]}, "repositories.0: it has to match"),
    "a URI": ({"repositories": ["1.dkr.ecr/a:v1"]}, "repositories.0: it has to match"),
    "a misspelt name": ({"repositories": ["a"], "bake": 1}, "bake: there is no such name here"),
    "a service": ({"repositories": ["a"], "service": "a/b"}, "service: there is no such name"),
    "a number as text": ({"repositories": ["a"], "bake_seconds": "60"}, "bake_seconds: "),
    "no time at all": ({"repositories": ["a"], "timeout_seconds": 0}, "timeout_seconds: "),
    "an alarm twice": (
        {"repositories": ["a"], "alarms": ["x", BLOCKING | {"name": "x"}]},
        "alarms: an alarm is named twice: x",
    ),
    "a wrong limit": (
        {"repositories": ["a"], "failed_tasks": "half"},
        "failed_tasks: ",
    ),
    "a wrong window": ({"repositories": ["a"], "freeze": [{"cron": "x"}]}, "freeze.0.cron: "),
    "a list": ([], "as a whole: "),
}


@pytest.mark.parametrize(("value", "why"), WRONG.values(), ids=WRONG)
def test_an_invalid_policy_is_refused_with_its_parameter_and_the_path_of_the_field(value, why):
    with pytest.raises(InvalidInput) as raised:
        parse_service_policy(json.dumps(value), SERVICE)

    first, *lines = str(raised.value).splitlines()
    assert first == f"the policy of service {SERVICE} (SSM parameter {PARAMETER}) is not valid:"
    assert any(line.strip().startswith(why) for line in lines), lines


@pytest.mark.parametrize("text", ["", "{", '{"repositories": ["a"], "repositories": ["b"]}'])
def test_a_text_that_is_not_json_or_says_a_thing_twice_is_refused_with_its_parameter(text):
    with pytest.raises(InvalidInput, match=rf"\(SSM parameter {PARAMETER}\) is not"):
        parse_service_policy(text, SERVICE)


def test_the_schema_takes_what_is_read_and_refuses_a_misspelt_name():
    schema = json.loads((REPO / "docs" / "service-policy.schema.json").read_text())
    whole = {"repositories": ["shop/api"], "alarms": ["a", BLOCKING], "freeze": [WINDOW, WEEKEND]}

    jsonschema.validate(whole, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(whole | {"bake": 1}, schema)


# --- who may deploy ---------------------------------------------------------------------------------


@pytest.mark.parametrize("required", [False, True])
def test_a_repository_that_the_service_names_is_admitted(required):
    assert admitted("shop/api", SERVICE, policy(), of_service(), required=required) == policy()


@pytest.mark.parametrize("repository", ["shop/web", "shop/api2", "shop", "shop/api/x"])
def test_another_repository_is_refused_with_both_parameters_that_could_be_changed(repository):
    with pytest.raises(InvalidInput) as raised:
        admitted(repository, SERVICE, policy(), of_service(), required=False)

    assert str(raised.value) == (
        f"service {SERVICE} does not admit repository {repository}: add the repository to "
        f'"repositories" in SSM parameter {PARAMETER}, or take the service out of the plan in SSM parameter '
        f"/slipway/repositories/{repository}"
    )


def test_a_service_without_a_policy_takes_the_plans_if_none_is_required():
    assert admitted("shop/api", SERVICE, policy(), None, required=False) == policy()


def test_a_service_without_a_policy_is_refused_if_one_is_required():
    with pytest.raises(InvalidInput) as raised:
        admitted("shop/api", SERVICE, policy(), None, required=True)

    assert str(raised.value) == (
        f"service {SERVICE} has no policy, and this stack deploys only to services that have one "
        '(ServicePolicies=required): put {"repositories": ["shop/api"]} at SSM parameter '
        f"{PARAMETER}"
    )


# --- what both require ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "plan", "service", "both"),
    [
        ("bake_seconds", 60, 600, 600),
        ("bake_seconds", 600, 60, 600),
        ("bake_seconds", 60, 0, 60),
        ("timeout_seconds", 60, 600, 60),
        ("timeout_seconds", 600, 60, 60),
        ("poll_seconds", 15, 5, 5),
        ("poll_seconds", 5, 15, 5),
        ("container", None, "app", "app"),
        ("container", "app", "app", "app"),
    ],
)
def test_of_two_values_the_stricter_one_applies(field, plan, service, both):
    assert getattr(merged({field: plan}, {field: service}), field) == both


@pytest.mark.parametrize(
    ("plan", "service", "of"),
    [
        ({}, {}, {1: 2, 10: 2}),
        ({"failed_tasks": 5}, {"failed_tasks": 3}, {1: 3, 10: 3}),
        ({"failed_tasks": 3}, {"failed_tasks": 5}, {1: 3, 10: 3}),
        ({"failed_tasks": "20%"}, {"failed_tasks": "50%"}, {1: 1, 10: 2}),
        ({"failed_tasks": 3}, {"failed_tasks": "50%"}, {1: 1, 4: 2, 10: 3}),
        ({"failed_tasks": "50%"}, {"failed_tasks": 3}, {1: 1, 4: 2, 10: 3}),
        ({}, {"failed_tasks": "50%"}, {1: 1, 4: 2, 10: 2}),
        ({"failed_tasks": "50%"}, {}, {1: 1, 4: 2, 10: 5}),
    ],
)
def test_of_two_limits_of_failed_tasks_the_smaller_one_applies_to_each_desired_count(
    plan, service, of
):
    found = merged(plan, service)

    assert {desired: found.failed_tasks_of(desired) for desired in of} == of
    assert Policy(**found.to_json()) == found  # as the ledger keeps it


def test_what_the_policy_does_not_give_stays_as_planned():
    assert merged({"bake_seconds": 0, "container": "app"}, {}) == planned(
        bake_seconds=0, container="app"
    )


@pytest.mark.parametrize(
    ("plan", "service", "both", "blocking"),
    [
        (["a"], ["b"], ("a", "b"), ()),
        (["a", "b"], ["b"], ("a", "b"), ()),
        (["api-5xx", "b"], [BLOCKING], ("api-5xx", "b"), ("api-5xx",)),
        ([BLOCKING, "b"], ["api-5xx"], ("api-5xx", "b"), ("api-5xx",)),
        ([], [BLOCKING], ("api-5xx",), ("api-5xx",)),
    ],
)
def test_alarms_are_those_of_both_and_block_if_one_says_so(plan, service, both, blocking):
    found = merged({"alarms": plan}, {"alarms": service})

    assert (found.alarm_names, found.blocking) == (both, blocking)


def test_windows_are_those_of_both_each_of_them_once():
    found = merged({"freeze": [WINDOW]}, {"freeze": [WEEKEND, WINDOW]})

    assert found.freeze == (*planned(freeze=[WINDOW, WEEKEND]).freeze,)


def test_two_different_containers_are_refused():
    with pytest.raises(InvalidInput) as raised:
        merged({"container": "app"}, {"container": "api"})

    assert str(raised.value) == (
        f"the plan and the policy of service {SERVICE} (SSM parameter {PARAMETER}) name different "
        "containers: app and api"
    )


@pytest.mark.parametrize(
    ("plan", "service", "why"),
    [
        (
            {"alarms": [f"a{n}" for n in range(100)]},
            {"alarms": ["b"]},
            "alarms: it has to have at most 100",
        ),
        (
            {"freeze": [{"cron": "0 18 * * FRI", "hours": n} for n in range(1, 51)]},
            {"freeze": [WINDOW]},
            "freeze: it has to have at most 50",
        ),
        (
            {"bake_seconds": 86_400, "poll_seconds": 60},
            {"poll_seconds": 1},
            "as a whole: poll_seconds is too short",
        ),
    ],
    ids=["alarms", "windows", "checks"],
)
def test_what_is_too_much_together_is_refused(plan, service, why):
    with pytest.raises(InvalidInput) as raised:
        merged(plan, service)

    first, line = str(raised.value).splitlines()
    assert first == (
        f"what the plan and the policy of service {SERVICE} (SSM parameter {PARAMETER}) require together "
        "is not valid:"
    )
    assert line.strip().startswith(why)


STARTS = st.integers(0, 365 * 24).map(lambda hours: NOW + timedelta(hours=hours))
WINDOWS = st.lists(
    st.builds(
        lambda start, days: DatedWindow(**{"from": start, "until": start + timedelta(days=days)}),
        STARTS,
        st.integers(1, 30),
    ),
    max_size=3,
)
ALARMS = st.lists(
    st.sampled_from("abc").flatmap(
        lambda name: st.sampled_from([name, {"name": name}, {"name": name, "when_firing": "block"}])
    ),
    max_size=3,
    unique_by=lambda alarm: alarm if isinstance(alarm, str) else alarm["name"],
)
# Within these, every combination fits into one execution.
GIVEN = {
    "alarms": ALARMS,
    "bake_seconds": st.integers(0, 3_600),
    "timeout_seconds": st.integers(1, 1_800),
    "poll_seconds": st.integers(5, 300),
    "container": st.sampled_from(["app", None]),
    "freeze": WINDOWS,
}
PLANNED = st.fixed_dictionaries({}, optional=GIVEN).map(lambda given: Policy(**given))
OF_SERVICE = st.fixed_dictionaries({"repositories": st.just(["shop/api"])}, optional=GIVEN).map(
    lambda given: ServicePolicy(**given)
)


@given(PLANNED, OF_SERVICE, STARTS)
def test_no_gate_of_either_is_weaker_in_what_both_require(plan, service, moment):
    both = policy_of(SERVICE, plan, service)

    for each in (plan, service):
        alone = Policy(alarms=each.alarms)
        assert set(alone.alarm_names) <= set(both.alarm_names)
        assert set(alone.blocking) <= set(both.blocking)
        assert both.bake_seconds >= (each.bake_seconds or 0)
        assert both.timeout_seconds <= (each.timeout_seconds or both.timeout_seconds)
        assert both.poll_seconds <= (each.poll_seconds or both.poll_seconds)
        assert both.container == (each.container or both.container)
        until = frozen_until(each.freeze, moment)
        assert until is None or until <= frozen_until(both.freeze, moment)


@given(PLANNED, OF_SERVICE)
def test_nothing_is_required_that_neither_requires(plan, service):
    both = policy_of(SERVICE, plan, service)
    names = {*plan.alarm_names, *Policy(alarms=service.alarms).alarm_names}

    assert set(both.alarm_names) == names
    assert set(both.freeze) == {*plan.freeze, *service.freeze}
    for field in ("bake_seconds", "timeout_seconds", "poll_seconds", "container"):
        assert getattr(both, field) in (getattr(plan, field), getattr(service, field))


@given(PLANNED, OF_SERVICE)
def test_to_add_a_policy_twice_changes_nothing(plan, service):
    once = policy_of(SERVICE, plan, service)

    assert policy_of(SERVICE, once, service) == once
