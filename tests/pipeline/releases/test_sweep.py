"""What nobody announced is found, once; and who no longer lives is ended."""

from __future__ import annotations

import json
from typing import Any

from localaws.faults import faults
from tests.support.account import Account
from tests.support.channels import mails_of_alarms
from tests.support.policies import changed, without
from tests.support.stories import PATIENCE_SECONDS
from tests.support.sweeps import ended, let_the_lease_run_out, sweep
from tests.support.waiting import wait_for


def test_a_push_whose_event_was_lost_is_released_once(account: Account) -> None:
    shop = account.shop(tasks=1)
    with account.disabled("aws.ecr"):
        digest = shop.push("v2")
    sweep(account)
    assert ended(shop) == {"v2": "SUCCEEDED"}
    assert shop.running() == digest
    assert shop.history()[0]["deployment"]["release"]["started_by"] == "sweep"
    sweep(account)
    assert len(shop.history()) == 1


def test_an_image_that_was_announced_or_is_older_than_the_plan_is_not_swept(
    account: Account,
) -> None:
    shop = account.shop(tasks=1)
    shop.push("v2")
    assert shop.deployed("v2").outcome == "SUCCEEDED"
    with account.disabled("aws.ecr"):
        shop.push("v3")
    shop.plan([{"name": "production", "services": [shop.planned(shop.service)]}])
    sweep(account)
    releases = [
        each
        for each in account.executions("ReleaseStateMachineArn")
        if shop.repository in str(each.input) and each.input.get("source") == "slipway.sweep"
    ]
    assert releases == []


def test_a_wrong_plan_does_not_keep_the_others_from_being_swept(account: Account) -> None:
    broken, shop = account.shop(tasks=1), account.shop(tasks=1)
    account.aws.client("ssm").put_parameter(
        Name=f"/slipway/repositories/{broken.repository}", Value="{", Overwrite=True
    )
    with account.disabled("aws.ecr"):
        shop.push("v2")
    sweep(account)
    assert ended(shop) == {"v2": "SUCCEEDED"}
    account.aws.client("ssm").delete_parameter(Name=f"/slipway/repositories/{broken.repository}")


def test_a_deployment_that_nobody_recovered_is_recovered_when_its_lease_ran_out(
    account: Account,
) -> None:
    shop = account.shop(tasks=1)
    with account.disabled("aws.states"):
        faults.add(state="CheckDeployment", how="stop", containing=shop.service)
        shop.push("v2")
        assert shop.released("v2").outcome == "ReleaseFailed"
    sweep(account)
    assert shop.record().claim is not None  # its lease has not run out
    let_the_lease_run_out(shop)
    sweep(account)
    assert ended(shop) == {"v2": "ROLLED_BACK"}
    assert shop.running() == shop.v1


def test_a_dead_deployment_whose_service_can_not_be_read_is_finished_once_when_that_is_mended(
    account: Account,
) -> None:
    shop = account.shop(tasks=1)
    key = {"pk": shop.service, "sk": "state#versions"}
    with account.disabled("aws.states"):
        faults.add(state="CheckDeployment", how="stop", containing=shop.service)
        shop.push("v2")
        assert shop.released("v2").outcome == "ReleaseFailed"
    account.table.update_item(
        Key=key, UpdateExpression="SET good = :text", ExpressionAttributeValues={":text": "v1"}
    )
    let_the_lease_run_out(shop)
    dead, *_ = shop.account.executions("DeploymentStateMachineArn")
    answer = account.aws.client("lambda").invoke(
        FunctionName=account.functions()["Recover"],
        Payload=json.dumps({"detail": {"executionArn": dead.arn, "redriveCount": 0}}),
    )
    assert "state#versions is not valid" in answer["Payload"].read().decode()
    sweep(account)
    [history] = shop.history()
    assert ("outcome" in history, "recovery" in history, shop.mails()) == (False, False, [])

    account.table.update_item(Key=key, UpdateExpression="REMOVE good")
    sweep(account)
    assert ended(shop) == {"v2": "ROLLED_BACK"}
    assert shop.running() == shop.v1
    wait_for(shop.mails, "the notice of the end", PATIENCE_SECONDS)
    assert [mail["attributes"]["outcome"] for mail in shop.mails()] == ["ROLLED_BACK"]
    assert len(shop.history()) == 1


def mailed(subject: str) -> dict[str, Any]:
    """The email of an alarm. An earlier test may have caused it: an alarm that fires does not fire again."""
    found: dict[str, Any] = wait_for(
        lambda: next((m for m in mails_of_alarms() if m["subject"].startswith(subject)), None),
        f"the email {subject}",
        PATIENCE_SECONDS,
    )
    return found


def test_people_are_notified_of_a_sweep_that_fails(account: Account) -> None:
    function = account.functions()["Sweep"]
    with changed(account, "Sweep", without("dynamodb:Query")):
        answer = account.aws.client("lambda").invoke(FunctionName=function)
    assert answer["FunctionError"] == "Unhandled"
    mail = mailed("ALARM: the sweep failed (slipway-SweepFailed-")
    assert "When the sweep fails, is slow or does not run" in " ".join(mail["text"].split())


def test_people_are_notified_of_a_release_that_was_stopped(account: Account) -> None:
    shop = account.shop(tasks=1)
    faults.add(state="ResolveRelease", how="stop", containing=shop.repository)
    shop.push("v2")
    assert shop.released("v2").outcome == "ABORTED"
    mailed("ALARM: a release was stopped (slipway-ReleaseAborted-")
