"""Stubbed clients of AWS. botocore's Stubber checks parameters and answers with AWS's own models."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Self

import boto3
import pytest
from botocore.stub import Stubber

PASSED = pytest.StashKey[bool]()


class Stubbed:
    """A real client with prepared answers. Calls must come in their order, and every answer must be used."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self._stubber = Stubber(client)

    def __enter__(self) -> Self:
        self._stubber.activate()
        return self

    def __exit__(self, *_: object) -> None:
        self._stubber.deactivate()

    def everything_was_asked_for(self) -> None:
        self._stubber.assert_no_pending_responses()

    def answers(self, operation: str, answer: dict[str, Any], **expected: Any) -> None:
        """Expect a call of ``operation``, with exactly the ``expected`` parameters if some are given."""
        self._stubber.add_response(operation, answer, expected or None)

    def refuses(
        self, operation: str, code: str, message: str = "no", status: int = 400, **fields: Any
    ) -> None:
        """Expect a call of ``operation``, which fails with this error and the error's own ``fields``."""
        self._stubber.add_client_error(
            operation, code, message, status, modeled_fields=fields or None
        )


def without_parameters() -> Any:
    """An SSM client whose next GetParameter fails with ParameterNotFound."""
    stubbed = _refusing_ssm()
    stubbed.refuses("get_parameter", "ParameterNotFound")
    return stubbed.client


@cache
def _refusing_ssm() -> Stubbed:
    """One for all tests: to create a client takes longer than most tests."""
    return Stubbed(boto3.client("ssm")).__enter__()


def stubbed(client: Any, request: pytest.FixtureRequest) -> Iterator[Stubbed]:
    stub = Stubbed(client)
    with stub:
        yield stub
    if request.node.stash.get(PASSED, False):
        stub.everything_was_asked_for()
