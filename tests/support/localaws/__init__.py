"""Helpers of the tests of the local AWS, by service."""
