"""Which stages of a release nobody reaches that a newer release took over."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.ledger.ledger import Ledger
from slipway.notices.news import News
from slipway.notices.overtaken import without_what_newer_releases_reach
from tests.support.asked import release_record
from tests.support.builders import accepted, at, claim, deployment, image, release
from tests.support.endings import noticed, stopped_release

STAGING = "staging/api"
PRODUCTION = {"name": "production", "services": ("production/api", "production/worker")}


def taken_over(*services: str, **changes: Any) -> News:
    """The news that newer releases took these services of stage staging over from release e-1."""
    stopped_by = [
        {"service": service, "outcome": "SUPERSEDED", "reason": "another has claimed it"}
        for service in services or (STAGING,)
    ]
    defaults = {
        "outcome": "SUPERSEDED",
        "cause": "NEWER_RELEASE",
        "stopped_by": stopped_by,
        "remaining_stages": (PRODUCTION,),
        "stage": "staging",
        "stage_number": 1,
    }
    return stopped_release(**defaults | changes)


@pytest.fixture(autouse=True)
def overtaken(ledger: Ledger) -> None:
    """Release e-1, which is going through its stages."""
    parts = [
        deployment(release=release(id="e-1"), stage="staging", service=each)
        for each in (STAGING, "staging/web")
    ]
    ledger.record_release(release_record(*parts))


def takes_over(ledger: Ledger, tag: str, *services: str, number: int = 1) -> None:
    """Record a newer release with a stage for each of these services, which has claimed the first one."""
    newer = release(id=f"e-{tag}", image=image(tag=tag), released_at=at(number))
    parts = [deployment(release=newer, stage=each, service=each) for each in services]
    ledger.record_release(release_record(*parts))
    accepted(ledger, f"x-{tag}", release=newer, stage=services[0], service=services[0])


def left_out(news: News | None) -> list[tuple[str, tuple[str, ...]]]:
    assert news is not None
    return [(stage.name, stage.services) for stage in news.remaining_stages]


def test_the_stages_that_the_newer_release_does_not_go_to_are_left_out(ledger):
    takes_over(ledger, "main-7", STAGING)

    news = without_what_newer_releases_reach(taken_over(), ledger)

    assert left_out(news) == [("production", ("production/api", "production/worker"))]
    assert news is not None
    notice = noticed(news)
    assert notice.title == "SUPERSEDED: release of shop/api:v2 did not reach production"
    [why] = notice.evidence
    assert why.startswith("release shop/api:main-7")
    assert why.endswith("is newer, and goes to none of these services")
    [command] = notice.commands
    assert command.title == "Go on with the release of shop/api:v2, if it is still wanted"


def test_nothing_is_left_out_if_the_newer_release_goes_there_itself(ledger):
    takes_over(ledger, "v3", STAGING, "production/worker", "production/api")

    assert without_what_newer_releases_reach(taken_over(), ledger) is None


def test_a_newer_release_that_waits_for_its_turn_counts(ledger):
    newer = release(id="e-v3", image=image(tag="v3"), released_at=at(1))
    parts = [
        deployment(release=newer, stage=each, service=each)
        for each in (STAGING, "production/worker", "production/api")
    ]
    ledger.record_release(release_record(*parts))
    ledger.wait(claim("x", service=STAGING), parts[0], ledger.service(STAGING), at(2), 15)

    assert without_what_newer_releases_reach(taken_over(), ledger) is None


def test_a_newer_release_of_another_container_does_not_count(ledger):
    newer = release(id="e-v3", image=image(tag="v3"), released_at=at(1))
    part = deployment(release=newer, stage="x", service=STAGING, policy={"container": "worker"})
    ledger.record_release(release_record(part))
    accepted(ledger, "x", release=newer, service=STAGING, policy={"container": "worker"})

    news = without_what_newer_releases_reach(taken_over(), ledger)

    assert news is not None
    assert news.evidence == ()


def test_only_the_services_are_left_out_that_the_newer_release_does_not_go_to(ledger):
    takes_over(ledger, "v3", STAGING, "production/api")
    eu = {"name": "eu", "services": ("production/api",)}

    news = without_what_newer_releases_reach(taken_over(remaining_stages=(eu, PRODUCTION)), ledger)

    assert left_out(news) == [("production", ("production/worker",))]


def test_two_releases_may_take_over_and_go_to_what_remains_together(ledger):
    takes_over(ledger, "v3", STAGING, "production/api")
    takes_over(ledger, "v4", "staging/web", "production/worker")
    news = taken_over(STAGING, "staging/web")

    assert without_what_newer_releases_reach(news, ledger) is None


@pytest.mark.parametrize("newest", ["none", "the release itself", "one without a record"])
def test_everything_is_left_out_if_no_newer_release_is_known(ledger, newest):
    own = release(id="e-1" if newest == "the release itself" else "e-9")
    if newest != "none":
        accepted(ledger, "x", release=own, service=STAGING)

    news = without_what_newer_releases_reach(taken_over(), ledger)

    assert left_out(news) == [("production", ("production/api", "production/worker"))]
    assert news is not None
    assert news.evidence == ()


@pytest.mark.parametrize("known", [None, "another one"])
def test_a_release_that_the_ledger_does_not_know_has_no_newer_one(ledger, known):
    takes_over(ledger, "v3", STAGING, "production/api", "production/worker")

    assert without_what_newer_releases_reach(taken_over(release=known), ledger) is not None


@pytest.mark.parametrize(
    "news", [stopped_release(), taken_over(cause="PERSON"), taken_over(remaining_stages=())]
)
def test_other_news_stays_as_it_is(ledger, news):
    takes_over(ledger, "v3", STAGING, "production/api", "production/worker")

    assert without_what_newer_releases_reach(news, ledger) == news
