"""Decides whether a deployment is healthy: observations of AWS, verdicts on them, causes and outcomes."""
