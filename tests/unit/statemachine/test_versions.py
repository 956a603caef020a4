"""What runs ends with the version it began with: the template publishes the functions, and names versions."""

from __future__ import annotations

import re
from typing import Any

import pytest
from samcli.yamlhelper import yaml_parse as parse

from tests.support.definitions import NAMES, PLACEHOLDER, text
from tests.support.paths import REPO

TEMPLATE: dict[str, Any] = parse((REPO / "template.yaml").read_text())
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
PUBLISHED = [
    name for name, each in RESOURCES.items() if each.get("Properties", {}).get("AutoPublishAlias")
]
WITH_ANOTHER_BUILD = {"Architecture", "PythonRuntime"}
"""The parameters whose change needs another build, and so publishes every function anyway."""
NO_CONFIGURATION = {"Events", "Policies", "VersionDescription"}
"""Properties of SAM that are not of the function itself."""


def values(node: Any) -> set[str]:
    """The parameters and the conditions on which a part of the template depends."""
    known = TEMPLATE["Parameters"].keys() | TEMPLATE["Conditions"].keys()
    if isinstance(node, list):
        return set().union(*map(values, node))
    if not isinstance(node, dict):
        return set()
    found = set().union(*map(values, node.values()))
    for function, argument in node.items():
        if function == "Ref":
            found.add(argument)
        if function == "Fn::If":
            found.add(argument[0])
        if function == "Fn::Sub":
            found |= set(
                re.findall(r"\$\{(\w+)", argument if isinstance(argument, str) else argument[0])
            )
    return found & known


def invoked(machine: str) -> set[str]:
    """The placeholders of a definition in whose place it has a function."""
    return set(re.findall(r"FunctionName: \$\{(\w+)\}", text(machine)))


@pytest.mark.parametrize("machine", NAMES)
def test_a_state_machine_names_a_published_version_of_each_function(machine: str) -> None:
    properties = RESOURCES[f"{machine.capitalize()}StateMachine"]["Properties"]
    functions = invoked(machine)
    assert functions <= set(PLACEHOLDER.findall(text(machine)))
    assert functions
    named = {name: properties["DefinitionSubstitutions"][name] for name in functions}
    assert named == {name: {"Ref": f"{name}.Version"} for name in functions}
    assert functions <= set(PUBLISHED)


@pytest.mark.parametrize("machine", NAMES)
def test_the_role_of_a_state_machine_allows_every_version_of_each_function(machine: str) -> None:
    policies = RESOURCES[f"{machine.capitalize()}StateMachine"]["Properties"]["Policies"]
    allowed = [
        policy["LambdaInvokePolicy"]["FunctionName"]["Ref"]
        for policy in policies
        if "LambdaInvokePolicy" in policy
    ]
    assert set(allowed) == invoked(machine)


@pytest.mark.parametrize("function", PUBLISHED)
def test_every_change_of_a_published_function_publishes_a_version(function: str) -> None:
    assert RESOURCES[function]["Properties"]["AutoPublishAliasAllProperties"] is True


@pytest.mark.parametrize("function", PUBLISHED)
def test_a_version_depends_on_the_parameters_that_its_function_reads(function: str) -> None:
    shared, own = TEMPLATE["Globals"]["Function"], RESOURCES[function]["Properties"]
    configuration = {name: own[name] for name in own.keys() - NO_CONFIGURATION}
    read = values([shared, configuration]) - WITH_ANOTHER_BUILD
    assert values(own.get("VersionDescription")) == read
    # Without this, CloudFormation would delete the version that another description replaces.
    assert RESOURCES[function].get("UpdateReplacePolicy") == ("Retain" if read else None)
    # It would be that of the versions, too, of which SAM retains the old ones.
    assert "DeletionPolicy" not in RESOURCES[function]


@pytest.mark.parametrize("function", PUBLISHED)
def test_a_published_function_has_no_settings_that_its_versions_lack(function: str) -> None:
    # SAM would make another version for their change, in which Lambda sees none: the update would fail.
    settings = {*TEMPLATE["Globals"]["Function"], *RESOURCES[function]["Properties"]}
    assert not settings & {"Tags", "ReservedConcurrentExecutions", "CodeSigningConfigArn"}
