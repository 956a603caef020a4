"""What nobody announced: releases whose event was lost, and executions that died with a claim."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.stub import ANY

from slipway import aws
from slipway.deployment.pace import Pace
from slipway.deployment.sweep import CALLS_PER_SECOND, Sweeper, newest_of_each_route
from slipway.errors import AwsUnavailable
from slipway.release.plan import Plan, parse_plan
from slipway.release.resolve import resolve
from tests.support.asked import taken_up
from tests.support.builders import (
    DEPLOYMENTS,
    DIGEST,
    NOW,
    OLD_DIGEST,
    RELEASES,
    SERVICE,
    accepted,
    at,
    claim,
    deployment,
    ended,
    execution,
    image,
    quarantined,
    release,
)
from tests.support.clocks import Clock
from tests.support.pushes import EXECUTION, found, located, planned, route, unguarded

MATURITY = 600
LEASE = 900
LONG_AGO = at(-86_400)
THEN = at(-3_600)
"""When images were pushed: after their plan was put, and long enough ago."""
PATH = "/slipway/repositories"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sweeper(ledger, ssm, ecr, stepfunctions, clock):
    """A run that reads one repository after the other."""
    return Sweeper(
        ledger=ledger,
        ssm=ssm.client,
        ecr=ecr.client,
        stepfunctions=stepfunctions.client,
        release_machine=RELEASES,
        deployment_machine=DEPLOYMENTS,
        repository_prefix="shop",
        maturity=timedelta(seconds=MATURITY),
        pace=Pace(CALLS_PER_SECOND, clock, clock.sleep),
        in_parallel=map,
        clock=clock,
        deadline=840,
    )


def plan(*routes, repository="shop/api", changed_at=LONG_AGO, text=None):
    value = text or json.dumps({"routes": list(routes) or [route()]})
    return {"Name": f"{PATH}/{repository}", "Value": value, "LastModifiedDate": changed_at}


def plans(ssm, *parameters, **more):
    answer = {"Parameters": list(parameters), **more}
    ssm.answers("get_parameters_by_path", answer, Path=PATH, Recursive=True, MaxResults=10)


def pushed(*tags, digest=DIGEST, when=THEN):
    return {"imageDigest": digest, "imageTags": list(tags), "imagePushedAt": when}


def images(ecr, *details, repository="shop/api", more=None, after=None):
    """A page of a repository's images. ``more`` is the token of the next page, ``after`` that of this one."""
    answer = {"imageDetails": list(details)} | ({"nextToken": more} if more else {})
    asked = {"repositoryName": repository, "maxResults": 1000, "filter": {"tagStatus": "TAGGED"}}
    ecr.answers("describe_images", answer, **asked | ({"nextToken": after} if after else {}))


def starts(stepfunctions, machine=RELEASES):
    answer = {"executionArn": execution("x"), "startDate": NOW}
    expected = {"stateMachineArn": machine, "name": ANY, "input": ANY}
    stepfunctions.answers("start_execution", answer, **expected)


def kept(stepfunctions, monkeypatch):
    """The parameters of every StartExecution."""
    given = []
    start = stepfunctions.client.start_execution

    def keep(**params):
        given.append(params)
        return start(**params)

    monkeypatch.setattr(stepfunctions.client, "start_execution", keep)
    return given


def nothing_new(done):
    assert done == {"released": [], "recovered": [], "problems": [], "left": []}


# --- images whose event was lost --------------------------------------------------------------------


def test_an_image_that_nobody_announced_is_released(sweeper, ssm, ecr, stepfunctions):
    plans(ssm, plan())
    images(ecr, pushed("v2"))
    starts(stepfunctions)

    done = sweeper.sweep(NOW)

    assert done == {"released": ["shop/api:v2"], "recovered": [], "problems": [], "left": []}


def test_a_lost_push_is_released_with_the_event_that_should_have_come(
    sweeper, ssm, ecr, stepfunctions, monkeypatch
):
    given = kept(stepfunctions, monkeypatch)
    when = at(-3_599.75)
    plans(ssm, plan())
    images(ecr, pushed("v2", when=when))
    starts(stepfunctions)
    sweeper.sweep(NOW)
    planned(ssm)
    unguarded(ssm)
    found(ecr, imagePushedAt=when)
    located(ecr)

    [start] = given
    event = json.loads(start["input"])
    clients = ssm.client, ecr.client
    resolved = resolve(event, EXECUTION, NOW, *clients, policies_required=False).release

    assert resolved == release(id=resolved.id, image=image(), released_at=when, started_by="sweep")
    assert event["id"] == start["name"]
    assert start["name"].startswith("sweep-shop-api-v2-")


