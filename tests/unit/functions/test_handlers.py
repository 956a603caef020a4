"""Each function: JSON in, JSON out, what it leaves in the ledger, and what it says of a wrong input."""

from __future__ import annotations

import importlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.stub import ANY

from slipway import aws
from slipway.deployment.beginning import Start
from slipway.deployment.finish import Ending
from slipway.errors import AwsUnavailable, InvalidInput
from slipway.model import parse
from slipway.notices.news import News
from slipway.release.plan import Policy
from slipway.release.release import Deployment, Started
from tests.support.asked import ROLLBACK, part_of, quarantined_by_ada, taken_up
from tests.support.builders import (
    DEPLOYMENTS,
    DIGEST,
    NEW,
    NOW,
    OLD,
    OLD_DIGEST,
    OTHER,
    OURS,
    SERVICE,
    TOPIC,
    URI,
    accepted,
    at,
    claim,
    deployment,
    ended,
    execution,
    good,
    image,
    release,
    watch,
)
from tests.support.ecs_answers import before, container, defined, described, ecs_deployment, updated
from tests.support.handlers import (
    CLAIM,
    ENDED,
    INPUTS,
    NEWS_OF_DEPLOYMENT,
    invoked,
    may_begin,
    observed,
    rolls_back,
)
from tests.support.pushes import EXECUTION, found, located, planned, route, unguarded, unkept

ALARMS = ["api-5xx", {"name": "api-latency", "when_firing": "block"}]
WINDOWS = [
    {"cron": "0 18 * * FRI", "hours": 62},
    {"from": "2026-12-23T00:00:00Z", "until": "2027-01-02T00:00:00Z"},
]
DIED = {"detail-type": "Step Functions Execution Status Change", "source": "aws.states"} | {
    "detail": {"executionArn": execution(), "status": "ABORTED", "name": "e-1"}
}


@pytest.fixture
def ours(ledger):
    """Our deployment has the service, and has changed nothing yet."""
    accepted(ledger, "e-1")
    return ledger


def test_resolve_release_records_the_release_and_names_its_deployments(ledger, ssm, ecr):
    planned(ssm)
    unguarded(ssm)
    found(ecr)
    located(ecr)

    resolution = invoked("resolve_release", INPUTS["resolve_release"])

    assert resolution["ignored"] is None
    [named] = resolution["stages"][0]["deployments"]
    id_ = resolution["release"]["id"]
    assert named["input"] == {"release": id_, "stage": "production", "service": SERVICE}
    record = ledger.release(id_)
    assert (record.execution, record.deployment("production", SERVICE).policy) == (
        EXECUTION,
        Policy(),
    )


def test_a_second_delivery_of_an_event_is_ignored_and_names_the_first_ones_release(
    ledger, ssm, ecr
):
    for _ in range(2):
        planned(ssm)
        unguarded(ssm)
        found(ecr)
        located(ecr)
    again = INPUTS["resolve_release"] | {"execution": f"{EXECUTION}-again"}
    invoked("resolve_release", INPUTS["resolve_release"])

    resolution = invoked("resolve_release", again)

    assert resolution["ignored"] == (
        f"an earlier delivery of the same event is the release of {EXECUTION}"
    )
    assert (resolution["release"], resolution["stages"]) == (None, [])


def test_resolve_release_answers_a_retry_as_the_first_time(ledger, ssm, ecr):
    for _ in range(2):
        planned(ssm)
        unguarded(ssm)
        found(ecr)
        located(ecr)
    first = invoked("resolve_release", INPUTS["resolve_release"])

    assert invoked("resolve_release", INPUTS["resolve_release"]) == first


def test_a_retry_answers_with_what_the_first_attempt_recorded_though_the_plan_has_changed(
    ledger, ssm, ecr
):
    planned(ssm)
    unguarded(ssm)
    planned(ssm, route("v*", production=["production/other"]))
    unguarded(ssm)
    for _ in range(2):
        found(ecr)
        located(ecr)
    first = invoked("resolve_release", INPUTS["resolve_release"])

    assert invoked("resolve_release", INPUTS["resolve_release"]) == first


