"""Many pushes at once: of one service, and of many."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tests.support.account import ENDED_SECONDS, Account, Shop
from tests.support.stories import event_of
from tests.support.waiting import wait_for

PUSHES = 50
DUPLICATES = 10
PUSHING_SECONDS = 5
SERVICES = 40
STORM_SECONDS = 5 * ENDED_SECONDS


class Claims:
    """Every claim on the service, as observed by someone who checks all the time."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._stop = threading.Event()
        self.observed: list[tuple[str, str]] = []  # release time, execution
        self._thread = threading.Thread(target=self._observe)

    def __enter__(self) -> Claims:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _observe(self) -> None:
        while not self._stop.is_set():
            record = self._shop.record()
            if record.claim:
                found = (record.newest[self._shop.repository], record.claim.execution)
                if not self.observed or self.observed[-1] != found:
                    self.observed.append(found)


def test_the_newest_of_fifty_pushes_to_one_service_wins_and_nothing_is_left(
    account: Account,
) -> None:
    shop = account.shop(tagged=False, tasks=1)
    tags = [f"v{number}" for number in range(PUSHES)]
    # Pushed in order while nobody listens, then sent in random order, some twice.
    with account.disabled("aws.ecr"):
        digests = {tag: push_later(shop, tag) for tag in tags}
    events = [event_of(shop, tag, digests[tag]) for tag in tags]
    shuffled = [*events, *random.Random(3).sample(events, DUPLICATES)]
    random.Random(4).shuffle(shuffled)
    with Claims(shop) as claims:
        for event in shuffled:
            account.start("ReleaseStateMachineArn", event)
            time.sleep(
                PUSHING_SECONDS / len(shuffled)
            )  # the storm's own pace: nothing is waited for
        wait_for(lambda: ended(shop, PUSHES), f"{PUSHES} deployments to end", STORM_SECONDS)
    newest = tags[-1]
    outcomes = shop.outcomes()
    assert len(shop.history()) == PUSHES
    assert outcomes.pop(newest) == "SUCCEEDED"
    assert set(outcomes.values()) <= {"SUPERSEDED", "NO_CHANGE"}
    assert shop.running() == digests[newest]
    record = shop.record()
    assert record.claim is None
    assert record.last_good is not None
    assert record.last_good.digest == digests[newest]
    # One at a time, each newer than the one before.
    assert [order for order, _ in claims.observed] == sorted(
        {order for order, _ in claims.observed}
    )


def push_later(shop: Shop, tag: str) -> str:
    """Push in a millisecond of its own: the order of two in the same one is nobody's business."""
    before = time.time_ns() // 1_000_000
    wait_for(lambda: time.time_ns() // 1_000_000 > before, "the next millisecond")
    return shop.push(tag)


def ended(shop: Shop, count: int) -> bool:
    items = shop.history()
    return len(items) >= count and all("outcome" in item for item in items)


def test_forty_services_that_are_pushed_at_once_all_succeed(account: Account) -> None:
    shops = [
        account.shop(tagged=False, tasks=1, behind_load_balancer=False) for _ in range(SERVICES)
    ]
    with ThreadPoolExecutor(SERVICES) as pool:
        digests = list(pool.map(lambda shop: shop.push("v2"), shops))
    for shop, digest in zip(shops, digests, strict=True):
        wait_for(lambda shop=shop: ended(shop, 1), f"{shop.service} to end", STORM_SECONDS)
        (item,) = shop.history()
        assert (item["outcome"], shop.running()) == ("SUCCEEDED", digest)
        assert shop.record().claim is None
