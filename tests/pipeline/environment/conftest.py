"""Slipway with the environment that its template makes, deployed by the real SAM CLI."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.environments import REPO, Environment, deployed
from tools import sam


@pytest.fixture(scope="package", autouse=True)
def built() -> None:
    """The functions, packed."""
    sam.build_once(REPO)


@pytest.fixture(scope="module")
def on_fargate(built: None) -> Iterator[Environment]:
    """Fargate, HTTP, one NAT gateway."""
    with deployed(NatGateways="1") as environment:
        yield environment


@pytest.fixture(scope="module")
def on_instances(built: None) -> Iterator[Environment]:
    """EC2, HTTPS, and everything else that can be had."""
    with deployed(
        https=True,
        LaunchType="EC2",
        AccessLogDays="7",
        BastionCidr="203.0.113.7/32",
        InterfaceEndpoints="true",
        WebAcl="true",
    ) as environment:
        yield environment
