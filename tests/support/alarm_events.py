"""The event of an alarm of Slipway's own."""

from __future__ import annotations

from tests.support.builders import ACCOUNT, REGION


def event(name="slipway-UndeliveredSlackNotEmpty-1A2B", state="ALARM", **changes):
    """The event as EventBridge delivers it, with fields that Slipway does not read."""
    return {
        "version": "0",
        "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": ACCOUNT,
        "time": "2026-11-22T03:00:00Z",
        "region": REGION,
        "resources": [f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"],
        "detail": {
            "alarmName": name,
            "state": {
                "value": state,
                "reason": "Threshold Crossed",
                "timestamp": "2026-11-22T02:59:59.985+0000",
            },
            "previousState": {"value": "OK"},
        },
    } | changes
