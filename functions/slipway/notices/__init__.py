"""Notices, the messages to people: their content, and each of their forms."""
