"""The title and the meaning of each event, in the same words in emails and in chats."""

from __future__ import annotations

from collections.abc import Sequence

from slipway.notices.news import News

MEANING_OF_START = "it is on its way"
MEANING_OF_START_OF_ROLLBACK = "it is being rolled back, as a person asked"
SERVICES_NAMED = 10


def title_of(news: News) -> str:
    """The event in one line: ``ROLLED_BACK: production/api, shop/api:v2``."""
    if news.kind == "stage":
        stage = f"STAGE {news.stage_number} of {news.stage_count}"
        return f"{stage}: {', '.join(filter(None, [news.stage, news.image_name]))}"
    event = news.outcome or "STARTED"
    if news.service is None:
        what = f"release of {news.image_name}" if news.image_name else "a release"
        names = [stage.name for stage in news.remaining_stages]
        return f"{event}: {what}{f' did not reach {_listed(names)}' if names else ''}"
    if not news.manual_rollback:
        return f"{event}: {', '.join(filter(None, [news.service, news.image_name]))}"
    way = [f"from {news.image_name}"] if news.image_name else []
    way += [f"to {news.rollback_target_name}"] if news.rollback_target_name else []
    what = ", ".join([str(news.service), *([" ".join(way)] if way else [])])
    return f"{event}: manual rollback of {what}"


def meaning_of(news: News) -> str:
    """What the event means for the service, in a few words."""
    if news.kind == "stage":
        return f"it goes to {_listed(news.services)}"
    if news.remaining_stages:
        where = f"stage {news.stage_number} of {news.stage_count}, {news.stage}"
        return f"the release stopped in {where}: no later stage starts"
    if news.facts:
        return news.facts.meaning
    return MEANING_OF_START_OF_ROLLBACK if news.manual_rollback else MEANING_OF_START


def _listed(services: Sequence[str]) -> str:
    """``a, b and c``."""
    more = len(services) - SERVICES_NAMED
    *first, last = (
        [*services[:SERVICES_NAMED], f"{more} more"] if more > 0 else services or ["nothing"]
    )
    return f"{', '.join(first)} and {last}" if first else last
