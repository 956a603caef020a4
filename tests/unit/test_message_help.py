"""What helps at 3 a.m.: the links, and the command that rolls back."""

from __future__ import annotations

import pytest

from tests.unit.builders import ACCOUNT, REGION
from tests.unit.endings import ending, failed_release, told

UPDATE = [
    f"aws ecs update-service --region {REGION} \\",
    "--cluster production --service api \\",
    "--task-definition shop-api:41",
]


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


@pytest.mark.parametrize("outcome", ["SUCCEEDED", "ROLLBACK_FAILED"])
def test_where_the_new_version_runs_the_command_puts_the_previous_one_back(outcome):
    assert told("Roll back by hand", ending(outcome)) == UPDATE


def test_where_there_is_no_previous_version_there_is_no_command():
    assert told("Roll back by hand", ending(previous=None)) == []


@pytest.mark.parametrize("outcome", ["ROLLED_BACK", "SUPERSEDED", "FAILED"])
def test_where_the_previous_version_runs_there_is_nothing_to_roll_back(outcome):
    assert told("Roll back by hand", ending(outcome)) == []
