"""CloudFormation: the engine that runs operations on stacks, and the resource types."""
