"""Step Functions cuts the description of a failed deployment anywhere; who waited for it still ends well."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from localaws.stepfunctions import child_execution
from localaws.stepfunctions.jsonata import evaluate
from tests.support import definitions
from tests.support.machines import Machine, Machines, Run
from tests.support.step_answers import MANUAL, end, resolution

REASON = r'no "target": {"C:\\": ["}"]} \" \\ é 🚀' + "\n"
DESCRIPTION: dict[str, Any] = {
    "Cause": REASON,
    "Error": "REJECTED",
    "ExecutionArn": "arn:aws:states:eu-west-1:123456789012:execution:slipway-deployment:e-1",
    "Input": {"release": "{\\", "stage": "production", "service": "production/api"},
    "InputDetails": {"Included": True},
    "Output": {"of": [{"nothing": {}}, "}"]},
    "StartDate": 1795316400000,
    "Status": "FAILED",
}
WRITTEN = [
    json.dumps(DESCRIPTION, ensure_ascii=False, separators=(",", ":")),
    json.dumps(DESCRIPTION, indent=1),
]
ONE = {"production": ["production/api"]}
BY_JO = {"service": "production/api", "by": "Jo"}


def expressions() -> dict[str, str]:
    """The two expressions that read a description: of the release, and of the rollback."""
    release = definitions.unfilled("release")["States"]["DeployStage"]["ItemProcessor"]
    rollback = definitions.unfilled("rollback")["States"]["RollBackService"]
    (of_release,) = (
        rule["Output"]
        for rule in release["States"]["DeployService"]["Catch"]
        if rule["ErrorEquals"] == ["States.TaskFailed"]
    )
    (of_rollback,) = (
        rule["Assign"]["failed"]
        for rule in rollback["Catch"]
        if rule["ErrorEquals"] == ["States.ALL"]
    )
    bare = {"release": of_release, "rollback": of_rollback}
    return {name: text.removeprefix("{%").removesuffix("%}") for name, text in bare.items()}


def read(name: str, cause: str | None, error: str = "States.TaskFailed") -> Any:
    """What the release or the rollback makes of an error of its deployment."""
    failure = {"Error": error} | ({} if cause is None else {"Cause": cause})
    part = {"input": {"service": "production/api", "stage": "production"}}
    return evaluate(expressions()[name], {"states": {"errorOutput": failure, "input": part}})


def lengths(written: str) -> list[int]:
    """Where to cut: nowhere, after each character that could look like an end, and around the end."""
    telling = {n + 1 for n, char in enumerate(written) if char in '{}"\\'}
    return sorted({0, *telling, *range(len(written) - 6, len(written))} - {len(written)})


@pytest.mark.parametrize("written", WRITTEN, ids=["short", "indented"])
def test_a_description_is_read_if_it_is_whole_and_never_if_it_is_cut(written: str) -> None:
    assert read("rollback", written) == DESCRIPTION
    cut = lengths(written)
    assert [read("rollback", written[:length]) for length in cut] == [{}] * len(cut)


def test_a_release_takes_a_deployment_whose_description_is_cut_for_started() -> None:
    written, about = WRITTEN[0], {"service": "production/api", "stage": "production"}
    assert read("release", written) == about | {"outcome": "REJECTED", "reason": REASON}
    for length in lengths(written):
        assert read("release", written[:length]) == about | {
            "outcome": "States.TaskFailed",
            "reason": written[:length],
            "started": True,
        }


@pytest.mark.parametrize("cause", ["{oops}", "{}", '{"Status": }', '{"Status":"FAILED"}', "", None])
def test_no_other_error_is_read_as_a_description(cause: str | None) -> None:
    error = "StepFunctions.AWSStepFunctionsException"
    assert read("rollback", cause, error) == {}
    if cause is not None:
        assert read("release", cause, error)["started"] is False


# --- whole executions -----------------------------------------------------------------------------


def _cut(
    monkeypatch: pytest.MonkeyPatch, run: Callable[[], Run], whole: Callable[[Run], bool]
) -> None:
    """Run an execution for each cut; only the one with the whole description knows the outcome."""
    details = child_execution.TaskFailedEventDetails
    described: list[str] = []

    def note(**given: Any) -> Any:
        described.append(given["cause"])
        return details(**given)

    monkeypatch.setattr(child_execution, "TaskFailedEventDetails", note)
    assert whole(run())
    (description,) = described
    assert REASON in json.loads(description)["Cause"]
    braces = [n + 1 for n, char in enumerate(description) if char == "}"]
    for length in sorted({*braces, *range(len(description) - 4, len(description))})[:-1]:
        monkeypatch.setattr(
            child_execution,
            "TaskFailedEventDetails",
            lambda n=length, **given: details(**given | {"cause": given["cause"][:n]}),
        )
        failed = run()
        assert failed.status == "FAILED"
        assert failed.states[-1] == "Failed"
        assert not whole(failed)
        assert "Notify" not in failed.states


def test_a_rollback_whose_deployment_is_described_half_ends_by_itself(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollback: Machine = machines.rollback

    def run() -> Run:
        return rollback.run(BY_JO, BeginDeployment=end("REJECTED", REASON))

    _cut(monkeypatch, run, lambda ended: ended.error == "REJECTED")


def test_a_release_whose_deployment_is_described_half_ends_by_itself(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    release: Machine = machines.release

    def run() -> Run:
        begin = end("REJECTED", REASON)
        return release.run(MANUAL, ResolveRelease=resolution(**ONE), BeginDeployment=begin)

    _cut(
        monkeypatch, run, lambda ended: str(ended.cause).startswith("production/api REJECTED: no ")
    )
