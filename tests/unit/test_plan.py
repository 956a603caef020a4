"""Reading a plan: its defaults, its routes, and what is said of a wrong one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slipway.errors import InvalidInput
from slipway.plan import PARAMETER_PREFIX, Plan, Policy, parameter_name, parse_plan

STEPS_OF_ONE_POLL = 9  # events: three states entered and left, a task scheduled, started, succeeded
HISTORY = 25_000


def service(**changes: Any) -> dict[str, Any]:
    return {"service": "staging/api"} | changes


def stage(*services: dict[str, Any], name: str = "staging") -> dict[str, Any]:
    return {"name": name, "services": list(services) or [service()]}


def route(*tags: str, stages: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"tags": list(tags) or ["v*"], "stages": stages or [stage()]}


def read(*routes: Any) -> Plan:
    return parse_plan(json.dumps({"routes": list(routes)}), "shop/api")


def said(text: str) -> str:
    with pytest.raises(InvalidInput) as raised:
        parse_plan(text, "shop/api")
    return str(raised.value)


def test_the_parameter_is_named_after_the_repository():
    assert parameter_name("shop/api") == PARAMETER_PREFIX + "shop/api"


def test_the_durations_have_defaults():
    planned = read(route()).routes[0].stages[0].services[0].policy()

    assert (planned.bake_seconds, planned.timeout_seconds, planned.poll_seconds) == (300, 1800, 15)
    assert (planned.alarms, planned.container) == ((), None)


def test_the_policy_of_a_service_is_all_but_its_name():
    planned = read(route(stages=[stage(service(alarms=["a"], bake_seconds=0, container="web"))]))

    assert planned.routes[0].stages[0].services[0].policy() == Policy(
        alarms=("a",), bake_seconds=0, container="web"
    )


@pytest.mark.parametrize(
    ("tag", "stages"), [("v1", ["one"]), ("v2-rc", ["one"]), ("main-1", ["two"]), ("x", None)]
)
def test_the_first_route_that_matches_wins(tag, stages):
    plan = read(
        route("v*", stages=[stage(name="one")]),
        route("main-*", "v2-*", stages=[stage(name="two")]),
    )
    found = plan.route_for(tag)

    assert (found and [s.name for s in found.stages]) == stages


@pytest.mark.parametrize(
    ("pattern", "tag", "matches"),
    [
        ("v*", "v1", True),
        ("v*", "V1", False),
        ("V*", "v1", False),
        ("v?", "v12", False),
        ("v[12]", "v2", True),
        ("v[!12]", "v2", False),
        ("*", "anything", True),
        ("main", "main-1", False),
    ],
)
def test_patterns_are_shell_globs_that_tell_upper_from_lower_case(pattern, tag, matches):
    assert (read(route(pattern)).route_for(tag) is not None) is matches


@pytest.mark.parametrize("text", ["", "{", "nope", "{'routes': []}"])
def test_what_is_not_json_is_said_to_be_none(text):
    assert "is not JSON" in said(text)


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_the_message_names_repository_and_parameter(text):
    assert said(text).startswith(
        "the plan of repository shop/api (SSM parameter /slipway/repositories/shop/api) is not "
    )


FIRST = "routes.0.stages.0.services.0"

WRONG = {
    "routes": {"routes": []},
    "routes.0.tags": {"routes": [route() | {"tags": []}]},
    "routes.0.tags.0": {"routes": [route("")]},
    "routes.0.stages": {"routes": [route() | {"stages": []}]},
    "routes.1.stages": {"routes": [route(), {"tags": ["x"]}]},
    "routes.0.stages.0.name": {"routes": [route(stages=[{"services": [service()]}])]},
    "routes.0.stages.0.services": {"routes": [route(stages=[{"name": "s", "services": []}])]},
    f"{FIRST}.service": {"routes": [route(stages=[stage(service(service="api"))])]},
    f"{FIRST}.bake_seconds": {"routes": [route(stages=[stage(service(bake_seconds=-1))])]},
    f"{FIRST}.timeout_seconds": {"routes": [route(stages=[stage(service(timeout_seconds="x"))])]},
    f"{FIRST}.poll_seconds": {"routes": [route(stages=[stage(service(poll_seconds=0))])]},
    f"{FIRST}.alarms": {"routes": [route(stages=[stage(service(alarms="api-5xx"))])]},
    f"{FIRST}.container": {"routes": [route(stages=[stage(service(container=""))])]},
    f"{FIRST}.bake": {"routes": [route(stages=[stage(service(bake=60))])]},
    "stages": {"routes": [route()], "stages": []},
}


@pytest.mark.parametrize(("path", "plan"), WRONG.items(), ids=WRONG)
def test_a_wrong_field_is_named_with_its_path(path, plan):
    assert f"\n  {path}: " in said(json.dumps(plan))


@pytest.mark.parametrize("path", ["routes.0.stages", f"{FIRST}.bake_seconds", "stages"])
def test_nothing_but_the_wrong_field_is_called_wrong(path):
    lines = said(json.dumps(WRONG[path])).splitlines()[1:]

    assert [line.strip().partition(":")[0] for line in lines] == [path]


def test_every_wrong_field_is_named():
    message = said(json.dumps({"routes": [route(stages=[stage(service(bake=1, poll_seconds=0))])]}))

    assert f"{FIRST}.bake: " in message
    assert f"{FIRST}.poll_seconds: " in message


@pytest.mark.parametrize(
    "name", ["api", "a/b/c", "/api", "staging/", "sta ging/api", "staging/api\n", "staging/äpi", ""]
)
def test_a_service_is_named_by_cluster_and_service_only(name):
    assert f"{FIRST}.service: " in said(
        json.dumps({"routes": [route(stages=[stage(service(service=name))])]})
    )


def test_a_service_is_named_once_in_a_stage():
    twice = route(stages=[stage(service(), service())])

    assert "service staging/api is named twice" in said(json.dumps({"routes": [twice]}))


def test_a_stage_is_named_once_in_a_route():
    twice = route(stages=[stage(), stage()])

    assert "stage staging is named twice" in said(json.dumps({"routes": [twice]}))


def test_a_service_may_be_in_two_stages():
    assert read(route(stages=[stage(name="canary"), stage(name="all")]))


def test_polling_too_often_for_the_time_says_how_often_is_possible():
    plan = {"routes": [route(stages=[stage(service(bake_seconds=86_400, poll_seconds=1))])]}

    assert "poll_seconds is too short for this timeout and bake: at least 4" in " ".join(
        said(json.dumps(plan)).split()
    )


@example(200, 900, 1)
@given(st.integers(0, 86_400), st.integers(1, 21_600), st.integers(1, 300))
def test_the_longest_deployment_that_a_plan_allows_fits_into_the_history_of_an_execution(
    bake, timeout, poll
):
    try:
        Policy(bake_seconds=bake, timeout_seconds=timeout, poll_seconds=poll)
    except ValueError:
        return
    recovery = timeout if bake > poll else 0  # the deadline moves once the bake has begun
    longest = timeout + bake + recovery + timeout  # and rolling back has the timeout anew

    assert longest / poll * STEPS_OF_ONE_POLL <= HISTORY
