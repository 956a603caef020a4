"""The managed policies for people allow nothing that could get round the pipeline's own checks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from samcli.yamlhelper import yaml_parse as parse

from tests.support.paths import REPO

RESOURCES: dict[str, Any] = parse((REPO / "template.yaml").read_text())["Resources"]
PERSONAS = {
    name: each["Properties"]["PolicyDocument"]["Statement"]
    for name, each in RESOURCES.items()
    if each["Type"] == "AWS::IAM::ManagedPolicy"
}

Statement = dict[str, Any]

ARN = "arn:${AWS::Partition}:%s:${AWS::Region}:${AWS::AccountId}:"
MAY: dict[str, list[Any]] = {
    "states:StartExecution": [{"Ref": "ReleaseStateMachine"}, {"Ref": "RollbackStateMachine"}],
    "lambda:InvokeFunction": [{"Fn::GetAtt": ["Operate", "Arn"]}],
    "dynamodb:GetItem": [{"Fn::GetAtt": ["Ledger", "Arn"]}],
    "dynamodb:Query": [{"Fn::GetAtt": ["Ledger", "Arn"]}],
    "events:DescribeRule": [{"Fn::GetAtt": ["SweepEverySoOften", "Arn"]}],
}
"""Actions with the only resources on which a persona may have them."""
READS = {
    "cloudformation:DescribeStackResource",
    "cloudformation:DescribeStackResources",
    "cloudformation:DescribeStacks",
    "logs:FilterLogEvents",
    "logs:GetLogEvents",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    "states:DescribeExecution",
    "states:DescribeStateMachine",
    "states:GetExecutionHistory",
    "states:ListExecutions",
}
PARAMETERS = {
    "ssm:DeleteParameter",
    "ssm:GetParameter",
    "ssm:GetParameterHistory",
    "ssm:GetParameters",
    "ssm:PutParameter",
}
PLANS = [
    {"Fn::Sub": f"{ARN % 'ssm'}parameter${{ParameterPrefix}}/{path}"}
    for path in ("repositories/*", "services/*", "freeze")
]


WITHOUT_COPIES = {"ForAllValues:StringNotLike": {"dynamodb:LeadingKeys": ["definitions#*"]}}
"""The copies of task definitions have environment variables, in which some people write secrets."""


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def wrong(statement: Statement) -> list[str]:
    """What a statement of a persona must not say."""
    known = {"Sid", "Effect", "Action", "Resource"}
    if statement.get("Condition") == WITHOUT_COPIES:
        known |= {"Condition"}
    found = [f"element {name}" for name in statement.keys() - known]
    resources = listed(statement.get("Resource"))
    found += ["every resource" for resource in resources if resource in ("*", None)]
    for action in listed(statement.get("Action", [])):
        if action in MAY:
            found += [f"{action} on {each}" for each in resources if each not in MAY[action]]
        elif action in PARAMETERS:
            found += [f"{action} on {each}" for each in resources if each not in PLANS]
        elif action not in READS and action != "sqs:PurgeQueue":
            found.append(action)
    return found


def test_a_viewer_sees_the_schedule_of_the_sweep_and_no_other_rule() -> None:
    sees = [each for each in PERSONAS["Viewer"] if "events:DescribeRule" in listed(each["Action"])]
    assert [each["Resource"] for each in sees] == MAY["events:DescribeRule"]


@pytest.mark.parametrize("name", ["Viewer", "Operator", "Deployer"])
def test_a_persona_reads_the_ledger_without_the_copies_of_task_definitions(name: str) -> None:
    reading = [each for each in PERSONAS[name] if "dynamodb:Query" in listed(each["Action"])]
    assert [each["Condition"] for each in reading] == [WITHOUT_COPIES]


def test_the_template_has_four_personas() -> None:
    assert set(PERSONAS) == {"Viewer", "Operator", "Deployer", "Planner"}


@pytest.mark.parametrize("name", PERSONAS)
def test_a_persona_starts_no_deployment_writes_no_ledger_and_passes_no_role(name: str) -> None:
    assert [wrong(statement) for statement in PERSONAS[name]] == [[]] * len(PERSONAS[name])


@pytest.mark.parametrize(
    "statement",
    [
        {"Action": "states:StartExecution", "Resource": {"Ref": "DeploymentStateMachine"}},
        {"Action": "states:StartExecution", "Resource": {"Fn::Sub": f"{ARN % 'states'}*"}},
        {"Action": "states:*", "Resource": {"Ref": "ReleaseStateMachine"}},
        {"Action": "states:S*Execution", "Resource": {"Ref": "ReleaseStateMachine"}},
        {"Action": "*", "Resource": {"Ref": "ReleaseStateMachine"}},
        {"Action": "states:ListExecutions", "Resource": "*"},
        {"Action": "states:ListExecutions"},
        {"Action": "events:DescribeRule", "Resource": {"Fn::Sub": f"{ARN % 'events'}rule/*"}},
        {"Action": "events:PutRule", "Resource": {"Fn::GetAtt": ["SweepEverySoOften", "Arn"]}},
        {"Action": "dynamodb:UpdateItem", "Resource": {"Fn::GetAtt": ["Ledger", "Arn"]}},
        {"Action": "dynamodb:PartiQLUpdate", "Resource": {"Fn::GetAtt": ["Ledger", "Arn"]}},
        {"Action": "dynamodb:*", "Resource": {"Fn::GetAtt": ["Ledger", "Arn"]}},
        {"Action": "iam:PassRole", "Resource": {"Fn::GetAtt": ["OperateRole", "Arn"]}},
        {"Action": "lambda:InvokeFunction", "Resource": {"Fn::GetAtt": ["Sweep", "Arn"]}},
        {"Action": "ssm:PutParameter", "Resource": {"Fn::Sub": f"{ARN % 'ssm'}parameter/*"}},
        {"NotAction": "iam:*", "Resource": {"Ref": "ReleaseStateMachine"}},
        {"Action": "states:ListExecutions", "NotResource": {"Ref": "ReleaseStateMachine"}},
    ],
    ids=json.dumps,
)
def test_a_statement_that_would_is_found(statement: Statement) -> None:
    assert wrong({"Effect": "Allow", **statement}) != []


@pytest.mark.parametrize(("name", "less"), [("Operator", "Viewer"), ("Deployer", "Operator")])
def test_a_persona_may_all_that_the_one_before_it_may(name: str, less: str) -> None:
    assert [each for each in PERSONAS[less] if each not in PERSONAS[name]] == []
    assert len(PERSONAS[name]) > len(PERSONAS[less])


@pytest.mark.parametrize("name", PERSONAS)
def test_a_persona_is_an_output_of_the_stack(name: str) -> None:
    outputs = parse((REPO / "template.yaml").read_text())["Outputs"]
    assert outputs[f"{name}Policy"]["Value"] == {"Ref": name}


@pytest.mark.parametrize("name", [name for name in PERSONAS if name != "Planner"])
def test_only_a_planner_may_touch_parameters(name: str) -> None:
    actions = {action for each in PERSONAS[name] for action in listed(each["Action"])}
    assert not [action for action in actions if action.startswith("ssm:")]
