"""Faults: what can go wrong at AWS, at the moment that a test chooses."""
