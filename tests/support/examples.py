"""How many examples Hypothesis tries of a property: a few in `make unit`, all of them in `make coverage`."""

from __future__ import annotations

from hypothesis import settings

ALL = "all"
"""The profile of `pytest --hypothesis-profile=all`."""
FEW = "few"
EXAMPLES = 100
SHARE = 5
"""Of so many examples, one is tried in `make unit`."""


def register_profiles() -> None:
    """Tell Hypothesis of both profiles, and let it try few examples unless an option says otherwise."""
    for name, count in ((ALL, EXAMPLES), (FEW, EXAMPLES // SHARE)):
        settings.register_profile(
            name, max_examples=count, deadline=None, derandomize=True, database=None
        )
    settings.load_profile(FEW)


def examples(count: int) -> int:
    """The number of examples that this run tries of a property which has `count` of them."""
    return count if settings.get_current_profile_name() == ALL else -(-count // SHARE)
