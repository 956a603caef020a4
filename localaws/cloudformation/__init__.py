"""CloudFormation: the engine that runs stacks, and the resource types that it knows."""
