"""Step RegisterTaskDefinition: the running task definition with only the image changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import AwareDatetime

from slipway import aws
from slipway.ecs.task_definition import Base, register
from slipway.image import Image
from slipway.ledger.ledger import Ledger
from slipway.ledger.records import ClaimId
from slipway.model import Model, parse
from slipway.release.release import Deployment

logger = Logger()


class Input(Model):
    """The deployment, the image to register if it is not the release's, and when the deployment began."""

    claim: ClaimId
    deployment: Deployment
    image: Image | None = None
    """Set for a manual rollback to an image; by default the release's image."""
    base: Base = Base()
    since: AwareDatetime


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Register the task definition, note its ARN in the ledger, and return a Registration."""
    given = parse(Input, event, "the input of RegisterTaskDefinition")
    image = given.image or given.deployment.release.image
    registration = register(given.deployment, image, given.base, given.since, aws.ecs_once())
    # In a manual rollback the new revision is the rollback target; otherwise it is what is deployed.
    found = {"rollback_target" if given.image else "task_definition": registration.task_definition}
    if registration.rollback_target:
        found["rollback_target"] = registration.rollback_target
    Ledger(aws.table()).note(given.claim, "RegisterTaskDefinition", datetime.now(UTC), **found)
    return registration.to_json()
