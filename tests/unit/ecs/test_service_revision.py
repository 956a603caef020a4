"""Reading the service revision that a service runs."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.ecs.service_revision import newest_revision
from slipway.errors import AwsRefused, AwsUnavailable
from tests.support.builders import SERVICE, at
from tests.support.ecs_answers import ecs_service, service_revision


def running(*revisions: dict[str, Any]) -> dict[str, Any]:
    arns = [{"arn": revision["serviceRevisionArn"]} for revision in revisions]
    return ecs_service(currentServiceRevisions=arns)


def test_the_newest_revision_is_that_which_was_created_last(ecs):
    old, new = service_revision("1"), service_revision("2", createdAt=at(20))
    ecs.answers(
        "describe_service_revisions",
        {"serviceRevisions": [old, new]},
        serviceRevisionArns=[new["serviceRevisionArn"], old["serviceRevisionArn"]],
    )

    assert newest_revision(SERVICE, running(new, old), ecs.client) == new


def test_a_service_that_lists_no_revisions_has_none(ecs):
    assert newest_revision(SERVICE, ecs_service(), ecs.client) is None
    assert newest_revision(SERVICE, running(), ecs.client) is None


def test_a_revision_that_is_not_there_yet_is_none(ecs):
    ecs.answers("describe_service_revisions", {"serviceRevisions": [], "failures": []})

    assert newest_revision(SERVICE, running(service_revision()), ecs.client) is None


@pytest.mark.parametrize(
    "code", ["ClientException", "InvalidParameterException", "UnsupportedFeatureException"]
)
def test_a_revision_that_is_too_old_to_be_described_is_none(ecs, code):
    ecs.refuses("describe_service_revisions", code)

    assert newest_revision(SERVICE, running(service_revision()), ecs.client) is None


@pytest.mark.parametrize(
    ("code", "error"),
    [("AccessDeniedException", AwsRefused), ("ThrottlingException", AwsUnavailable)],
)
def test_a_failed_read_says_nothing_of_the_revision(ecs, code, error):
    ecs.refuses("describe_service_revisions", code)

    with pytest.raises(error, match="ecs:DescribeServiceRevisions on service production/api"):
        newest_revision(SERVICE, running(service_revision()), ecs.client)
