"""The names of Slipway's SSM parameters. Each begins with the stack's own prefix, ``/slipway`` by default.

The environment variable PARAMETER_PREFIX holds the prefix. The template narrows every policy to it.
"""

from __future__ import annotations

import os


def plans_path() -> str:
    """The path below which every plan is."""
    return _below_prefix("repositories")


def plan_parameter(repository: str) -> str:
    """The parameter that holds the plan of a repository."""
    return f"{plans_path()}/{repository}"


def service_parameter(service: str) -> str:
    """The parameter that holds the policy of a service, given as ``cluster/service``."""
    return _below_prefix(f"services/{service}")


def freeze_parameter() -> str:
    """The parameter that holds the freeze of the whole pipeline."""
    return _below_prefix("freeze")


def image_parameter(service: str) -> str:
    """The parameter that keeps the last good image of a service, given as ``cluster/service``."""
    return _below_prefix(f"images/{service}")


def _below_prefix(name: str) -> str:
    return f"{os.environ['PARAMETER_PREFIX']}/{name}"
