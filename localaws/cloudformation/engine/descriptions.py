"""CloudFormation's actions that read stacks, change sets and templates."""

from __future__ import annotations

import json
import re
from typing import Any

from localaws.aws import REGION, endpoint
from localaws.cloudformation.engine.actions import Answer, Request
from localaws.cloudformation.engine.parameters import is_read_from_ssm
from localaws.cloudformation.engine.stack import Deployed, Stack
from localaws.cloudformation.engine.store import (
    change_sets,
    deleted_stacks,
    find,
    find_change_set,
    stacks,
)
from localaws.cloudformation.engine.syntax import invalid
from localaws.cloudformation.engine.template import Desired, parse, template_body, transforms


def describe_stacks(request: Request) -> Answer:
    """Describe one stack or all. A deleted stack is found by its id only."""
    asked = [find(request["StackName"])] if request.get("StackName") else stacks()
    return {"Stacks": [_stack(stack) for stack in asked]}


def list_stacks(request: Request) -> Answer:
    """Summaries of the stacks, including deleted ones."""
    wanted = request.get("StackStatusFilter")
    summaries = [
        {
            "StackId": stack.id,
            "StackName": stack.name,
            "CreationTime": stack.created_at,
            "LastUpdatedTime": stack.updated_at,
            "StackStatus": stack.status,
            "StackStatusReason": stack.reason,
            **stack.nesting,
        }
        for stack in (*stacks(), *deleted_stacks())
        if not wanted or stack.status in wanted
    ]
    return {"StackSummaries": [_given(summary) for summary in summaries]}


def describe_stack_events(request: Request) -> Answer:
    """The events of a stack, newest first."""
    return {"StackEvents": find(request["StackName"]).events[::-1]}


def describe_stack_resources(request: Request) -> Answer:
    """The resources of a stack, or one of them."""
    stack = find(request["StackName"])
    wanted = request.get("LogicalResourceId")
    resources = [
        {**_resource(resource), "Timestamp": resource.changed_at, **_of(stack)}
        for resource in stack.resources.values()
        if wanted in (None, resource.logical_id)
    ]
    return {"StackResources": resources}


def describe_stack_resource(request: Request) -> Answer:
    """One resource of a stack."""
    stack = find(request["StackName"])
    logical_id = request["LogicalResourceId"]
    if logical_id not in stack.resources:
        raise invalid(f"Resource {logical_id} does not exist for stack {stack.name}")
    resource = stack.resources[logical_id]
    detail = {**_resource(resource), "LastUpdatedTimestamp": resource.changed_at, **_of(stack)}
    return {"StackResourceDetail": detail}


def list_stack_resources(request: Request) -> Answer:
    """Summaries of the resources of a stack."""
    summaries = [
        {**_resource(resource), "LastUpdatedTimestamp": resource.changed_at}
        for resource in find(request["StackName"]).resources.values()
    ]
    return {"StackResourceSummaries": summaries}


def list_exports(request: Request) -> Answer:  # noqa: ARG001
    """The exports of all stacks."""
    exports = [
        {
            "ExportingStackId": stack.id,
            "Name": output["ExportName"],
            "Value": output["OutputValue"],
        }
        for stack in stacks()
        for output in stack.outputs
        if "ExportName" in output
    ]
    return {"Exports": exports}


def describe_change_set(request: Request) -> Answer:
    """A change set with its changes."""
    change_set = find_change_set(request)
    answer = {
        "ChangeSetName": change_set.name,
        "ChangeSetId": change_set.id,
        "StackId": change_set.stack.id,
        "StackName": change_set.stack.name,
        "Description": change_set.description,
        "Parameters": _parameters(change_set.desired),
        "CreationTime": change_set.created_at,
        "ExecutionStatus": change_set.execution_status,
        "Status": change_set.status,
        "StatusReason": change_set.reason,
        "Capabilities": change_set.capabilities,
        "Tags": _pairs(change_set.desired.tags),
        "Changes": change_set.changes,
    }
    return _given(answer)


def list_change_sets(request: Request) -> Answer:
    """The change sets of a stack."""
    stack = find(request["StackName"])
    summaries = [
        {
            "ChangeSetName": change_set.name,
            "ChangeSetId": change_set.id,
            "StackId": stack.id,
            "StackName": stack.name,
            "ExecutionStatus": change_set.execution_status,
            "Status": change_set.status,
            "CreationTime": change_set.created_at,
        }
        for change_set in change_sets().values()
        if change_set.stack is stack
    ]
    return {"Summaries": summaries}


