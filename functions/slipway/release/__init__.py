"""How a push or a manual start becomes a release: plans, freezes, SSM parameters, the registry."""