def test_the_newest_image_of_each_route_is_released(sweeper, ssm, ecr, stepfunctions, monkeypatch):
    given = kept(stepfunctions, monkeypatch)
    plans(ssm, plan(route("v*"), route("main-*", staging=["staging/api"])))
    images(
        ecr,
        pushed("v1", digest=OLD_DIGEST, when=at(-7_200)),
        pushed("v2", "latest"),
        pushed("main-1", digest=OLD_DIGEST, when=at(-7_200)),
    )
    starts(stepfunctions)
    starts(stepfunctions)

    assert sweeper.sweep(NOW)["released"] == ["shop/api:v2", "shop/api:main-1"]
    digests = [json.loads(start["input"])["detail"]["image-digest"] for start in given]
    assert digests == [DIGEST, OLD_DIGEST]


def test_a_build_cache_that_is_newer_than_an_image_hides_it_not(sweeper, ssm, ecr, stepfunctions):
    cache = pushed("v2-cache", digest=OLD_DIGEST, when=at(-3_600))
    plans(ssm, plan())
    images(
        ecr,
        pushed("v2", when=at(-7_200)),
        cache | {"artifactMediaType": "application/vnd.buildkit.cacheconfig.v0"},
    )
    starts(stepfunctions)

    assert sweeper.sweep(NOW)["released"] == ["shop/api:v2"]


def test_a_tag_goes_the_way_of_the_first_route_that_matches(sweeper, ssm, ecr, stepfunctions):
    plans(ssm, plan(route("v*"), route("*", staging=["staging/api"])))
    images(ecr, pushed("v2"))
    starts(stepfunctions)

    assert sweeper.sweep(NOW)["released"] == ["shop/api:v2"]


@pytest.mark.parametrize(
    "detail",
    [
        pushed("main-1"),
        pushed("sha256-ab.sig"),
        pushed(),
        {"imageDigest": DIGEST, "imagePushedAt": THEN},
    ],
    ids=["no route", "signature", "no tag", "no tags"],
)
def test_an_image_that_no_plan_means_is_not_released(sweeper, ssm, ecr, detail):
    plans(ssm, plan(route("v*", "sha256-*")))
    images(ecr, detail)

    nothing_new(sweeper.sweep(NOW))


@pytest.mark.parametrize("repository", ["blog/api", "shopping", "shopping/api"])
def test_repositories_without_the_prefix_are_not_swept(sweeper, ssm, repository):
    plans(ssm, plan(repository=repository))

    nothing_new(sweeper.sweep(NOW))


@pytest.mark.parametrize(
    ("prefix", "repository"), [("", "blog/api"), ("shop", "shop"), ("shop", "shop/a/b")]
)
def test_a_repository_at_or_below_the_prefix_is_swept(
    sweeper, ssm, ecr, stepfunctions, prefix, repository
):
    plans(ssm, plan(repository=repository))
    images(ecr, pushed("v2"), repository=repository)
    starts(stepfunctions)

    done = replace(sweeper, repository_prefix=prefix).sweep(NOW)

    assert done["released"] == [f"{repository}:v2"]


def test_every_page_of_plans_is_read(sweeper, ssm, ecr, stepfunctions):
    plans(ssm, plan(), NextToken="more")
    answer = {"Parameters": [plan(repository="shop/web")]}
    asked = {"Path": PATH, "Recursive": True, "MaxResults": 10, "NextToken": "more"}
    ssm.answers("get_parameters_by_path", answer, **asked)
    images(ecr)
    images(ecr, pushed("v2"), repository="shop/web")
    starts(stepfunctions)

    assert sweeper.sweep(NOW)["released"] == ["shop/web:v2"]


@pytest.mark.parametrize(
    ("when", "released"),
    [(at(-MATURITY), ["shop/api:v2"]), (at(-MATURITY + 0.001), [])],
    ids=["old enough", "a moment too young"],
)
def test_an_image_whose_event_may_still_come_is_left_to_that(
    sweeper, ssm, ecr, stepfunctions, when, released
):
    plans(ssm, plan())
    images(ecr, pushed("v2", when=when))
    if released:
        starts(stepfunctions)

    assert sweeper.sweep(NOW)["released"] == released


