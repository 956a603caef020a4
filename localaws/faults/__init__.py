"""Faults: failures of AWS at the moment that a test chooses."""
