"""Every command of docs/operations.md does what it says."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from localaws.faults import faults
from localaws.lambda_ import awslambda
from slipway.ledger.records import ClaimId
from slipway.release.freeze import parse_freeze
from slipway.release.release import Deployment
from tests.support.account import Account, Shop
from tests.support.commands import Page
from tests.support.stories import PATIENCE_SECONDS, has_ended
from tests.support.waiting import wait_for

PAGE = Page("operations.md", one_shell=True)
ELSEWHERE = {
    "delete old versions of the functions",
    "delete the versions of a failed update",
    "delete the stack",
    "the ledgers of all stacks",
}
"""The commands that tests/pipeline/upgrades/test_commands.py runs, in an account of its own."""


def run(title: str, shop: Shop, code: int = 0, **variables: str) -> str:
    """What the commands of the page print, for this shop's service."""
    known = {"SERVICE": shop.service, "REPOSITORY": shop.repository}
    return PAGE.run(title, code=code, **known | variables)


def newest(shop: Shop, count: int) -> str:
    """The outcome of the newest deployment, once there are so many and all have ended."""
    wait_for(
        lambda: len(shop.history()) >= count and has_ended(shop),
        f"{count} deployments of {shop.service}",
        PATIENCE_SECONDS,
    )
    return str(shop.history()[-1]["outcome"])


@pytest.fixture(scope="module")
def shop(account: Account) -> Shop:
    """One with two good versions and a bad one behind it."""
    shop = account.shop(tasks=1)
    shop.push("v2")
    assert shop.released("v2").outcome == "SUCCEEDED"
    shop.push("v3")
    assert shop.released("v3").outcome == "SUCCEEDED"
    shop.push("v4", behaviour="crash")
    assert shop.deployed("v4").outcome == "ROLLED_BACK"
    return shop


def digest_of(shop: Shop, tag: str) -> str:
    images = (item["deployment"]["release"]["image"] for item in shop.history())
    return next(str(image["digest"]) for image in images if image["tag"] == tag)


def test_the_commands_say_what_runs_where_and_what_happened(shop: Shop) -> None:
    lines = run("what runs where", shop).splitlines()
    (line,) = (line for line in lines if line.startswith(f"{shop.service}\t"))
    assert line.split("\t")[1] == "v3"
    good = [line.split("\t") for line in run("the good versions of a service", shop).splitlines()]
    assert [(tag, digest) for tag, digest, _, _ in good] == [
        (tag, digest_of(shop, tag)) for tag in ("v3", "v2")
    ]
    history = run("the history of a service", shop).splitlines()
    assert [line.split("\t")[1:5] for line in history] == [
        ["v4", "push", "None", "ROLLED_BACK"],
        ["v3", "push", "None", "SUCCEEDED"],
        ["v2", "push", "None", "SUCCEEDED"],
    ]
    whole = run("the newest deployment of a service", shop)
    for fact in ("UpdateService", "RollBack", "exit code", ":execution:"):
        assert fact in whole


def test_the_command_for_logs_shows_the_output_of_a_container(account: Account, shop: Shop) -> None:
    logs, group = account.aws.client("logs"), {"logGroupName": f"/ecs/{shop.service}"}
    stream = {**group, "logStreamName": "task/app/0123"}
    logs.create_log_group(**group)
    logs.create_log_stream(**stream)
    now = int(datetime.now(UTC).timestamp() * 1000)
    logs.put_log_events(**stream, logEvents=[{"timestamp": now, "message": "no database"}])
    assert "no database" in run("what the containers wrote", shop)


def test_a_quarantined_digest_is_shown_released_and_forced(shop: Shop) -> None:
    digest = digest_of(shop, "v4")
    assert digest in run("what is quarantined, and why", shop)
    run("deploy a quarantined digest", shop, DIGEST=digest)
    assert newest(shop, 4) == "ROLLED_BACK"
    assert digest in shop.record().quarantined
    run("lift the quarantine of a digest", shop, DIGEST=digest)
    assert digest not in shop.record().quarantined
    again = run("lift the quarantine of a digest", shop, code=1, DIGEST=digest)
    assert again == f"image {digest} is not quarantined on service {shop.service}\n"
    run("quarantine a digest", shop, DIGEST=digest)
    assert shop.record().quarantined[digest].reason.endswith(": it leaks memory")
    actions = [line.split("\t") for line in run("the last actions", shop).splitlines()]
    ours = [line for line in actions if line[2] == shop.service]
    assert [line[1] for line in ours] == ["quarantine", "release_from_quarantine"]
    assert ours[1][4].startswith("arn:aws:sts")
    assert ours[1][5] == "the alarm was wrong"