def test_while_a_newer_image_may_still_be_announced_an_older_one_is_not_released(sweeper, ssm, ecr):
    plans(ssm, plan())
    images(ecr, pushed("v1", digest=OLD_DIGEST), pushed("v2", when=at(-5)))

    nothing_new(sweeper.sweep(NOW))


@pytest.mark.parametrize("changed_at", [THEN, at(-60)])
def test_an_image_that_was_there_before_its_plan_is_not_released(sweeper, ssm, ecr, changed_at):
    plans(ssm, plan(changed_at=changed_at))
    images(ecr, pushed("v2"))

    nothing_new(sweeper.sweep(NOW))


def test_an_image_that_was_released_before_is_not_released_again(sweeper, ssm, ecr, ledger):
    """However that ended, and whatever its event said of the time."""
    own = release(released_at=at(-3_601))
    ledger.finish_without_service(
        accepted(ledger, "e-1", release=own), deployment(release=own), {"outcome": "REJECTED"}
    )
    plans(ssm, plan())
    images(ecr, pushed("v2"))

    nothing_new(sweeper.sweep(NOW))


@pytest.mark.parametrize("newest", [THEN, at(-60)], ids=["as new", "newer"])
def test_an_image_that_is_not_newer_than_the_accepted_release_is_not_released(
    sweeper, ssm, ecr, ledger, newest
):
    other = release(released_at=newest, image=image(digest=OLD_DIGEST))
    accepted(ledger, "e-1", release=other)
    plans(ssm, plan())
    images(ecr, pushed("v2"))

    nothing_new(sweeper.sweep(NOW))


@pytest.mark.parametrize("when", [THEN, at(-60)], ids=["itself", "a newer one"])
def test_an_image_whose_release_waits_for_its_turn_is_not_released_again(
    sweeper, ssm, ecr, ledger, when
):
    ledger.wait(
        claim("e-1"),
        deployment(release=release(released_at=when)),
        ledger.service(SERVICE),
        NOW,
        15,
    )
    plans(ssm, plan())
    images(ecr, pushed("v2"))

    nothing_new(sweeper.sweep(NOW))


def test_an_order_that_can_not_be_read_keeps_no_other_services_image_from_its_release(
    sweeper, ssm, ecr, ledger, stepfunctions
):
    accepted(ledger, "e-1")
    aws.table().update_item(
        Key={"pk": SERVICE, "sk": "state#newest#shop/api"},
        UpdateExpression="SET newest = :garbage",
        ExpressionAttributeValues={":garbage": "garbage"},
    )
    plans(ssm, plan(), plan(route("v*", one=["production/web"]), repository="shop/web"))
    images(ecr, pushed("v2"))
    images(ecr, pushed("v2"), repository="shop/web")
    starts(stepfunctions)

    done = sweeper.sweep(NOW)

    assert done["released"] == ["shop/web:v2"]
    assert f"item {SERVICE} state#newest#shop/api is not valid" in " ".join(done["problems"])


def test_an_image_that_is_newer_than_the_accepted_release_is_released(
    sweeper, ssm, ecr, ledger, stepfunctions
):
    ended(ledger)
    plans(ssm, plan())
    images(ecr, pushed("v2", when=at(-3_599)))
    starts(stepfunctions)

    assert sweeper.sweep(NOW)["released"] == ["shop/api:v2"]


def test_an_image_that_is_quarantined_is_not_released(sweeper, ssm, ecr, ledger):
    """Not even when the deployment that it was in is forgotten."""
    own = ended(ledger, "ROLLED_BACK", bad=quarantined(), digest=DIGEST)
    aws.table().delete_item(Key={"pk": SERVICE, "sk": own.deployment})
    plans(ssm, plan())
    images(ecr, pushed("v3", when=at(-3_599)))

    nothing_new(sweeper.sweep(NOW))


def test_an_image_that_one_service_of_the_first_stage_knows_is_not_released(
    sweeper, ssm, ecr, ledger
):
    accepted(ledger, "e-1", service="production/web", release=release(released_at=THEN))
    plans(ssm, plan(route("v*", production=[SERVICE, "production/web"])))
    images(ecr, pushed("v2"))

    nothing_new(sweeper.sweep(NOW))


