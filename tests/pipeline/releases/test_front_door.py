"""Whoever can start the state machines can only make them do what a push or a person may have done."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from localaws.sns import sns
from tests.support import executions
from tests.support.account import Account, Shop
from tests.support.stories import PATIENCE_SECONDS
from tests.support.waiting import wait_for

EVIL = "evil.example.com/miner"
MACHINES = ("ReleaseStateMachineArn", "RollbackStateMachineArn", "DeploymentStateMachineArn")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "release",
                    "stage",
                    "service",
                    "rollback",
                    "recover",
                    "action",
                    "to",
                    "by",
                    "repository",
                    "tag",
                    "digest",
                    "force",
                    "id",
                    "detail",
                    "detail-type",
                    "source",
                ]
            )
            | st.text(max_size=5),
            inner | st.sampled_from(["production/api", "v1", "rollback", "aws.ecr"]),
            max_size=4,
        )
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def shop(account: Account) -> Shop:
    """One with a good version, whose release has ended."""
    shop = account.shop(tasks=1)
    shop.push("v2")
    assert shop.released("v2").outcome == "SUCCEEDED"
    return shop


def found(shop: Shop) -> tuple[Any, ...]:
    """What no forged input may change."""
    record = shop.record()
    claim = record.claim.execution if record.claim else None
    return (shop.described()["taskDefinition"], shop.revisions(), record.good, claim)


def forged(shop: Shop, live: dict[str, Any]) -> dict[str, Any]:
    """Inputs of the deployment state machine, by what they try.

    Args:
        live: the input of a deployment that is under way.
    """
    ended = {"release": _release_of(shop, "v2"), "stage": "production", "service": shop.service}
    image = {"repository": shop.repository, "uri": EVIL, "digest": shop.v1, "tag": "v2"}
    release = {"id": "x", "image": image, "released_at": "2026-01-01T00:00:00Z"}
    return {
        "an image of one's own": {
            "release": {**release, "started_by": "push", "force": True},
            "stage": "production",
            "service": shop.service,
            "policy": {"bake_seconds": 0},
        },
        "another team's task definition": {
            "action": "rollback",
            "service": shop.service,
            "to": "payments-admin:1",
        },
        "a recovery with any text": {
            "action": "recover",
            "deployment": "x",
            "why": EVIL,
            "attempt": -60,
            "start": {},
        },
        "a recovery of a live deployment": {
            "recover": shop.record().claim.deployment,  # type: ignore[union-attr]
            "service": shop.service,
        },
        "a release that has ended": ended,
        "a part that another execution carries out": live,
        "a stage that the plan does not have": {**live, "stage": "payments"},
        "a service that the plan does not name": {**live, "service": "production/payments"},
        "a rollback that nobody asked for": {"rollback": "x"},
    }


def _release_of(shop: Shop, tag: str) -> str:
    (release,) = shop.account.releases_of(shop.repository, tag)
    return str(release.output["release"]["id"])


def test_no_forged_input_of_the_deployment_state_machine_changes_anything(
    account: Account, shop: Shop
) -> None:
    shop.plan([{"name": "production", "services": [shop.planned(shop.service, bake_seconds=600)]}])
    shop.push("v3")
    wait_for(lambda: "HEALTHY" in str(shop.history()[1:]), "v3 to bake", PATIENCE_SECONDS)
    newest, *_ = account.executions("DeploymentStateMachineArn")
    before, mails = found(shop), len(sns.mails())
    tried = forged(shop, newest.input)

    ends = {
        what: account.ended(account.start("DeploymentStateMachineArn", start))
        for what, start in tried.items()
    }

    assert {what: end.outcome for what, end in ends.items()} == dict.fromkeys(tried, "FAILED")
    assert found(shop) == before
    assert before[3] == newest.arn
    said = json.dumps([mail["text"] for mail in sns.mails()[mails:]])
    assert EVIL not in said
    assert "payments-admin" not in said
    account.aws.client("stepfunctions").stop_execution(executionArn=newest.arn)
    wait_for(lambda: shop.record().claim is None, "v3 to be recovered", PATIENCE_SECONDS)
    (ours,) = [item for item in shop.history() if newest.arn.endswith(item["sk"].split("#")[-1])]
    assert ours["outcome"] == "ROLLED_BACK"


def test_a_manual_rollback_to_another_teams_task_definition_is_rejected(
    account: Account, shop: Shop
) -> None:
    other = account.shop(tasks=1)
    before = found(shop)

    back = shop.roll_back(to=f"{other.service.replace('/', '-')}:1")

    assert back.outcome == "REJECTED"
    assert "is none of service" in back.reason
    assert found(shop) == before


def test_a_push_in_the_far_future_is_refused_and_blocks_nothing(
    account: Account, shop: Shop
) -> None:
    (release,) = account.releases_of(shop.repository, "v2")
    late = account.start_release({**release.input, "id": "late", "time": "2036-01-01T00:00:00Z"})
    assert late.outcome == "ReleaseFailed"
    assert "is in the future" in late.reason

    shop.plan([{"name": "production", "services": [shop.planned(shop.service)]}])
    shop.push("v4")
    assert shop.released("v4").outcome == "SUCCEEDED"


@pytest.mark.parametrize("machine", MACHINES)
def test_no_input_changes_a_service_or_shows_a_stack_trace(
    account: Account, shop: Shop, machine: str
) -> None:
    before, mails, started = found(shop), len(sns.mails()), []

    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(JSON)
    def start(given: Any) -> None:
        started.append(account.start(machine, given))

    start()
    ends = [executions.ended(arn) for arn in started]

    assert found(shop) == before
    assert account.ledger.claimed() == ([], [])
    said = json.dumps([*ends, *(mail["text"] for mail in sns.mails()[mails:])], default=str)
    for word in ("Traceback", "stackTrace", "QueryEvaluationError", "States.Runtime"):
        assert word not in said
