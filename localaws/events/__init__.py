"""EventBridge: rules, patterns and schedules."""