def test_an_image_that_a_person_quarantines_while_it_bakes_is_rolled_back_at_once(
    account: Account,
) -> None:
    shop = account.shop(tasks=1)
    planned = shop.planned(shop.service, bake_seconds=600)
    shop.plan([{"name": "production", "services": [planned]}])
    v2 = shop.push("v2")
    wait_for(lambda: "HEALTHY" in str(shop.history()), "v2 to bake")
    run("quarantine a digest", shop, DIGEST=v2)
    assert newest(shop, 1) == "ROLLED_BACK"
    assert shop.history()[-1]["cause"] == "PERSON"
    assert "a person has quarantined the image (" in shop.history()[-1]["reason"]
    assert shop.running() == shop.v1
    assert shop.record().quarantined[v2].deployment is None


def test_a_rollback_of_a_service_that_has_gone_back_by_itself_has_to_name_its_target(
    shop: Shop,
) -> None:
    run("roll back", shop)
    assert newest(shop, 5) == "REJECTED"
    assert 'name the version as "to": v2' in shop.history()[-1]["reason"]
    run("roll back to", shop)
    assert newest(shop, 6) == "ROLLED_BACK"
    assert shop.running() == shop.v1


def test_an_image_is_deployed_manually_and_rolled_back(shop: Shop) -> None:
    run("deploy an image that the repository has", shop)
    assert newest(shop, 7) == "SUCCEEDED"
    release = shop.history()[-1]["deployment"]["release"]
    assert (release["image"]["tag"], release["by"]) == ("v2", "jo")
    run("roll back", shop)
    assert newest(shop, 8) == "ROLLED_BACK"
    assert shop.running() == shop.v1
    newest_line = run("the history of a service", shop).splitlines()[0]
    _, image, started_by, by, outcome, _ = newest_line.split("\t")
    assert image == "v2", "the one that it leaves"
    assert (started_by, outcome) == ("manual rollback", "ROLLED_BACK")
    assert by.startswith("arn:aws:sts")


def test_the_pipeline_is_frozen_and_unfrozen(account: Account, shop: Shop) -> None:
    run("freeze now", shop)
    shop.push("v5")
    assert shop.deployed("v5").outcome == "REJECTED"
    run("unfreeze", shop)
    assert account.ledger.freeze() is None
    run("freeze one service until a time", shop)
    assert shop.record().freeze is not None
    run("unfreeze one service", shop)
    assert shop.record().freeze is None