def test_services_of_later_stages_are_not_asked(sweeper, ssm, ecr, ledger, stepfunctions):
    accepted(ledger, "e-1", release=release(released_at=at(-60)))
    plans(ssm, plan(route("v*", staging=["staging/api"], production=[SERVICE])))
    images(ecr, pushed("v2"))
    starts(stepfunctions)

    assert sweeper.sweep(NOW)["released"] == ["shop/api:v2"]


def test_an_image_that_an_earlier_sweep_has_released_is_not_released_again(
    sweeper, ssm, ecr, stepfunctions
):
    """Its release may still be settling, or have found nothing to do."""
    plans(ssm, plan())
    images(ecr, pushed("v2"))
    stepfunctions.refuses("start_execution", "ExecutionAlreadyExists")

    nothing_new(sweeper.sweep(NOW))


def test_every_sweep_gives_the_release_of_an_image_the_same_name(
    sweeper, ssm, ecr, stepfunctions, monkeypatch
):
    given = kept(stepfunctions, monkeypatch)
    for tag, digest in (("v2", DIGEST), ("v2", DIGEST), ("v2", OLD_DIGEST), ("v3", DIGEST)):
        plans(ssm, plan())
        images(ecr, pushed(tag, digest=digest))
        starts(stepfunctions)
        sweeper.sweep(NOW)

    first, again, *others = (start["name"] for start in given)
    assert first == again
    assert len({first, *others}) == 3


def test_nobody_can_foresee_the_name_of_a_swept_release(
    sweeper, ssm, ecr, stepfunctions, ledger, monkeypatch
):
    """Whoever could would start an execution of that name, which Step Functions allows only once."""
    given = kept(stepfunctions, monkeypatch)
    for _ in range(2):
        plans(ssm, plan())
        images(ecr, pushed("v2"))
        starts(stepfunctions)
        sweeper.sweep(NOW)
        aws.table().delete_item(Key={"pk": "swept", "sk": f"shop/api:v2@{DIGEST}"})

    first, second = (start["name"] for start in given)
    assert first != second
    assert first.startswith("sweep-shop-api-v2-")


def test_the_name_of_a_swept_release_is_kept_until_its_image_is_too_old_for_the_sweep(
    sweeper, ssm, ecr, stepfunctions
):
    plans(ssm, plan())
    images(ecr, pushed("v2"))
    starts(stepfunctions)
    sweeper.sweep(NOW)

    item = aws.table().get_item(Key={"pk": "swept", "sk": f"shop/api:v2@{DIGEST}"})["Item"]
    assert item["expires_at"] > (NOW + timedelta(days=7)).timestamp()


def test_a_sweep_that_died_before_it_started_a_release_leaves_the_start_to_the_next_one(
    sweeper, ssm, ecr, stepfunctions, monkeypatch
):
    given = kept(stepfunctions, monkeypatch)
    plans(ssm, plan())
    images(ecr, pushed("v2"))
    stepfunctions.refuses("start_execution", "ThrottlingException")
    assert len(sweeper.sweep(NOW)["problems"]) == 1
    plans(ssm, plan())
    images(ecr, pushed("v2"))
    starts(stepfunctions)

    assert sweeper.sweep(NOW)["released"] == ["shop/api:v2"]
    first, second = given
    assert first == second


def test_images_are_released_from_whichever_page_they_are_on(sweeper, ssm, ecr, stepfunctions):
    plans(ssm, plan())
    images(ecr, pushed("v1", digest=OLD_DIGEST, when=at(-7_200)), more="page 2")
    images(ecr, pushed("v2"), after="page 2")
    starts(stepfunctions)

    assert sweeper.sweep(NOW)["released"] == ["shop/api:v2"]


def test_a_release_that_could_not_be_started_does_not_stop_that_of_another_route(
    sweeper, ssm, ecr, stepfunctions
):
    plans(ssm, plan(route("v*"), route("main-*", staging=["staging/api"])))
    images(ecr, pushed("v2"), pushed("main-1", digest=OLD_DIGEST))
    stepfunctions.refuses("start_execution", "AccessDeniedException")
    starts(stepfunctions)

    done = sweeper.sweep(NOW)

    assert done["released"] == ["shop/api:main-1"]
    assert len(done["problems"]) == 1


VERSIONS = route("v*") | {"semver": True}


