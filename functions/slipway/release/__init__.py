"""A push or a manual start on its way to a release: plans, freezes, parameters, the registry."""
