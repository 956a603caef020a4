"""How events are called, and what they mean, in words that are the same in mails and in chats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slipway.notices.news import News

MEANING = {
    "STARTED": "it is on its way",
    "SUCCEEDED": "it is live, healthy, and baked",
    "NO_CHANGE": "nothing was changed",
    "ROLLED_BACK": "the last good version is back and healthy",
    "ROLLBACK_FAILED": "the previous version is not known to be back and healthy: ACT NOW",
    "SUPERSEDED": "a newer release or someone else has the service; that was left alone",
    "REJECTED": "it was not allowed to begin; nothing was changed",
    "FAILED": "nothing was changed",
    "LedgerNotWritten": (
        "it is healthy, but that could not be written down: the last good version will be put back"
    ),
}
MEANING_BY_HAND = {
    "STARTED": "it is going back, as it was told to",
    "ROLLED_BACK": "what it was told to go back to is live, healthy, and baked",
    "ROLLBACK_FAILED": "what it was to go back to is not known to be there and healthy: ACT NOW",
}
MEANING_OF_RELEASE = {
    "IGNORED": "nothing was deployed",
}
SERVICES_NAMED = 10


def title_of(news: News) -> str:
    """The event in one line: ``ROLLED_BACK: production/api, shop/api:v2``."""
    if news.kind == "stage":
        stage = f"STAGE {news.stage_number} of {news.stage_count}"
        return f"{stage}: {', '.join(filter(None, [news.stage, news.what]))}"
    if news.service is None:
        return f"{news.outcome}: {f'release of {news.what}' if news.what else 'a release'}"
    if not news.by_hand:
        return f"{news.outcome}: {', '.join(filter(None, [news.service, news.what]))}"
    way = [f"from {news.what}"] if news.what else []
    way += [f"to {news.back_to}"] if news.back_to else []
    what = ", ".join([str(news.service), *([" ".join(way)] if way else [])])
    if news.outcome == "STARTED":
        return f"ROLLBACK STARTED by hand: {what}"
    if news.outcome in {"ROLLED_BACK", "ROLLBACK_FAILED"}:
        return f"{news.outcome} by hand: {what}"
    return f"{news.outcome}: rollback by hand of {what}"


def meaning_of(news: News) -> str:
    """What the outcome means for the service, in a few words."""
    if news.kind == "stage":
        return f"it goes to {_listed(news.services)}"
    if news.service is None:
        return MEANING_OF_RELEASE.get(news.outcome, "the release did not go through")
    if news.by_hand and news.outcome in MEANING_BY_HAND:
        return MEANING_BY_HAND[news.outcome]
    return MEANING.get(news.outcome, "see the execution")


def _listed(services: Sequence[str]) -> str:
    """``a, b and c``."""
    more = len(services) - SERVICES_NAMED
    *first, last = (
        [*services[:SERVICES_NAMED], f"{more} more"] if more > 0 else services or ["nothing"]
    )
    return f"{', '.join(first)} and {last}" if first else last
