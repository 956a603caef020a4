"""Slipway's logic. No module in this package sees a Lambda event or context."""
