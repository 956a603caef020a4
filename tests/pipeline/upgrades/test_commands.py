"""The commands of docs/operations.md that delete versions of the functions, and the stack."""

from __future__ import annotations

from typing import Any

from tests.support.account import Account
from tests.support.commands import Page
from tests.support.deployed import deployed

PAGE = Page("operations.md")


def test_the_commands_delete_versions_that_nothing_needs_and_finally_the_stack() -> None:
    with deployed({"SweepMinutes": "480"}) as (aws, outputs):
        functions: Any = aws.client("lambda")
        name = Account(aws, outputs).functions()["FinishDeployment"]

        def publish(description: str) -> str:
            functions.update_function_configuration(FunctionName=name, Description=description)
            return str(functions.publish_version(FunctionName=name)["Version"])

        def published() -> list[str]:
            found = functions.list_versions_by_function(FunctionName=name)["Versions"]
            return [each["Version"] for each in found[1:]]

        newest = [publish(description) for description in ("a", "b", "c")][-1]
        functions.update_alias(FunctionName=name, Name="live", FunctionVersion=newest)
        assert published() == ["1", "2", "3", "4"]
        PAGE.run("delete old versions of the functions")
        assert published() == ["3", "4"]

        publish("of an update that fails after this")
        assert published() == ["3", "4", "5"]
        PAGE.run("delete the versions of a failed update")
        assert published() == ["3", "4"]
        for other in Account(aws, outputs).functions().values():
            versions = functions.list_versions_by_function(FunctionName=other)["Versions"]
            assert other == name or [each["Version"] for each in versions][1:] in ([], ["1"])

        PAGE.run("delete the stack")
        stacks = aws.client("cloudformation").list_stacks()["StackSummaries"]
        assert [(each["StackName"], each["StackStatus"]) for each in stacks] == [
            ("slipway", "DELETE_COMPLETE")
        ]
        assert PAGE.run("the ledgers of all stacks", once=False).split() == [outputs["LedgerTable"]]
