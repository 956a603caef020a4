"""The commands of docs/environment.md do what they say, as far as the local AWS has what they are for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.support.commands import Page
from tests.support.environment_services import runs
from tests.support.environments import Environment

PAGE = Page("environment.md")
NOT_LOCAL = {
    "Slipway and the environment",  # what every test here deploys, but with --guided
    "push an image",  # with Docker
    "a shell in a container",
    "a shell on an instance",
    "a port of an instance",
    "the newest ECS-optimized image",
    "the last good image",  # test_on_fargate.py
    "the instances",  # test_on_instances.py, test_deleted.py
    "what is left",  # test_deleted.py
    "the table that was deleted",
    "the same",  # in another region
    "whether an image is there",
    "a replica",
    "how it is",
}


def test_a_service_of_ones_own_is_made_deployed_to_and_found(on_fargate: Environment) -> None:
    PAGE.run("a service of your own")

    on_fargate.quicken("shop/orders")
    digest = on_fargate.push("v1", "shop/orders")
    assert on_fargate.deployment("v1", "shop/orders").outcome == "SUCCEEDED"
    runs(on_fargate, "orders", digest)


def items(environment: Environment, table: str) -> list[dict[str, Any]]:
    found = environment.client("dynamodb").scan(TableName=table)["Items"]
    return sorted(found, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))


def test_the_ledger_is_backed_up_and_restored(on_fargate: Environment) -> None:
    on_fargate.quicken()
    on_fargate.push("v1")
    assert on_fargate.deployment("v1").outcome == "SUCCEEDED"
    table, dynamodb = on_fargate.outputs["LedgerTable"], on_fargate.client("dynamodb")
    before = items(on_fargate, table)
    assert before

    assert "EarliestRestorableDateTime" in PAGE.run("how far back it can be restored")
    PAGE.run("a backup that stays until it is deleted")
    (backup,) = dynamodb.list_backups(TableName=table)["BackupSummaries"]
    assert backup["BackupName"] == "before-the-move"
    on_fargate.client("s3").create_bucket(Bucket="ledger-copies")
    PAGE.run("a copy in S3", BUCKET="ledger-copies")

    when = datetime.now(UTC).isoformat()
    PAGE.run("the ledger as it was", WHEN=when)
    assert items(on_fargate, f"{table}-restored") == before
    service = [item for item in before if item["pk"]["S"] == "production/api"]
    assert service
    for title in ("one service", "everything"):
        for item in before if title == "everything" else service:
            dynamodb.delete_item(TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})
        PAGE.run(title, SERVICE="production/api")
        assert items(on_fargate, table) == before


def test_a_second_region_gets_images_and_plans(on_fargate: Environment) -> None:
    PAGE.run("replicate images")
    registry = on_fargate.client("ecr").describe_registry()
    (rule,) = registry["replicationConfiguration"]["rules"]
    assert rule["destinations"][0]["region"] == "us-west-2"
    PAGE.run("plans that no stack has made there")


def test_every_other_command_was_run() -> None:
    assert PAGE.not_run == NOT_LOCAL
