"""Reads and changes ECS services and task definitions."""
