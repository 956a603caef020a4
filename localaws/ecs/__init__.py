"""ECS: clusters, services, deployments and tasks that live."""
