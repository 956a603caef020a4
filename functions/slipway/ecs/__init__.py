"""ECS services and task definitions: read, changed, put back."""
