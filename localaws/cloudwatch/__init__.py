"""CloudWatch: metrics, and alarms that act."""