def test_a_push_that_is_ignored_is_not_in_the_ledger(ledger, ssm):
    ssm.refuses("get_parameter", "ParameterNotFound")

    assert "has no plan" in invoked("resolve_release", INPUTS["resolve_release"])["ignored"]

    assert aws.table().scan()["Items"] == []


def test_resolve_rollback_records_the_target_and_names_the_rollback(ledger, ecs, ssm):
    ended(ledger, found=good(OLD))
    ended(ledger, found=good(NEW, DIGEST))
    described(ecs, ecs_deployment(taskDefinition=NEW))
    defined(ecs, container(image=f"{URI}@{DIGEST}"), asked=NEW, taskDefinitionArn=NEW)
    planned(ssm)
    unguarded(ssm)
    defined(ecs, asked=OLD)

    resolved = invoked("resolve_rollback", INPUTS["resolve_rollback"])

    record = ledger.rollback(resolved["input"]["rollback"])
    assert (record.good.task_definition, record.deployment.release.by) == (OLD, "Ada")
    assert (record.execution, record.running) == (ROLLBACK, NEW)


def test_begin_deployment_claims_the_service_and_names_the_rollback_target(ledger, ecs, ssm):
    taken_up(ledger, deployment())
    may_begin(ecs, ssm)

    beginning = invoked("begin_deployment", INPUTS["begin_deployment"])

    assert (beginning["decision"], beginning["rollback_target"]) == ("GO", OLD)
    assert beginning["claim"] == CLAIM
    assert ledger.service(SERVICE).claim.execution == execution()


def test_resolve_release_needs_policies_if_the_template_requires_them(ssm, ecr, monkeypatch):
    monkeypatch.setenv("SERVICE_POLICIES", "required")
    planned(ssm)
    unguarded(ssm)
    found(ecr)
    located(ecr)

    with pytest.raises(InvalidInput, match=r"ServicePolicies=required"):
        invoked("resolve_release", INPUTS["resolve_release"])


def test_begin_deployment_takes_the_input_that_resolve_release_names(
    ledger, ssm, ecr, ecs, stepfunctions
):
    planned(ssm)
    unguarded(ssm)
    found(ecr)
    located(ecr)
    resolution = invoked("resolve_release", INPUTS["resolve_release"])
    described_execution(stepfunctions, EXECUTION, status="RUNNING")
    may_begin(ecs, ssm)

    [named] = resolution["stages"][0]["deployments"]
    start = INPUTS["begin_deployment"] | {"start": named["input"]}

    assert invoked("begin_deployment", start)["decision"] == "GO"


def test_register_task_definition_notes_the_task_definition_of_the_deployment(ours, ecs_once):
    described(ecs_once)
    defined(ecs_once, container(image=f"{URI}@{DIGEST}"), taskDefinitionArn=NEW)

    registration = invoked("register_task_definition", INPUTS["register_task_definition"])

    record = ours.deployment(claim())
    assert registration == {"task_definition": NEW}
    assert (record.task_definition, record.rollback_target) == (NEW, OLD)
    assert "RegisterTaskDefinition" in record.steps


def test_register_task_definition_notes_the_target_of_a_manual_rollback(ours, ecs_once):
    described(ecs_once)
    defined(ecs_once, container(image=f"{URI}@{OLD_DIGEST}"), taskDefinitionArn=NEW)
    back = image(digest=OLD_DIGEST, tag="v1").to_json()

    invoked("register_task_definition", INPUTS["register_task_definition"] | {"image": back})

    record = ours.deployment(claim())
    assert (record.task_definition, record.rollback_target) == (None, NEW)