def test_the_highest_version_is_released_and_not_the_one_that_was_pushed_last(
    sweeper, ssm, ecr, stepfunctions
):
    plans(ssm, plan(VERSIONS))
    images(
        ecr,
        pushed("v1.9.1", digest=OLD_DIGEST, when=at(-3_000)),
        pushed("v1.10.0", "v-latest"),
        pushed("v1.10.0-rc.9", digest="sha256:" + "ef" * 32, when=at(-2_000)),
    )
    starts(stepfunctions)

    assert sweeper.sweep(NOW)["released"] == ["shop/api:v1.10.0"]


def test_a_tag_that_is_no_version_is_not_released_on_a_route_of_versions(sweeper, ssm, ecr):
    plans(ssm, plan(VERSIONS))
    images(ecr, pushed("v2"))

    nothing_new(sweeper.sweep(NOW))


def test_a_lower_version_than_the_accepted_one_is_not_released(sweeper, ssm, ecr, ledger):
    accepted(ledger, "e-0", release=release(version="1.10.0", released_at=at(-7_200)))
    plans(ssm, plan(VERSIONS))
    images(ecr, pushed("v1.9.1", digest=OLD_DIGEST))

    nothing_new(sweeper.sweep(NOW))


def test_a_higher_version_than_the_accepted_one_is_released(
    sweeper, ssm, ecr, ledger, stepfunctions
):
    accepted(ledger, "e-0", release=release(version="1.9.1", released_at=at(-7_200)))
    plans(ssm, plan(VERSIONS))
    images(ecr, pushed("v1.10.0", digest=OLD_DIGEST))
    starts(stepfunctions)

    assert sweeper.sweep(NOW)["released"] == ["shop/api:v1.10.0"]


def test_each_tag_is_matched_once_however_many_routes_the_plan_has():
    routes = [json.loads(json.dumps(route(pattern))) for pattern in ("a*", "b*", "v*")]
    parsed = parse_plan(json.dumps({"routes": routes}), "shop/api")
    asked = []

    class Counting(Plan):
        def route_for(self, tag):
            asked.append(tag)
            return super().route_for(tag)

    counting = Counting(routes=parsed.routes)
    old = pushed("v0", when=LONG_AGO)

    newest = newest_of_each_route(counting, iter([pushed("v1"), pushed("b1"), old]), LONG_AGO)

    assert asked == ["v1", "b1"]
    assert [image.tag for _, image in newest] == ["b1", "v1"]


# --- the time of a run ------------------------------------------------------------------------------


def time_for(pages):
    """Seconds in which this many pages of images can be read, and no more."""
    return (pages - 0.5) / CALLS_PER_SECOND


def swept_in_order(ecr, *repositories):
    """ECR's answers for these repositories, which are asked for in this order."""
    for repository in repositories:
        images(ecr, repository=repository)


def three_plans(ssm):
    plans(ssm, *(plan(repository=f"shop/{name}") for name in "cab"))


def test_a_run_ends_in_time_and_says_what_it_left(sweeper, ssm, ecr):
    in_time_for_one = replace(sweeper, deadline=time_for(1))
    three_plans(ssm)
    swept_in_order(ecr, "shop/a")

    assert in_time_for_one.sweep(NOW)["left"] == ["2 repositories, from shop/b on"]


def test_a_run_goes_on_where_the_last_one_ended_and_comes_round(sweeper, ssm, ecr):
    for expected in (["shop/a"], ["shop/b"], ["shop/c"], ["shop/a"]):
        begins = sweeper.clock()
        run = replace(
            sweeper,
            deadline=begins + time_for(1),
            pace=Pace(CALLS_PER_SECOND, sweeper.clock, sweeper.clock.sleep),
        )
        three_plans(ssm)
        swept_in_order(ecr, *expected)
        assert run.sweep(NOW)["problems"] == []

    swept_in_order(ecr, "shop/b", "shop/c", "shop/a")
    three_plans(ssm)
    assert replace(sweeper, deadline=sweeper.clock() + 840).sweep(NOW)["left"] == []


def test_a_run_that_got_through_begins_anew_and_writes_no_cursor(sweeper, ssm, ecr, monkeypatch):
    for _ in range(2):
        three_plans(ssm)
        swept_in_order(ecr, "shop/a", "shop/b", "shop/c")
    sweeper.sweep(NOW)
    monkeypatch.setattr(sweeper.ledger, "keep_cursor", lambda _: pytest.fail("it was written"))

    assert sweeper.sweep(NOW)["left"] == []


