"""What helps at 3 a.m.: the links, and the command that rolls back."""

from __future__ import annotations

import json
import shlex

import pytest

from slipway.beginning import ManualRollback
from tests.unit.builders import ACCOUNT, DEPLOYMENTS, REGION, SERVICE
from tests.unit.endings import ending, failed_release, start, told


def options(command: list[str]) -> dict[str, str]:
    """Those of the command, as a shell reads them."""
    words = shlex.split(" ".join(line.removesuffix("\\") for line in command))
    assert words[:3] == ["aws", "stepfunctions", "start-execution"]
    return dict(zip(words[3::2], words[4::2], strict=True))


@pytest.mark.parametrize(
    ("partition", "region", "console"),
    [
        ("aws", "eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
        ("aws-eusc", "eusc-de-east-1", "eusc-de-east-1.console.amazonaws-eusc.eu"),
    ],
)
def test_the_links_lead_to_the_console_of_the_partition(partition, region, console):
    arn = f"arn:{partition}:states:{region}:{ACCOUNT}:execution:slipway:x"

    assert told("Links", ending(execution=arn)) == [
        f"https://{console}/states/home?region={region}#/v2/executions/details/{arn}",
        f"https://{console}/ecs/v2/clusters/production/services/api/health?region={region}",
    ]


def test_a_release_has_no_link_to_a_service():
    assert len(told("Links", failed_release())) == 1


@pytest.mark.parametrize("told_of", [start(), ending("SUCCEEDED"), ending("ROLLBACK_FAILED")])
def test_where_the_new_version_runs_the_command_starts_the_rollback_by_hand(told_of):
    given = options(told("Roll back by hand", told_of))

    assert given.keys() == {"--region", "--state-machine-arn", "--input"}
    assert (given["--region"], given["--state-machine-arn"]) == (REGION, DEPLOYMENTS)
    assert json.loads(given["--input"]) == {
        "action": "rollback",
        "service": SERVICE,
        "to": "shop-api:41",
    }


def test_the_commands_input_is_what_a_rollback_by_hand_takes():
    given = options(told("Roll back by hand", ending()))
    wanted = ManualRollback.model_validate_json(given["--input"])

    assert (wanted.service, wanted.to) == (SERVICE, "shop-api:41")


def test_where_the_previous_version_is_not_known_the_command_names_none():
    given = options(told("Roll back by hand", ending(previous=None)))

    assert json.loads(given["--input"]) == {"action": "rollback", "service": SERVICE}


def test_a_release_has_no_service_to_roll_back():
    assert told("Roll back by hand", failed_release(outcome="SUCCEEDED")) == []


@pytest.mark.parametrize("outcome", ["ROLLED_BACK", "SUPERSEDED", "REJECTED", "FAILED"])
def test_where_the_previous_version_runs_there_is_nothing_to_roll_back(outcome):
    assert told("Roll back by hand", ending(outcome)) == []


def test_where_a_rollback_by_hand_starts_there_is_no_other_one_to_start():
    assert told("Roll back by hand", start(started_by="manual rollback by jo")) == []
