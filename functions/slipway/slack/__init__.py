"""Delivering notices to Slack."""