def test_update_service_marks_the_change_and_removes_the_mark(ours, ecs):
    described(ecs, before(status="PRIMARY"))
    updated(ecs, NEW)

    assert invoked("update_service", INPUTS["update_service"])["deployment_id"] == OURS

    record = ours.deployment(claim())
    assert (record.changing, record.task_definition, record.ecs_deployment) == (True, NEW, OURS)
    assert ours.service(SERVICE).claim.changing_until is None


def test_check_deployment_judges_and_gives_a_sign_of_life(ours, ecs):
    observed(ecs)
    lease = ours.service(SERVICE).claim.lease_until

    verdict = invoked("check_deployment", INPUTS["check_deployment"])

    assert (verdict["verdict"], verdict["healthy"], verdict["baked"]) == ("HEALTHY", 2, False)
    assert ours.service(SERVICE).claim.lease_until != lease


def test_the_first_healthy_check_is_noted_and_the_bake_goes_on_from_it(ours, ecs):
    observed(ecs)
    observed(ecs)
    first = invoked("check_deployment", INPUTS["check_deployment"])
    again = watch().to_json() | {"healthy_at": first["healthy_at"]}

    second = invoked("check_deployment", {"claim": CLAIM, "watch": again})

    assert second["healthy_at"] == first["healthy_at"]
    noted = ours.deployment(claim()).steps["HEALTHY"]
    assert noted == datetime.fromisoformat(first["healthy_at"])


def test_a_check_of_a_pending_deployment_notes_no_health(ours, ecs):
    described(ecs, ecs_deployment(rolloutState="IN_PROGRESS"))
    ecs.answers("list_tasks", {"taskArns": []})
    ecs.answers("list_tasks", {"taskArns": []})
    defined(ecs)

    invoked("check_deployment", INPUTS["check_deployment"])

    assert "HEALTHY" not in ours.deployment(claim()).steps


RELEASED = release(started_by="manual start", force=True)


@pytest.mark.parametrize("moment", [1, 60], ids=["at once", "during the bake"])
def test_a_check_finds_an_image_bad_that_a_person_has_quarantined_since(ours, moment):
    """Nothing else is asked."""
    quarantined_by_ada(DIGEST, moment=at(moment))

    verdict = invoked(
        "check_deployment", INPUTS["check_deployment"] | {"release": RELEASED.to_json()}
    )

    assert (verdict["verdict"], verdict["cause"]) == ("FAILED", "PERSON")
    assert verdict["reason"] == "a person has quarantined the image (Ada: it leaks)"


def test_a_check_goes_on_where_the_image_was_quarantined_before_it_was_forced(ours, ecs):
    quarantined_by_ada(DIGEST, moment=at(-1))
    observed(ecs)

    verdict = invoked(
        "check_deployment", INPUTS["check_deployment"] | {"release": RELEASED.to_json()}
    )

    assert verdict["verdict"] == "HEALTHY"


def test_a_check_goes_on_where_the_quarantined_images_can_not_be_read(ours, ecs):
    aws.table().put_item(Item={"pk": SERVICE, "sk": "state#versions", "quarantined": "none"})
    observed(ecs)

    verdict = invoked(
        "check_deployment", INPUTS["check_deployment"] | {"release": RELEASED.to_json()}
    )

    assert verdict["verdict"] == "HEALTHY"


BAKING = "baking until "


def test_a_check_publishes_the_progress_where_a_progress_topic_is_set(
    ours, ecs, sns_once, monkeypatch
):
    monkeypatch.setenv("PROGRESS_TOPIC_ARN", TOPIC)
    observed(ecs)
    kind = {"DataType": "String", "StringValue": "progress"}
    service = {"DataType": "String", "StringValue": SERVICE}
    sns_once.answers(
        "publish",
        {"MessageId": "m-1"},
        TopicArn=TOPIC,
        Subject=ANY,
        MessageStructure="json",
        Message=ANY,
        MessageAttributes={"kind": kind, "service": service},
    )

    verdict = invoked("check_deployment", INPUTS["check_deployment"])

    assert verdict["progress"].startswith(BAKING)


