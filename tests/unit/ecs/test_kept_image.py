"""The image that a service was last good with, in the SSM parameter that its template reads."""

from __future__ import annotations

import pytest

from slipway.ecs.kept_image import keep_image
from tests.support.builders import DIGEST, NEW, OLD_DIGEST, URI, deployment, image
from tests.support.ecs_answers import defined, described
from tests.support.finishing import ending, finished, tried
from tests.support.pushes import kept, unkept

NAME = "/slipway/images/production/api"
THIS, LAST = f"{URI}@{DIGEST}", f"{URI}@{OLD_DIGEST}"


def container(name="api", image=THIS):
    return {"name": name, "image": image}


def put(ssm):
    ssm.answers("put_parameter", {"Version": 2}, Name=NAME, Value=THIS, Overwrite=True)


def keep(ecs, ssm, **changes):
    return keep_image(deployment(**changes), NEW, ecs.client, ssm.client)


def test_a_service_without_a_parameter_gets_no_parameter(ecs, ssm):
    unkept(ssm)

    assert keep(ecs, ssm) is None


def test_the_parameter_gets_the_image_of_the_good_task_definition_by_digest(ecs, ssm):
    kept(ssm, LAST)
    defined(ecs, container(), asked=NEW)
    put(ssm)

    assert keep(ecs, ssm) is None


def test_the_image_is_that_of_the_container_that_the_plan_names(ecs, ssm):
    kept(ssm, "public.ecr.aws/nginx/nginx-unprivileged:stable-alpine")
    defined(ecs, container("agent", "public.ecr.aws/agent:1"), container("app"))
    put(ssm)

    assert keep(ecs, ssm, policy={"container": "app"}) is None


def test_an_image_that_the_parameter_has_already_is_not_put_again(ecs, ssm):
    kept(ssm, THIS)
    defined(ecs, container())

    assert keep(ecs, ssm) is None


@pytest.mark.parametrize("code", ["InternalServerError", "AccessDeniedException"])
def test_an_image_that_can_not_be_kept_is_evidence_with_what_it_means(code, ecs, ssm):
    kept(ssm, LAST)
    defined(ecs, container())
    ssm.refuses("put_parameter", code)

    problem = keep(ecs, ssm)

    assert problem.startswith(f"the good image could not be written to SSM parameter {NAME}")
    assert f"{code} from ssm:PutParameter on {NAME}" in problem
    assert "before you update the service's stack" in problem


def test_a_task_definition_without_the_container_is_evidence(ecs, ssm):
    kept(ssm, LAST)
    defined(ecs, container("web", "nginx"))

    assert "no container of service production/api runs an image of" in keep(ecs, ssm)


def test_a_deployment_that_succeeds_keeps_its_image_before_it_frees_the_service(ledger, ecs, ssm):
    tried(ledger)
    described(ecs)
    kept(ssm, LAST)
    held = []

    def look(**_: object) -> None:
        held.append(ledger.service("production/api").claim is not None)

    defined(ecs, container(), asked=NEW)
    defined(ecs, asked=NEW)
    put(ssm)
    events, event = ssm.client.meta.events, "before-parameter-build.ssm.PutParameter"
    events.register(event, look)
    try:
        done = finished(ending("SUCCEEDED"), ledger, ecs, ssm=ssm)
    finally:
        events.unregister(event, look)  # the client is every test's

    assert done.evidence == ("a fact",)
    assert held == [True]


def test_a_deployment_stays_good_where_its_image_can_not_be_kept(ledger, ecs, ssm):
    own = tried(ledger)
    described(ecs)
    kept(ssm, LAST)
    defined(ecs, container())
    defined(ecs)
    ssm.refuses("put_parameter", "AccessDeniedException")

    notified = finished(ending("SUCCEEDED"), ledger, ecs, ssm=ssm)

    assert notified.outcome == "SUCCEEDED"
    assert "AccessDeniedException from ssm:PutParameter" in notified.evidence[1]
    assert ledger.deployment(own).evidence == notified.evidence


def test_the_image_of_a_version_that_was_put_back_is_kept(ledger, ecs, ssm):
    tried(ledger)
    kept(ssm, LAST)
    defined(ecs, container(), asked=NEW)
    defined(ecs, asked=NEW)
    put(ssm)
    back = ending("ROLLED_BACK", restored=NEW, image=image())

    assert finished(back, ledger, ecs, ssm=ssm).evidence == ("a fact",)


@pytest.mark.parametrize("outcome", ["ROLLBACK_FAILED", "SUPERSEDED", "REJECTED", "NO_CHANGE"])
def test_the_image_of_a_version_that_is_not_good_is_not_kept(outcome, ledger, ecs, ssm):
    tried(ledger)

    finished(ending(outcome), ledger, ecs, ssm=ssm)  # SSM is asked for nothing
