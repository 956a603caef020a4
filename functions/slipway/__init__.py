"""Slipway's logic. Nothing in here knows of Lambda events or contexts."""