def test_a_check_whose_progress_is_unchanged_publishes_nothing(ours, ecs, sns_once, monkeypatch):
    monkeypatch.setenv("PROGRESS_TOPIC_ARN", TOPIC)
    observed(ecs)
    notified = {"healthy_at": datetime.now(UTC).isoformat()}
    end = datetime.fromisoformat(notified["healthy_at"]) + timedelta(seconds=300)
    notified["progress"] = f"{BAKING}{end:%H:%M:%S} UTC"

    verdict = invoked("check_deployment", {"claim": CLAIM, "watch": watch().to_json() | notified})

    assert verdict["progress"] == notified["progress"]


@pytest.mark.parametrize("topic", ["", None])
def test_a_check_publishes_nothing_without_a_progress_topic(
    ours, ecs, sns_once, monkeypatch, topic
):
    if topic is not None:
        monkeypatch.setenv("PROGRESS_TOPIC_ARN", topic)
    observed(ecs)

    assert invoked("check_deployment", INPUTS["check_deployment"])["progress"].startswith(BAKING)


@pytest.mark.parametrize(("code", "status"), [("AuthorizationError", 403), ("Throttled", 429)])
def test_a_check_that_cannot_publish_the_progress_judges_all_the_same(
    ours, ecs, sns_once, monkeypatch, code, status
):
    monkeypatch.setenv("PROGRESS_TOPIC_ARN", TOPIC)
    observed(ecs)
    sns_once.refuses("publish", code, status=status)

    assert invoked("check_deployment", INPUTS["check_deployment"])["verdict"] == "HEALTHY"


def test_roll_back_marks_the_change_and_removes_the_mark(ours, ecs_once):
    rolls_back(ecs_once)

    done = invoked("roll_back", INPUTS["roll_back"])

    assert (done["action"], done["task_definition"]) == ("UPDATED", OLD)
    assert "RollBack" in ours.deployment(claim()).steps
    assert ours.service(SERVICE).claim.changing_until is None


ANOTHER_DIGEST = "sha256:" + "ef" * 32


def proved(*versions):
    """These task definitions, each with its digest, are good; the first one, v0, was found so last."""
    pairs = enumerate(zip(versions[::2], versions[1::2], strict=True))
    known = [good(arn, digest, tag=f"v{number}") for number, (arn, digest) in pairs]
    aws.table().update_item(
        Key={"pk": SERVICE, "sk": "state#versions"},
        UpdateExpression="SET good = :good",
        ExpressionAttributeValues={":good": [version.to_json() for version in known]},
    )


def test_roll_back_goes_to_another_good_version_if_a_person_has_quarantined_its_target(
    ours, ecs_once
):
    """BeginDeployment has chosen the target, and a deployment may take long."""
    proved(OLD, OLD_DIGEST, OTHER, ANOTHER_DIGEST)
    quarantined_by_ada(OLD_DIGEST)
    proved(OLD, OLD_DIGEST, OTHER, ANOTHER_DIGEST)
    defined(ecs_once, asked=OLD)
    another = container(image=f"{URI}@{ANOTHER_DIGEST}")
    defined(ecs_once, another, asked=OTHER, taskDefinitionArn=OTHER)
    rolls_back(ecs_once, OTHER)

    done = invoked("roll_back", INPUTS["roll_back"])

    assert (done["task_definition"], done["other_target"]) == (OTHER, OTHER)
    assert done["other_target_tag"] == "v1"
    record = ours.deployment(claim())
    assert (record.rollback_target, record.good_target.digest) == (OTHER, ANOTHER_DIGEST)


def test_roll_back_goes_to_its_quarantined_target_if_no_other_version_is_good(ours, ecs_once):
    """It was good once, which is better than what has just failed."""
    proved(OLD, OLD_DIGEST)
    quarantined_by_ada(OLD_DIGEST)
    defined(ecs_once, asked=OLD)
    rolls_back(ecs_once)

    done = invoked("roll_back", INPUTS["roll_back"])

    assert (done["task_definition"], done["other_target"]) == (OLD, None)
    assert done["other_target_tag"] is None


