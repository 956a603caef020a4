"""The input of FinishDeployment, the call, and what ECS and the ledger say of the deployment."""

from __future__ import annotations

from datetime import timedelta

from slipway.deployment.finish import Ending, finish
from slipway.health.cause import Cause
from tests.support.asked import part_of
from tests.support.builders import (
    NEW,
    NOW,
    OURS,
    accepted,
    at,
    claim,
    deployment,
    execution,
)
from tests.support.builders import update as an_update
from tests.support.ecs_answers import defined, described, ecs_deployment
from tests.support.stubs import without_parameters

HISTORY = timedelta(days=400)


def ending(outcome, **changes):
    defaults = {
        "outcome": outcome,
        "reason": "because",
        "cause": Cause.ALARM,
        "alarms_fired": ("api-5xx",),
        "evidence": ("a fact",),
        "claim": claim(),
        "execution": execution(),
        "started_at": NOW,
        "start": part_of(deployment()).to_json(),
        "deployment": deployment(),
        "part": part_of(deployment()),
        "task_definition": NEW,
        "update": an_update(),
    }
    return Ending(**defaults | changes)


def finished(given, ledger, ecs, seconds=60, ssm=None):
    kept = ssm.client if ssm else without_parameters()
    return finish(given, HISTORY, at(seconds), ledger, ecs.client, kept)


def ours_is_there(ecs):
    """With the task definition, of which the ledger keeps a copy."""
    described(ecs, ecs_deployment(id=OURS, taskDefinition=NEW))
    defined(ecs, asked=NEW)


def tried(ledger, **changes):
    """Record a deployment that has claimed the service and put its image on it; its claim."""
    own = accepted(ledger, "e-1", **changes)
    ledger.start_change(own, "UpdateService", NOW, task_definition=NEW)
    return own
