"""A deployment from a snapshot is the one that was saved, and can be changed and deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from localaws.server import LocalAws
from tests.support.deployed import deployed, packaged, snapshot
from tests.support.paths import REPO
from tests.support.waiting import wait_for
from tools import sam

PARAMETERS = {"SweepMinutes": "480", "SweepMaturitySeconds": "0"}


@pytest.fixture(scope="module")
def loaded() -> Iterator[tuple[LocalAws, dict[str, str]]]:
    with deployed(PARAMETERS) as found:
        yield found


def stack(aws: LocalAws, name: str = "slipway") -> dict[str, Any]:
    (found,) = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return dict(found)


def test_the_sam_cli_packages_once(loaded, monkeypatch):
    monkeypatch.setattr(sam, "package", None)
    assert packaged() == packaged()
    assert snapshot(PARAMETERS) == snapshot(PARAMETERS)


def test_the_outputs_of_a_loaded_stack_name_this_local_aws_and_resources_that_exist(loaded):
    aws, outputs = loaded
    assert outputs["UnrecoveredUrl"].startswith(f"{aws.url}/")
    aws.client("sqs").get_queue_attributes(QueueUrl=outputs["UnrecoveredUrl"])
    aws.client("dynamodb").describe_table(TableName=outputs["LedgerTable"])
    aws.client("sns").get_topic_attributes(TopicArn=outputs["NotificationsTopicArn"])


def test_a_stack_is_updated_and_deleted(loaded):
    aws, outputs = loaded
    sam.build_once(REPO)
    assert sam.deploy(aws, REPO, {**PARAMETERS, "SettleSeconds": "7"}) == outputs
    states, id_ = aws.client("stepfunctions"), stack(aws)["StackId"]
    machine = outputs["ReleaseStateMachineArn"]
    assert "{% 7 %}" in states.describe_state_machine(stateMachineArn=machine)["definition"]
    assert stack(aws)["StackStatus"] == "UPDATE_COMPLETE"

    aws.client("cloudformation").delete_stack(StackName="slipway")
    wait_for(lambda: stack(aws, id_)["StackStatus"] == "DELETE_COMPLETE", "the deletion", 120)
    assert states.list_state_machines()["stateMachines"] == []
    assert aws.client("lambda").list_functions()["Functions"] == []