def test_roll_back_keeps_a_target_that_is_not_quarantined(ours, ecs_once):
    proved(OLD, OLD_DIGEST)
    quarantined_by_ada(ANOTHER_DIGEST)
    defined(ecs_once, asked=OLD)
    rolls_back(ecs_once)

    assert invoked("roll_back", INPUTS["roll_back"])["other_target"] is None


def test_roll_back_keeps_the_target_that_a_person_has_named_though_it_is_quarantined(
    ours, ecs_once
):
    quarantined_by_ada(OLD_DIGEST)
    rolls_back(ecs_once)

    done = invoked("roll_back", INPUTS["roll_back"] | {"manual_rollback": True})

    assert done["other_target"] is None


def test_finish_deployment_writes_the_end_and_frees_the_service(ours, ecs, ssm):
    described(ecs)
    unkept(ssm)

    finished = invoked("finish_deployment", ENDED)

    assert (finished["outcome"], finished["claim"]) == ("SUCCEEDED", CLAIM)
    service = ours.service(SERVICE)
    assert (service.claim, service.last_good.task_definition) == (None, NEW)
    assert ours.deployment(claim()).outcome == "SUCCEEDED"


def test_the_ledger_forgets_a_deployment_after_history_days(ours, ecs, ssm):
    described(ecs)
    unkept(ssm)

    invoked("finish_deployment", ENDED)

    item = aws.table().get_item(Key={"pk": SERVICE, "sk": f"deployment#{claim().deployment}"})[
        "Item"
    ]
    forgotten = datetime.fromisoformat(item["ended_at"]) + timedelta(days=400)
    assert item["expires_at"] == int(forgotten.timestamp())


def test_finish_deployment_finds_that_someone_else_has_changed_the_service(ours, ecs):
    described(ecs, ecs_deployment(id="ecs-svc/9"))

    assert invoked("finish_deployment", ENDED)["outcome"] == "SUPERSEDED"


def described_execution(stepfunctions, arn, status, start=None):
    answer = {
        "executionArn": arn,
        "stateMachineArn": DEPLOYMENTS,
        "status": status,
        "startDate": NOW,
        "input": json.dumps(start or {}),
    }
    stepfunctions.answers("describe_execution", answer, executionArn=arn)


def test_recover_starts_an_execution_that_ends_the_deployment_of_the_dead_execution(
    ours, stepfunctions
):
    start = taken_up(ours, deployment())
    described_execution(stepfunctions, execution(), "ABORTED", start)
    stepfunctions.answers(
        "start_execution",
        {"executionArn": execution("x"), "startDate": NOW},
        stateMachineArn=DEPLOYMENTS,
        name=ANY,
        input=json.dumps({"recover": claim().deployment, "service": SERVICE}),
    )

    done = invoked("recover", DIED)["done"]

    recovery = ours.deployment(claim()).recovery
    assert done == f"execution {recovery.execution.rpartition(':')[2]} recovers it"
    assert (recovery.attempt, recovery.start) == (1, part_of(deployment()))


def test_recover_fails_while_the_execution_that_has_ended_is_described_as_running(
    ours, stepfunctions
):
    """Lambda tries the event again, a minute and three minutes later."""
    described_execution(stepfunctions, execution(), "RUNNING", taken_up(ours, deployment()))

    with pytest.raises(AwsUnavailable, match="has ended, and Step Functions describes it as runn"):
        invoked("recover", DIED)


def test_recover_names_the_field_that_an_event_misses():
    with pytest.raises(InvalidInput, match=r"detail.executionArn: it is missing"):
        invoked("recover", DIED | {"detail": {}})