def get_template(request: Request) -> Answer:
    """The template as it was sent, or after the transform."""
    desired = find(request["StackName"]).desired
    if desired is None:
        return {"StagesAvailable": []}
    processed = request.get("TemplateStage") == "Processed"
    body = json.dumps(desired.template) if processed else desired.body
    return {"TemplateBody": _at_amazon(body), "StagesAvailable": ["Original", "Processed"]}


def _at_amazon(body: str) -> str:
    """A template whose nested templates have the URLs that they would have on AWS.

    The SAM CLI reads no others, so that it could not delete the stack. CloudFormation understands both.
    """
    here = re.compile(rf'((?:TemplateURL|Location)"?:\s*["\']?){re.escape(endpoint())}/')
    return here.sub(rf"\1https://s3.{REGION}.amazonaws.com/", body)


def get_template_summary(request: Request) -> Answer:
    """The declarations of a template, or of the template of a stack."""
    name = request.get("StackName")
    template = parse(
        template_body({**request, "UsePreviousTemplate": True}, name and find(name).desired)
    )
    summary = {
        **_summary(template),
        "ResourceTypes": sorted({item["Type"] for item in template["Resources"].values()}),
        "Version": template.get("AWSTemplateFormatVersion"),
        "Metadata": json.dumps(template["Metadata"]) if "Metadata" in template else None,
    }
    for parameter in summary["Parameters"]:
        declared = template["Parameters"][parameter["ParameterKey"]]
        parameter["ParameterType"] = declared["Type"]
        allowed = declared.get("AllowedValues")
        parameter["ParameterConstraints"] = {"AllowedValues": allowed} if allowed else {}
    return _given(summary)


def validate_template(request: Request) -> Answer:
    """Check that a template can be parsed, and return its declarations."""
    return _summary(parse(template_body(request)))


def _stack(stack: Stack) -> dict[str, Any]:
    described = {
        "StackId": stack.id,
        "StackName": stack.name,
        "ChangeSetId": stack.change_set_id,
        "CreationTime": stack.created_at,
        "LastUpdatedTime": stack.updated_at,
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "DisableRollback": stack.disable_rollback,
        "EnableTerminationProtection": False,
        "NotificationARNs": [],
        "Capabilities": stack.capabilities,
        "Outputs": stack.outputs,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        **stack.nesting,
    }
    if desired := stack.desired:
        described["Description"] = desired.template.get("Description")
        described["Parameters"] = _parameters(desired)
        described["Tags"] = _pairs(desired.tags)
    return _given(described)


def _resource(resource: Deployed) -> dict[str, Any]:
    return {
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.kind.type,
        "ResourceStatus": resource.status,
        "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
    }


def _of(stack: Stack) -> dict[str, str]:
    return {"StackId": stack.id, "StackName": stack.name}


def _summary(template: dict[str, Any]) -> dict[str, Any]:
    parameters = [
        {
            "ParameterKey": name,
            "DefaultValue": parameter.get("Default"),
            "NoEcho": parameter.get("NoEcho", False),
            "Description": parameter.get("Description"),
        }
        for name, parameter in template.get("Parameters", {}).items()
    ]
    transformed = transforms(template)
    summary = {
        "Description": template.get("Description"),
        "Parameters": [_given(parameter) for parameter in parameters],
        "Capabilities": ["CAPABILITY_AUTO_EXPAND"] if transformed else [],
        "DeclaredTransforms": transformed,
    }
    return _given(summary)


def _parameters(desired: Desired) -> list[dict[str, str]]:
    listed = []
    for name, given in desired.given.items():
        declared = desired.template["Parameters"][name]
        shown = {"ParameterValue": given}
        if is_read_from_ssm(declared):
            value = desired.values[name]
            shown["ResolvedValue"] = ",".join(value) if isinstance(value, list) else value
        if declared.get("NoEcho"):
            shown = dict.fromkeys(shown, "****")
        listed.append({"ParameterKey": name, **shown})
    return listed


def _pairs(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def _given(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if value is not None}
