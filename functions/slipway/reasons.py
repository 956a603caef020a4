"""The types of texts for people in what is kept: the data of executions, and the ledger.

A value of these types is masked and cut when it is validated. So it is so in whatever leaves a function, and
nobody has to remember it.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from slipway.redaction import masked
from slipway.text import truncate

# Step Functions takes 256 KiB as the data of a state. FinishDeployment's input is the largest one: the
# evidence of the deployment and of its rollback (FACTS is enough for both), a reason, the plan's policy, and
# 32,768 characters of a Cause. Even with characters of four bytes, evidence and reason have 200,000 bytes.
# SNS takes 256 KiB for all forms of a notice, about six times its texts: with ASCII, it fits uncut.
REASON = 10_000
"""Characters of a reason."""
FACTS = 40
"""How many facts evidence has."""
FACT = 1_000
"""Characters of a fact. An alarm's StateReason has at most 1,023."""
WRITTEN = 256
"""Characters of a text that a person has written, before and after it is made visible."""


def and_more(items: list[str], most: int) -> list[str]:
    """The items if they are at most so many; otherwise the first ones, and last how many are left out."""
    if len(items) <= most:
        return items
    return [*items[: most - 1], f"and {len(items) - most + 1} more"]


def _masked(text: str) -> str:
    [clean] = masked([text])
    return clean


def _written(text: str) -> str:
    clean = _masked(text)
    if not clean.replace("\ufffd", "").strip():
        raise ValueError("it must not be blank: it has no character that people can see")
    if len(clean) > WRITTEN:
        raise ValueError(f"it has {len(clean)} characters; {WRITTEN} are allowed")
    return clean


def _reason(text: str) -> str:
    # Cut last: half a secret would not look like one.
    return truncate(_masked(text), REASON)


def _evidence(facts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(truncate(fact, FACT) for fact in masked(and_more(list(facts), FACTS)))


Written = Annotated[str, Field(min_length=1, max_length=WRITTEN), AfterValidator(_written)]
"""What a person has written: a name, or why. It is masked, and must still say something then."""
Reason = Annotated[str, AfterValidator(_reason)]
"""Why something was decided, in a sentence or several."""
Evidence = Annotated[tuple[str, ...], AfterValidator(_evidence)]
"""The facts behind a reason, the strongest first."""
