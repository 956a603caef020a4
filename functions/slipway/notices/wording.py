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
    "ROLLBACK_FAILED": "the last good version is not known to be back and healthy: ACT NOW",
    "SUPERSEDED": "a newer release or someone else has the service; that was left alone",
    "REJECTED": "it was not allowed to begin; nothing was changed",
    "FAILED": "nothing was changed",
    "LedgerNotWritten": (
        "it is healthy, but that could not be written down: the last good version will be put back"
    ),
}
MEANING_OF_MANUAL_ROLLBACK = {
    "STARTED": "it is going back, as a person asked",
    "ROLLED_BACK": "the version that a person asked for is live, healthy, and baked",
    "ROLLBACK_FAILED": "the version that a person asked for is not known to be there and healthy: ACT NOW",
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
    if not news.manual_rollback:
        return f"{news.outcome}: {', '.join(filter(None, [news.service, news.what]))}"
    way = [f"from {news.what}"] if news.what else []
    way += [f"to {news.rollback_target_name}"] if news.rollback_target_name else []
    what = ", ".join([str(news.service), *([" ".join(way)] if way else [])])
    return f"{news.outcome}: manual rollback of {what}"


def meaning_of(news: News) -> str:
    """What the outcome means for the service, in a few words."""
    if news.kind == "stage":
        return f"it goes to {_listed(news.services)}"
    if news.service is None:
        return MEANING_OF_RELEASE.get(news.outcome, "the release did not go through")
    if news.manual_rollback and news.outcome in MEANING_OF_MANUAL_ROLLBACK:
        return MEANING_OF_MANUAL_ROLLBACK[news.outcome]
    return MEANING.get(news.outcome, "see the execution")


def _listed(services: Sequence[str]) -> str:
    """``a, b and c``."""
    more = len(services) - SERVICES_NAMED
    *first, last = (
        [*services[:SERVICES_NAMED], f"{more} more"] if more > 0 else services or ["nothing"]
    )
    return f"{', '.join(first)} and {last}" if first else last