def test_a_repository_that_was_not_read_to_its_end_is_read_again_by_the_next_run(
    sweeper, ssm, ecr, stepfunctions
):
    in_time_for_two_pages = replace(sweeper, deadline=time_for(2))
    three_plans(ssm)
    swept_in_order(ecr, "shop/a")
    images(ecr, pushed("v2"), repository="shop/b", more="page 2")

    done = in_time_for_two_pages.sweep(NOW)

    assert (done["released"], done["problems"]) == ([], [])
    assert done["left"] == ["2 repositories, from shop/b on"]
    three_plans(ssm)
    swept_in_order(ecr, "shop/b", "shop/c", "shop/a")
    sweeper.sweep(NOW)


def test_a_repository_that_fills_a_whole_run_does_not_keep_the_others_from_their_turn(
    sweeper, ssm, ecr
):
    in_time_for_one = replace(sweeper, deadline=time_for(1))
    three_plans(ssm)
    images(ecr, repository="shop/a", more="page 2")

    done = in_time_for_one.sweep(NOW)

    [problem] = done["problems"]
    assert problem.startswith("there was no time to read every image of repository shop/a")
    assert done["left"] == ["2 repositories, from shop/b on"]
    three_plans(ssm)
    swept_in_order(ecr, "shop/b", "shop/c", "shop/a")
    assert sweeper.sweep(NOW)["problems"] == []


def test_a_cursor_at_a_repository_without_a_plan_goes_on_after_it(sweeper, ssm, ecr, ledger):
    ledger.keep_cursor("shop/bb")
    three_plans(ssm)
    swept_in_order(ecr, "shop/c", "shop/a", "shop/b")

    nothing_new(sweeper.sweep(NOW))


def test_a_problem_of_a_repository_does_not_stop_the_cursor(sweeper, ssm, ecr, ledger):
    plans(ssm, plan(repository="shop/a"), plan(repository="shop/b", text="{"))
    ecr.refuses("describe_images", "AccessDeniedException")

    assert len(sweeper.sweep(NOW)["problems"]) == 2
    assert ledger.cursor() == "shop/b"


def test_a_lease_that_ran_out_is_dealt_with_even_if_there_is_no_time_for_images(
    sweeper, ssm, ecr, ledger, stepfunctions
):
    accepted(ledger, "e-1")
    stopped(stepfunctions, "RUNNING")
    plans(ssm, plan())

    done = replace(sweeper, deadline=0).sweep(at(LEASE + 6))

    assert done["recovered"] == [f"{execution()}: it is running"]
    assert len(done["problems"]) == 1


def test_two_runs_at_once_start_each_release_once_and_leave_out_nothing(
    sweeper, ssm, ecr, stepfunctions, ledger
):
    """The second run comes round while the first one is at its first repository."""

    def in_the_middle(find, planned):
        for each in planned:
            found = find(each)
            if each.repository == "shop/a":
                second.append(sweeper.sweep(NOW))
            yield found

    second = []
    for _ in range(2):
        plans(ssm, plan(repository="shop/a"), plan(repository="shop/b"))
    images(ecr, pushed("v2"), repository="shop/a")
    images(ecr, pushed("v2"), repository="shop/a")
    images(ecr, repository="shop/b")
    images(ecr, repository="shop/b")
    starts(stepfunctions)
    stepfunctions.refuses("start_execution", "ExecutionAlreadyExists")

    first = replace(sweeper, in_parallel=in_the_middle).sweep(NOW)

    assert [run["released"] for run in (*second, first)] == [["shop/a:v2"], []]
    assert ledger.cursor() == "shop/b"


# --- executions that no longer live -----------------------------------------------------------------


def no_plans(ssm):
    plans(ssm)


def stopped(stepfunctions, status="ABORTED", name="e-1", start=None):
    answer = {
        "executionArn": execution(name),
        "stateMachineArn": DEPLOYMENTS,
        "startDate": NOW,
        "status": status,
        "input": json.dumps(start or {}),
    }
    stepfunctions.answers("describe_execution", answer, executionArn=execution(name))


def test_a_deployment_whose_lease_ran_out_is_recovered(sweeper, ssm, ledger, stepfunctions):
    accepted(ledger, "e-1")
    stopped(stepfunctions, start=taken_up(ledger, deployment()))
    starts(stepfunctions, DEPLOYMENTS)
    no_plans(ssm)

    [said] = sweeper.sweep(at(LEASE + 6))["recovered"]

    assert said.startswith(f"{execution()}: execution recover-production-api-")


