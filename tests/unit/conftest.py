"""Every unit test: made-up credentials, no network, the functions' own clients with stubbed answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from slipway import aws
from slipway.ecs import startable
from tests.support.builders import DEPLOYMENTS, OPERATE, REGION, RELEASES, TOPIC
from tests.support.custom_resources import CloudFormation, listening
from tests.support.ledgers import ledger  # noqa: F401 - a fixture
from tests.support.observations import scene  # noqa: F401 - a fixture
from tests.support.stubs import PASSED, Stubbed, stubbed

CLIENTS = (
    aws.functions,
    aws.ecs,
    aws.ecs_once,
    aws.ecr,
    aws.ecr_briefly,
    aws.ecr_of_many_threads,
    aws.elbv2,
    aws.cloudwatch,
    aws.logs,
    aws.secretsmanager,
    aws.ssm,
    aws.sns,
    aws.sns_once,
    aws.stepfunctions,
    aws.table,
)


@pytest.fixture(scope="package", autouse=True)
def made_up_account() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "PROGRESS_TOPIC_ARN"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("AWS_CONFIG_FILE", "/dev/null")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("TOPIC_ARN", TOPIC)
        patch.setenv("CHAT_NOTIFICATIONS", "false")
        patch.setenv("LEDGER_TABLE", "ledger")
        patch.setenv("HISTORY_DAYS", "400")
        patch.setenv("OPERATE_FUNCTION", OPERATE)
        patch.setenv("SWEEP_FUNCTION", "slipway-Sweep")
        patch.setenv("RELEASE_STATE_MACHINE_ARN", RELEASES)
        patch.setenv("DEPLOYMENT_STATE_MACHINE_ARN", DEPLOYMENTS)
        patch.setenv("PARAMETER_PREFIX", "/slipway")
        patch.setenv("REPOSITORY_PREFIX", "")
        patch.setenv("SERVICE_POLICIES", "optional")
        patch.setenv("MATURITY_SECONDS", "600")
        patch.setenv("EVERY_MINUTES", "15")
        for client in CLIENTS:
            client.cache_clear()
        yield
        for client in CLIENTS:
            client.cache_clear()


@pytest.fixture(autouse=True)
def gone(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The images that ECR no longer has, as a test adds them; how it is asked is a test of the registry."""
    images: set[str] = set()

    def gone_image(references: Iterable[str], _ecr: object) -> str | None:
        return next((reference for reference in references if reference in images), None)

    monkeypatch.setattr(startable, "gone_image", gone_image)
    return images


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Any:
    report = yield
    if call.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.fixture
def ecs(request: pytest.FixtureRequest) -> Iterator[Stubbed]:
    yield from stubbed(aws.ecs(), request)


@pytest.fixture
def ecr(request: pytest.FixtureRequest) -> Iterator[Stubbed]:
    yield from stubbed(aws.ecr(), request)


@pytest.fixture
def ecr_briefly(request: pytest.FixtureRequest) -> Iterator[Stubbed]:
    yield from stubbed(aws.ecr_briefly(), request)


@pytest.fixture
def ecr_of_many_threads(request: pytest.FixtureRequest) -> Iterator[Stubbed]:
    yield from stubbed(aws.ecr_of_many_threads(), request)


@pytest.fixture
def elbv2(request: pytest.FixtureRequest) -> Iterator[Stubbed]:
    yield from stubbed(aws.elbv2(), request)


@pytest.fixture
def cloudwatch(request: pytest.FixtureRequest) -> Iterator[Stubbed]:
    yield from stubbed(aws.cloudwatch(), request)


@pytest.fixture
def ssm(request: pytest.FixtureRequest) -> Iterator[Stubbed]:
    yield from stubbed(aws.ssm(), request)


@pytest.fixture
def sns(request: pytest.FixtureRequest) -> Iterator[Stubbed]:
    yield from stubbed(aws.sns(), request)


@pytest.fixture
def sns_once(request: pytest.FixtureRequest) -> Iterator[Stubbed]:
    yield from stubbed(aws.sns_once(), request)


@pytest.fixture
def logs(request: pytest.FixtureRequest) -> Iterator[Stubbed]:
    yield from stubbed(aws.logs(REGION), request)


@pytest.fixture
def secretsmanager(request: pytest.FixtureRequest) -> Iterator[Stubbed]:
    yield from stubbed(aws.secretsmanager(), request)


@pytest.fixture
def ecs_once(request: pytest.FixtureRequest) -> Iterator[Stubbed]:
    yield from stubbed(aws.ecs_once(), request)


@pytest.fixture
def stepfunctions(request: pytest.FixtureRequest) -> Iterator[Stubbed]:
    yield from stubbed(aws.stepfunctions(), request)


@pytest.fixture
def cloudformation() -> Iterator[CloudFormation]:
    with listening() as made:
        yield made
