"""Saving the state of a local AWS, and restoring it in another process."""
