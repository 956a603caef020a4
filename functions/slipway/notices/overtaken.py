"""Which stages of a release nobody reaches, because a newer release took over that does not go there."""

from __future__ import annotations

from slipway.health.cause import Cause
from slipway.ledger.ledger import Ledger
from slipway.ledger.records import ReleaseRecord, lane_of
from slipway.notices.news import News


def without_what_newer_releases_reach(news: News, ledger: Ledger) -> News | None:
    """The news of a release that newer ones took over, with the stages that those do not go through.

    Other news stays as it is.

    Returns:
        None if the newer releases go to every service that remains. There is nothing to notify then: their
        own notices say how they end.

    Raises:
        AwsUnavailable, AwsRefused, Unreadable: from the ledger.
    """
    if news.cause is not Cause.NEWER_RELEASE or not news.remaining_stages:
        return news
    newer = _newer(news, ledger)
    reached = {
        planned.service for record in newer for stage in record.stages for planned in stage.services
    }
    remaining = tuple(
        stage.model_copy(update={"services": services})
        for stage in news.remaining_stages
        if (services := tuple(each for each in stage.services if each not in reached))
    )
    if not remaining:
        return None
    why = tuple(
        f"release {record.release.image} is newer, and goes to none of these services"
        for record in newer
    )
    return news.model_copy(
        update={"remaining_stages": remaining, "evidence": (*news.evidence, *why)}
    )


def _newer(news: News, ledger: Ledger) -> list[ReleaseRecord]:
    """The newest releases of its lanes that the services have accepted, or that wait; not this one itself."""
    ours = ledger.release(news.release) if news.release else None
    lanes = {each.service: lane_of(each) for each in ours.deployments} if ours else {}
    orders = (
        ledger.service(each.service).newest_order(lanes.get(each.service, ""))
        for each in news.stopped_by
    )
    ids = dict.fromkeys(order.partition("#")[2] for order in orders)
    found = (ledger.release(known) for known in ids if known and known != news.release)
    return [record for record in found if record]
