"""The versions that tags name, and their order by SemVer 2.0 (https://semver.org). Nothing here calls AWS.

A tag of ECR has no ``+``, so that no version here has build metadata. SemVer would not order it anyway.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

_NUMBER = "(0|[1-9][0-9]*)"
_IDENTIFIER = "(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?"

Version = Annotated[str, Field(pattern=f"^{_VERSION}$")]


def version_of(tag: str) -> str | None:
    """The version that a tag names, without the ``v`` that it may begin with; None if it names none."""
    version = tag.removeprefix("v")
    return version if re.fullmatch(_VERSION, version) else None


def is_lower(version: str, other: str) -> bool:
    """Whether a version comes before the other one."""
    return precedence(version) < precedence(other)


def precedence(version: str) -> tuple[int | tuple[tuple[int, int, str], ...], ...]:
    """What orders versions: of two, the lower one has the lower precedence."""
    core, _, pre_release = version.partition("-")
    identifiers = tuple(
        (0, int(identifier), "") if identifier.isdecimal() else (1, 0, identifier)
        for identifier in pre_release.split(".")
        if identifier
    )
    return (*(int(number) for number in core.split(".")), 0 if pre_release else 1, identifiers)