def test_operate_carries_out_an_action_and_records_who_wanted_it(ours):
    action = {"action": "free", "service": SERVICE, "by": "Ada", "why": "it is healthy again"}

    done = invoked("operate", action)["done"]

    assert done == f"service {SERVICE} is free of deployment {claim().deployment}"
    [audit] = [item for item in aws.table().scan()["Items"] if item["pk"] == "audit"]
    assert (audit["action"], audit["by"], audit["id"]) == ("free", "Ada", "request-1")


def test_sweep_reports_its_releases_its_recoveries_and_its_problems(
    ledger, ssm, ecr, stepfunctions
):
    plan = {
        "Name": "/slipway/repositories/shop/api",
        "Value": "{",
        "Type": "String",
        "LastModifiedDate": NOW,
    }
    ssm.answers("get_parameters_by_path", {"Parameters": [plan]})

    swept = invoked("sweep", {"source": "aws.events"})

    assert (swept["released"], swept["recovered"]) == ([], [])
    [problem] = swept["problems"]
    assert problem.startswith("the plan of repository shop/api")


def test_sweep_has_a_deployment_recovered_whose_sign_of_life_is_overdue(
    ours, ssm, ecr, stepfunctions
):
    described_execution(stepfunctions, execution(), "RUNNING")
    ssm.answers("get_parameters_by_path", {"Parameters": []})

    swept = invoked("sweep", {})

    assert swept == {
        "released": [],
        "recovered": [f"{execution()}: it is running"],
        "problems": [],
        "left": [],
    }


@pytest.mark.parametrize(
    ("seconds", "minutes"), [(60, 15), (900, 1)], ids=["before Lambda ends it", "before the next"]
)
def test_sweep_ends_in_time(monkeypatch, ledger, ssm, ecr_of_many_threads, seconds, minutes):
    """With a minute to spare, so that a run of a minute reads nothing."""
    monkeypatch.setattr(importlib.import_module("sweep"), "EVERY_SECONDS", 60 * minutes)
    names = ("shop/api", "shop/web")
    parameters = [
        {
            "Name": f"/slipway/repositories/{name}",
            "Value": json.dumps({"routes": [route()]}),
            "Type": "String",
            "LastModifiedDate": NOW,
        }
        for name in names
    ]
    ssm.answers("get_parameters_by_path", {"Parameters": parameters})

    swept = invoked("sweep", {}, seconds)

    assert swept["left"] == ["1 repositories, from shop/web on"]
    [problem] = swept["problems"]
    assert problem.startswith("there was no time to read every image of repository shop/api")


@pytest.mark.parametrize(
    ("step", "field"), [(step, name) for step, given in INPUTS.items() for name in given]
)
def test_a_step_whose_input_misses_a_field_names_the_field(step, field):
    event = {name: value for name, value in INPUTS[step].items() if name != field}

    with pytest.raises(InvalidInput, match=rf"is not valid:\n  {field}: it is missing"):
        invoked(step, event)


def of_another_version(value):
    """The value with an unknown field in each object but those that hold anything."""
    if isinstance(value, list):
        return [of_another_version(each) for each in value]
    if not isinstance(value, dict):
        return value
    anything = {"start", "images"}
    known = {n: v if n in anything else of_another_version(v) for n, v in value.items()}
    return known | {"surprise": {"of": "another version"}}


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (Started, INPUTS["resolve_release"]),
        (Started, INPUTS["resolve_rollback"]),
        (Start, INPUTS["begin_deployment"]),
        (Deployment, deployment(policy={"alarms": ALARMS, "freeze": WINDOWS}).to_json()),
        ("register_task_definition", INPUTS["register_task_definition"]),
        ("update_service", INPUTS["update_service"]),
        ("check_deployment", INPUTS["check_deployment"]),
        ("roll_back", INPUTS["roll_back"]),
        (Ending, ENDED),
        (News, NEWS_OF_DEPLOYMENT),
    ],
)
def test_a_step_reads_an_input_of_another_version_as_far_as_it_knows_it(model, given):
    known = importlib.import_module(model).Input if isinstance(model, str) else model

    assert parse(known, of_another_version(given), "x") == parse(known, given, "x")