def test_planned_freezes_are_written_and_removed(
    account: Account, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameter = "/slipway/freeze"
    monkeypatch.setenv("PARAMETER_PREFIX", "/slipway")
    run("freeze over the holidays and every weekend", shop)
    windows = account.aws.client("ssm").get_parameter(Name=parameter)["Parameter"]["Value"]
    assert len(parse_freeze(windows)) == 2
    run("remove the planned freezes", shop)
    assert account.aws.client("ssm").get_parameters(Names=[parameter])["Parameters"] == []


def test_the_command_for_a_sweep_begins_one(account: Account, shop: Shop) -> None:
    sweep_function = account.functions()["Sweep"]
    before = sum(each.function == sweep_function for each in awslambda.invocations())
    assert "a sweep begins" in run("sweep now", shop)
    wait_for(
        lambda: sum(each.function == sweep_function for each in awslambda.invocations()) > before,
        "the sweep",
    )
    printed = wait_for(lambda: run("what the sweeps have done", shop).strip(), "its log")
    assert {"released", "recovered", "problems", "left"} <= json.loads(
        printed.split("\n")[0]
    ).keys()


def test_the_deployments_under_way_are_named(shop: Shop) -> None:
    shop.push("v5b", behaviour="slow", start_seconds="5")
    wait_for(lambda: shop.record().claim, "v5b to claim the service")
    assert shop.service in run("what is under way", shop)
    assert shop.deployed("v5b").outcome == "SUCCEEDED"


def test_the_commands_for_queues_show_and_purge_undelivered_and_unrecovered_events(
    account: Account, shop: Shop
) -> None:
    sqs = account.aws.client("sqs")
    queues = {
        "what EventBridge could not deliver": account.outputs["UndeliveredPushesUrl"],
        "what could not be recovered": account.outputs["UnrecoveredUrl"],
    }
    for title, queue in queues.items():
        sqs.send_message(QueueUrl=queue, MessageBody=title)
        (message,) = json.loads(run(title, shop))["Messages"]
        assert message["Body"] == title
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    sqs.send_message(QueueUrl=account.outputs["UndeliveredPushesUrl"], MessageBody="lost")
    run("purge a queue", shop)
    (count,) = sqs.get_queue_attributes(
        QueueUrl=account.outputs["UndeliveredPushesUrl"],
        AttributeNames=["ApproximateNumberOfMessages"],
    )["Attributes"].values()
    assert count == "0"


def test_the_command_for_the_sweeps_schedule_says_that_it_is_on(shop: Shop) -> None:
    assert run("whether the schedule of the sweep is on", shop).split("\t")[0] == "ENABLED"


def test_the_command_for_releases_lists_those_that_were_stopped(shop: Shop) -> None:
    faults.add(state="ResolveRelease", how="stop", containing=shop.repository)
    shop.push("v8")
    stopped = shop.released("v8")
    assert stopped.outcome == "ABORTED"
    listed = run("releases that were stopped or ran out of time", shop)
    assert stopped.arn.rpartition(":")[2] in listed


def test_a_service_is_freed(account: Account, shop: Shop) -> None:
    arn = account.outputs["DeploymentStateMachineArn"].replace("stateMachine", "execution")
    claim = ClaimId(service=shop.service, deployment="dead", execution=f"{arn}:dead")
    newest = shop.history()[-1]["deployment"]
    release = {**newest["release"], "released_at": datetime.now(UTC)}
    deployment = Deployment.model_validate({**newest, "policy": {}, "release": release})
    account.ledger.claim(claim, deployment, "arn:of:a:task-definition", datetime.now(UTC))
    assert shop.record().claim is not None
    run("free a service", shop)
    assert shop.record().claim is None


def test_an_item_that_can_not_be_read_harms_its_service_only_until_it_is_mended(
    account: Account, shop: Shop
) -> None:
    other = account.shop(tasks=1)
    account.table.update_item(
        Key={"pk": shop.service, "sk": "state#versions"},
        UpdateExpression="SET good = :text",
        ExpressionAttributeValues={":text": "the last one"},
    )

    shop.push("v6")
    deployment = shop.deployed("v6")
    assert deployment.outcome == "FAILED"
    assert deployment.reason.startswith(
        f"the ledger's item {shop.service} state#versions is not valid:\n  good: "
    )
    back = shop.roll_back(to="v1")
    assert (back.outcome, back.reason) == ("FAILED", deployment.reason)
    assert deployment.reason.splitlines()[1].strip() in shop.mails()[-1]["text"].replace("\n ", "")
    other.push("v2")
    assert other.deployed("v2").outcome == "SUCCEEDED"
    swept = account.aws.client("lambda").invoke(FunctionName=account.functions()["Sweep"])
    problems = json.loads(swept["Payload"].read())["problems"]
    assert any(deployment.reason in problem for problem in problems)

    items = {item["sk"]["S"]: item for item in json.loads(run("the items of a service", shop))}
    assert items["state#versions"]["good"] == {"S": "the last one"}
    run("remove an attribute", shop)
    shop.push("v7")
    assert shop.deployed("v7").outcome == "SUCCEEDED"


def test_parameters_are_copied_to_another_prefix_but_not_the_reservation(
    account: Account, shop: Shop
) -> None:
    ssm, plan = account.aws.client("ssm"), f"repositories/{shop.repository}"
    ssm.put_parameter(Name="/copied/images/a/b", Value="newer", Type="String")
    ssm.put_parameter(Name="/slipway/images/a/b", Value="older", Type="String")
    longest = {"Value": "v" * 8192, "Type": "String", "Tier": "Advanced"}
    ssm.put_parameter(Name="/slipway/images/a/longest", **longest)
    run("copy the parameters to another prefix", shop, OLD="/slipway", NEW="/copied")
    found = ssm.get_parameters(
        Names=[
            f"/copied/{plan}",
            "/copied/images/a/b",
            "/copied/images/a/longest",
            "/copied/slipway-stack",
        ]
    )
    copied = {parameter["Name"]: parameter["Value"] for parameter in found["Parameters"]}
    original = ssm.get_parameter(Name=f"/slipway/{plan}")["Parameter"]["Value"]
    assert copied == {
        f"/copied/{plan}": original,
        "/copied/images/a/b": "newer",
        "/copied/images/a/longest": longest["Value"],
    }
    assert found["InvalidParameters"] == ["/copied/slipway-stack"]


def test_a_ledger_is_deleted_only_by_the_commands_that_end_its_protection(
    account: Account, shop: Shop
) -> None:
    dynamodb, protected = account.aws.client("dynamodb"), {"DeletionProtectionEnabled": True}
    ledger = dynamodb.describe_table(TableName=account.outputs["LedgerTable"])["Table"]
    assert protected.items() <= ledger.items()
    keys = {name: ledger[name] for name in ("AttributeDefinitions", "KeySchema")}
    dynamodb.create_table(TableName="old", BillingMode="PAY_PER_REQUEST", **keys, **protected)
    with pytest.raises(ClientError, match="currently protected against deletion"):
        dynamodb.delete_table(TableName="old")
    run("delete a ledger", shop, LEDGER="old")
    assert "old" not in dynamodb.list_tables()["TableNames"]


def test_every_other_command_of_the_page_was_run() -> None:
    assert PAGE.not_run == ELSEWHERE