def test_a_service_whose_item_can_not_be_read_is_named_and_stops_no_other(
    sweeper, ssm, ledger, stepfunctions
):
    accepted(ledger, "e-1")
    accepted(ledger, "e-2", service="production/web")
    aws.table().update_item(
        Key={"pk": "production/web", "sk": "state#claim"},
        UpdateExpression="SET claim.lease_until = :text",
        ExpressionAttributeValues={":text": "never"},
    )
    stopped(stepfunctions, start=taken_up(ledger, deployment()))
    starts(stepfunctions, DEPLOYMENTS)
    no_plans(ssm)

    done = sweeper.sweep(at(LEASE + 6))

    assert len(done["recovered"]) == 1
    [problem] = done["problems"]
    assert problem.startswith(
        "the ledger's item production/web state#claim is not valid:\n  claim.lease_"
    )


def test_a_deployment_that_lives_but_is_late_is_left_alone(sweeper, ssm, ledger, stepfunctions):
    accepted(ledger, "e-1")
    stopped(stepfunctions, "RUNNING")
    no_plans(ssm)

    assert sweeper.sweep(at(LEASE + 6))["recovered"] == [f"{execution()}: it is running"]


def test_a_claim_with_a_lease_is_not_checked_whatever_the_clocks_say(sweeper, ssm, ledger):
    accepted(ledger, "e-1")
    no_plans(ssm)

    nothing_new(sweeper.sweep(at(LEASE + 5)))


def test_a_service_without_a_claim_has_no_lease(sweeper, ssm, ledger):
    ended(ledger)
    no_plans(ssm)

    nothing_new(sweeper.sweep(at(86_400)))


# --- problems ---------------------------------------------------------------------------------------


def test_a_deployment_that_cannot_be_recovered_does_not_stop_the_recovery_of_others(
    sweeper, ssm, ledger, stepfunctions
):
    accepted(ledger, "e-1")
    accepted(ledger, "e-2", service="production/web")
    stepfunctions.refuses("describe_execution", "ExecutionDoesNotExist", "gone")
    stopped(stepfunctions, "RUNNING", "e-2")
    no_plans(ssm)

    done = sweeper.sweep(at(LEASE + 6))

    assert done["recovered"] == [f"{execution('e-2')}: it is running"]
    [problem] = done["problems"]
    assert problem.startswith(f"Step Functions has no execution {execution()}")


def test_a_wrong_plan_does_not_keep_other_plans_from_being_read(sweeper, ssm, ecr, stepfunctions):
    plans(ssm, plan(text="{"), plan(repository="shop/web"))
    images(ecr, pushed("v2"), repository="shop/web")
    starts(stepfunctions)

    done = sweeper.sweep(NOW)

    assert done["released"] == ["shop/web:v2"]
    [problem] = done["problems"]
    assert problem.startswith("the plan of repository shop/api ")


def test_a_repository_that_may_not_be_read_is_a_problem_of_its_own(
    sweeper, ssm, ecr, stepfunctions
):
    plans(ssm, plan(), plan(repository="shop/web"))
    ecr.refuses("describe_images", "AccessDeniedException")
    images(ecr, pushed("v2"), repository="shop/web")
    starts(stepfunctions)

    done = sweeper.sweep(NOW)

    assert done["released"] == ["shop/web:v2"]
    [problem] = done["problems"]
    assert "ecr:DescribeImages on repository shop/api" in problem


def test_a_plan_without_a_repository_is_nothing_to_do(sweeper, ssm, ecr):
    plans(ssm, plan())
    ecr.refuses("describe_images", "RepositoryNotFoundException")

    nothing_new(sweeper.sweep(NOW))


def test_a_release_that_could_not_be_started_is_a_problem(sweeper, ssm, ecr, stepfunctions):
    plans(ssm, plan())
    images(ecr, pushed("v2"))
    stepfunctions.refuses("start_execution", "AccessDeniedException")

    [problem] = sweeper.sweep(NOW)["problems"]

    assert f"states:StartExecution on state machine {RELEASES}" in problem


def test_plans_that_cannot_be_listed_are_an_error_of_the_whole_sweep(sweeper, ssm):
    ssm.refuses("get_parameters_by_path", "ThrottlingException")

    with pytest.raises(AwsUnavailable, match=f"ssm:GetParametersByPath on {PATH}"):
        sweeper.sweep(NOW)
