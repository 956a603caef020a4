"""ECS: clusters, services, deployments and tasks, moved on by a scheduler."""
