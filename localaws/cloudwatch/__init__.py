"""CloudWatch: metrics and alarms, whose state changes have effects."""
