"""Resource types that the template of test_cloudformation.py does not have."""

from __future__ import annotations

import json
from typing import Any

from tests.support.localaws.stacks import create, delete, outputs, update


def test_a_composite_alarm_and_a_dashboard_are_made_changed_and_deleted(aws):
    cloudwatch = aws.client("cloudwatch")

    def template(description: str) -> str:
        composite = {
            "AlarmRule": {"Fn::Sub": "ALARM(${Low})"},
            "AlarmDescription": description,
        }
        low = {
            "Namespace": "n",
            "MetricName": "m",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "ComparisonOperator": "LessThanThreshold",
        }
        board = {"DashboardName": "cfn-board", "DashboardBody": f'{{"widgets": ["{description}"]}}'}
        resources = {
            "Low": {"Type": "AWS::CloudWatch::Alarm", "Properties": low},
            "Any": {"Type": "AWS::CloudWatch::CompositeAlarm", "Properties": composite},
            "Board": {"Type": "AWS::CloudWatch::Dashboard", "Properties": board},
        }
        arn = {"Value": {"Fn::GetAtt": "Any.Arn"}}
        return json.dumps({"Resources": resources, "Outputs": {"Arn": arn}})

    def described() -> list[dict[str, Any]]:
        answer = cloudwatch.describe_alarms(
            AlarmNamePrefix=f"{stack['StackName']}-Any", AlarmTypes=["CompositeAlarm"]
        )
        return answer["CompositeAlarms"]

    stack = create(aws, template("one"))
    (alarm,) = described()
    assert alarm["AlarmArn"] == outputs(stack)["Arn"]
    assert alarm["AlarmRule"].startswith(f"ALARM({stack['StackName']}-Low-")
    update(aws, stack, template("two"))
    assert described()[0]["AlarmDescription"] == "two"
    assert "two" in cloudwatch.get_dashboard(DashboardName="cfn-board")["DashboardBody"]
    delete(aws, stack)
    assert described() == []
    assert cloudwatch.list_dashboards(DashboardNamePrefix="cfn-board")["DashboardEntries"] == []
