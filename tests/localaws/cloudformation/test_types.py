"""Resource types that the template of test_cloudformation.py does not have."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from tests.support.localaws.stacks import create, delete, outputs, update
from tests.support.paths import REPO


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


def test_a_module_in_the_folder_of_types_is_all_that_a_new_type_takes(tmp_path: Path) -> None:
    copy = shutil.copytree(
        REPO / "localaws", tmp_path / "localaws", ignore=shutil.ignore_patterns("__pycache__")
    )
    queue = """
        from localaws.cloudformation.engine.resource_type import Resource, call

        class Queue(Resource):
            type = "AWS::New::Queue"
            properties = frozenset()

            def create(self, properties, naming):
                return call("sqs", "CreateQueue", QueueName="made-by-the-new-type")["QueueUrl"]

            def update(self, physical_id, properties, previous):
                raise NotImplementedError

            def delete(self, physical_id, properties):
                raise NotImplementedError
    """
    (copy / "cloudformation" / "types" / "new.py").write_text(textwrap.dedent(queue))
    deploy = """
        import json
        from localaws.server import LocalAws
        with LocalAws() as aws:
            template = {"Resources": {"Queue": {"Type": "AWS::New::Queue"}}}
            cloudformation = aws.client("cloudformation")
            cloudformation.create_stack(StackName="s", TemplateBody=json.dumps(template))
            cloudformation.get_waiter("stack_create_complete").wait(StackName="s")
            print(*aws.client("sqs").list_queues()["QueueUrls"])
    """
    command = [sys.executable, "-c", textwrap.dedent(deploy)]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip().endswith("/made-by-the-new-type")
