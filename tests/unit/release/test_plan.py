"""Reading a plan: its defaults, its routes, and what is said of a wrong one."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slipway.errors import InvalidInput
from slipway.release.plan import Plan, Policy, parse_plan
from tools import schemas

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


def test_the_durations_have_defaults():
    planned = read(route()).routes[0].stages[0].services[0].policy()

    assert (planned.bake_seconds, planned.timeout_seconds, planned.poll_seconds) == (300, 1800, 15)
    assert (planned.alarms, planned.container) == ((), None)


def policy_of(**given: Any) -> Policy:
    return read(route(stages=[stage(service(**given))])).routes[0].stages[0].services[0].policy()


def test_the_policy_of_a_service_is_all_but_its_name():
    blocking = {"name": "b", "when_firing": "block"}
    window = {"from": "2026-12-23T00:00:00Z", "until": "2027-01-02T00:00:00Z"}
    given = {"alarms": ["a", blocking], "bake_seconds": 0, "container": "web", "freeze": [window]}

    assert policy_of(**given) == Policy(**given)


ALARMS = ["b", {"name": "c", "when_firing": "block"}, {"name": "a", "when_firing": "ignore"}]


def test_alarms_are_known_by_their_names_in_the_order_of_the_plan():
    assert policy_of(alarms=ALARMS).alarm_names == ("b", "c", "a")


def test_only_alarms_that_say_block_are_blocking():
    assert policy_of(alarms=ALARMS).blocking == ("c",)


def test_an_alarm_without_when_firing_is_not_blocking():
    assert policy_of(alarms=[{"name": "a"}]).blocking == ()


def test_alarms_keep_the_form_that_they_were_given_in():
    policy = policy_of(alarms=ALARMS)

    assert policy.to_json()["alarms"] == ALARMS
    assert Policy(**policy.to_json()) == policy


@pytest.mark.parametrize("again", ["a", {"name": "a", "when_firing": "block"}])
def test_an_alarm_is_named_once(again):
    twice = {"routes": [route(stages=[stage(service(alarms=["a", again]))])]}

    assert f"\n  {FIRST}.alarms: an alarm is named twice: a" in said(json.dumps(twice))


@pytest.mark.parametrize(
    ("given", "desired", "failed"),
    [
        ({}, 1, 2),
        ({}, 100, 2),
        ({"failed_tasks": 1}, 100, 1),
        ({"failed_tasks": 100}, 1, 100),
        ({"failed_tasks": "50%"}, 1, 1),
        ({"failed_tasks": "50%"}, 3, 2),
        ({"failed_tasks": "50%"}, 4, 2),
        ({"failed_tasks": "1%"}, 100, 1),
        ({"failed_tasks": "1%"}, 101, 2),
        ({"failed_tasks": "100%"}, 7, 7),
        ({"failed_tasks": "100%"}, 0, 1),
    ],
)
def test_a_percentage_of_failed_tasks_is_rounded_up_to_one_at_least(given, desired, failed):
    assert policy_of(**given).failed_tasks_of(desired) == failed


@pytest.mark.parametrize(
    "given", [0, -1, 101, 2.5, True, None, "2", "0%", "101%", "5%\n", "050%", "50 %", [2]]
)
def test_failed_tasks_are_a_number_or_a_percentage(given):
    plan = json.dumps({"routes": [route(stages=[stage(service(failed_tasks=given))])]})

    assert f"\n  {FIRST}.failed_tasks: a number of tasks from 1 to 100, or " in said(plan)


def test_a_policy_freezes_nothing_by_default():
    assert policy_of().freeze == ()


CRON = {"cron": "0 18 * * FRI", "hours": 62}
DATES = {"from": "2026-12-23T00:00:00Z", "until": "2027-01-02T00:00:00+01:00"}


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        ({"freeze": [CRON, DATES]}, True),
        ({"freeze": [CRON | DATES]}, False),
        ({"freeze": [{"cron": "0 18 * * FRI"}]}, False),
        ({"freeze": [CRON | {"hours": 0}]}, False),
        ({"freeze": CRON}, False),
        ({"alarms": ALARMS}, True),
        ({"alarms": [{"name": "a"}]}, True),
        ({"alarms": [{"when_firing": "block"}]}, False),
        ({"alarms": [{"name": "a", "when_firing": "wait"}]}, False),
        ({"alarms": [""]}, False),
        ({"failed_tasks": 2}, True),
        ({"failed_tasks": "50%"}, True),
        ({"failed_tasks": "101%"}, False),
        ({"failed_tasks": 0}, False),
        ({"failed_tasks": [2]}, False),
    ],
)
def test_the_schema_and_the_models_agree_on_what_has_several_forms(given, fits):
    plan = {"routes": [route(stages=[stage(service(**given))])]}
    schema = jsonschema.Draft202012Validator(json.loads(schemas.PLAN.read_text()))

    assert schema.is_valid(plan) is fits
    if fits:
        assert policy_of(**given)
    else:
        assert said(json.dumps(plan))


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
    ("excluded", "tag", "name"),
    [
        (["*-rc*"], "v2.0.0", "one"),
        (["*-rc*"], "v2.0.0-rc.1", "two"),
        (["*-rc*"], "v2.0.0-RC1", "one"),
        (["*-rc*", "v1.*"], "v1.9.0", "two"),
        (["*"], "v2.0.0", "two"),
        ([], "v2.0.0-rc.1", "one"),
    ],
)
def test_a_route_does_not_match_a_tag_that_it_excludes(excluded, tag, name):
    plan = read(
        route("v*", stages=[stage(name="one")]) | {"except": excluded},
        route("*", stages=[stage(name="two")]),
    )

    assert plan.route_for(tag).stages[0].name == name


def test_a_tag_that_every_route_excludes_has_none():
    assert read(route("v*") | {"except": ["*-rc*"]}).route_for("v1-rc1") is None


@pytest.mark.parametrize(
    ("semver", "tag", "version", "takes"),
    [
        (True, "v1.2.3", "1.2.3", True),
        (True, "v1.2", None, False),
        (False, "v1.2.3", None, True),
        (False, "latest", None, True),
    ],
)
def test_a_route_in_the_order_of_semver_takes_only_versions(semver, tag, version, takes):
    [planned] = read(route() | {"semver": semver}).routes

    assert (planned.version_of(tag), planned.takes(tag)) == (version, takes)


def test_a_route_is_not_in_the_order_of_semver_by_default():
    assert not read(route()).routes[0].semver


def test_the_policy_of_a_service_is_found_in_any_route_and_stage_that_names_the_service():
    plan = read(
        route("v*", stages=[stage(name="one")]),
        route("main-*", stages=[stage(service(service="canary/api", bake_seconds=7), name="two")]),
    )

    assert plan.policies_of("canary/api") == (Policy(bake_seconds=7),)
    assert plan.policy_of("canary/api", None, ()) == Policy(bake_seconds=7)


def test_the_last_stage_that_names_a_service_says_its_policy():
    first, last = service(bake_seconds=1), service(bake_seconds=2)
    plan = read(route(stages=[stage(first, name="one"), stage(last, name="two")]))

    assert plan.policies_of("staging/api") == (Policy(bake_seconds=2),)


def test_a_service_that_no_stage_names_has_no_policy():
    plan = read(route())

    assert plan.policies_of("staging/other") == ()
    assert plan.policy_of("staging/other", "v1", ()) is None


WEB_AND_WORKER = [
    route("web-*", stages=[stage(service(container="web", bake_seconds=1))]),
    route("worker-*", stages=[stage(service(container="worker", bake_seconds=2))]),
]


@pytest.mark.parametrize(
    ("tag", "containers", "container"),
    [
        ("web-1", (), "web"),
        ("web-1", ("worker",), "web"),
        (None, ("web",), "web"),
        (None, ("worker",), "worker"),
        (None, ("proxy",), "worker"),
        ("other", ("web",), "web"),
    ],
)
def test_of_two_containers_of_a_service_the_tag_decides_and_then_what_runs(
    tag, containers, container
):
    plan = read(*WEB_AND_WORKER)

    assert plan.policy_of("staging/api", tag, containers).container == container


def test_a_service_is_named_with_a_container_everywhere_or_nowhere():
    with pytest.raises(InvalidInput, match="named with container web in one place and without one"):
        read(WEB_AND_WORKER[0], route())
    with pytest.raises(InvalidInput, match="named with container web in one place and without one"):
        read(route(), WEB_AND_WORKER[0])
    assert read(WEB_AND_WORKER[0], route(stages=[stage(service(service="staging/other"))]))


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
def test_patterns_are_case_sensitive_shell_globs(pattern, tag, matches):
    assert (read(route(pattern)).route_for(tag) is not None) is matches


@pytest.mark.parametrize("text", ["", "{", "nope", "{'routes': []}"])
def test_a_plan_that_is_not_json_is_an_error_that_says_so(text):
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
    "routes.0.except": {"routes": [route() | {"except": "*-rc*"}]},
    "routes.0.except.0": {"routes": [route() | {"except": [""]}]},
    "routes.0.excluded": {"routes": [route() | {"excluded": ["*-rc*"]}]},
    "routes.0.semver": {"routes": [route() | {"semver": "yes"}]},
    "routes.0.stages": {"routes": [route() | {"stages": []}]},
    "routes.1.stages": {"routes": [route(), {"tags": ["x"]}]},
    "routes.0.stages.0.name": {"routes": [route(stages=[{"services": [service()]}])]},
    "routes.0.stages.0.services": {"routes": [route(stages=[{"name": "s", "services": []}])]},
    f"{FIRST}.service": {"routes": [route(stages=[stage(service(service="api"))])]},
    f"{FIRST}.bake_seconds": {"routes": [route(stages=[stage(service(bake_seconds=-1))])]},
    f"{FIRST}.timeout_seconds": {"routes": [route(stages=[stage(service(timeout_seconds="x"))])]},
    f"{FIRST}.poll_seconds": {"routes": [route(stages=[stage(service(poll_seconds=0))])]},
    f"{FIRST}.alarms": {"routes": [route(stages=[stage(service(alarms="api-5xx"))])]},
    f"{FIRST}.alarms.0": {"routes": [route(stages=[stage(service(alarms=[""]))])]},
    f"{FIRST}.alarms.1": {"routes": [route(stages=[stage(service(alarms=["a", 5]))])]},
    f"{FIRST}.alarms.0.name": {"routes": [route(stages=[stage(service(alarms=[{}]))])]},
    f"{FIRST}.alarms.0.when_firing": {
        "routes": [route(stages=[stage(service(alarms=[{"name": "a", "when_firing": "wait"}]))])]
    },
    f"{FIRST}.freeze.0": {"routes": [route(stages=[stage(service(freeze=["friday"]))])]},
    f"{FIRST}.freeze.0.cron": {
        "routes": [route(stages=[stage(service(freeze=[{"cron": "0 0 * * FRY", "hours": 1}]))])]
    },
    f"{FIRST}.container": {"routes": [route(stages=[stage(service(container=""))])]},
    f"{FIRST}.bake": {"routes": [route(stages=[stage(service(bake=60))])]},
    "stages": {"routes": [route()], "stages": []},
}


@pytest.mark.parametrize(("path", "plan"), WRONG.items(), ids=WRONG)
def test_a_wrong_field_is_named_with_its_path(path, plan):
    assert f"\n  {path}: " in said(json.dumps(plan))


@pytest.mark.parametrize("path", WRONG)
def test_only_the_wrong_field_is_called_wrong(path):
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

    assert "a service is named twice: staging/api" in said(json.dumps({"routes": [twice]}))


def test_a_stage_is_named_once_in_a_route():
    twice = route(stages=[stage(), stage()])

    assert "a stage is named twice: staging" in said(json.dumps({"routes": [twice]}))


def test_the_length_of_a_name_does_not_hide_that_it_is_named_twice():
    alarm = "x" * 255
    twice = route(stages=[stage(service(alarms=[alarm, alarm]))])

    assert "an alarm is named twice: xxx" in said(json.dumps({"routes": [twice]}))


def test_a_service_may_be_in_two_stages():
    assert read(route(stages=[stage(name="canary"), stage(name="all")]))


def test_polling_too_often_for_the_time_says_how_often_is_possible():
    plan = {"routes": [route(stages=[stage(service(bake_seconds=86_400, poll_seconds=1))])]}

    assert "poll_seconds is too short for this timeout and bake: at least 41" in " ".join(
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
    # To begin, to become healthy, to recover after the bake, and to roll back has the timeout each.
    longest = 4 * timeout + bake

    assert longest / poll * STEPS_OF_ONE_POLL <= HISTORY
