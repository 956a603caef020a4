"""What holds however the executions that want one service come, change it, die and are recovered.

Every execution has a clock of its own, up to 2.5 s beside the real time, and reads it a while before its
write arrives. Only the test knows the real time, and who is changing the service really.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from slipway.errors import Superseded
from slipway.ledger.ledger import CHANGE_SECONDS, CLOCKS_APART_SECONDS, Busy, Ledger
from slipway.ledger.records import Good, Hold, Quarantined, deployment_id, order, text
from slipway.release.release import Deployment, Release
from tests.support.builders import FAMILY, OLD, at, deployment, execution, image, release
from tests.support.ledgers import Directly

ASIDE = CLOCKS_APART_SECONDS / 2
CLOCKS = st.sampled_from([0, -ASIDE, ASIDE, 1])
ANY_CLOCK = st.sampled_from([-ASIDE, ASIDE]) | st.floats(-ASIDE, ASIDE)
LATE = st.sampled_from([0, 0, 0, 0, 20])
PAUSES = st.sampled_from([0, 1, 10, 26, 28, CHANGE_SECONDS, 36])
AGES = st.sampled_from([0, 0, 0, 60])
DIGESTS = st.sampled_from(["sha256:a", "sha256:b"])
OUTCOMES = st.sampled_from(["SUCCEEDED", "ROLLED_BACK", "ROLLBACK_FAILED", "FAILED"])
STALE = st.sampled_from(["end", "end", "renew", "start_change", "end_change", "finish"])
SERVICES = (f"production/api-{number}" for number in count())
"""One for each example, all in one table."""


@dataclass(eq=False)
class Actor:
    """An execution: of a deployment of its own, or of the one that it recovers."""

    hold: Hold
    deployment: Deployment
    clock: float
    """How many seconds it is beside the real time."""
    dead: bool = False
    back: Good | None = None
    inside_until: float | None = None
    """Of the real time, while it is changing the service; killed at the latest then."""

    def __repr__(self) -> str:
        return self.hold.execution.rpartition(":")[2]


RELEASES = st.tuples(AGES, st.sampled_from("amz"), DIGESTS, CLOCKS)
ANYONE = st.runner().flatmap(lambda world: st.sampled_from(world.everyone[::-1]))
THE_LAST_HOLDER = st.runner().flatmap(lambda world: st.just(world.holders[-1]))
A_HOLDER = st.runner().flatmap(lambda world: st.sampled_from(world.holders[::-1]))
UNENDED = st.runner().flatmap(lambda world: st.sampled_from(world.unended()[::-1]))


def event(what: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.just(what), *arguments)


def often(
    times: int, what: str, *arguments: st.SearchStrategy[Any]
) -> list[st.SearchStrategy[Any]]:
    return [event(what, *arguments) for _ in range(times)]


ALWAYS = [
    *often(3, "a_release_comes", RELEASES, PAUSES, LATE),
    *often(2, "it_is_recovered", THE_LAST_HOLDER, CLOCKS, PAUSES, LATE),
    *often(3, "another_one_writes", A_HOLDER, STALE),
    event("another_one_writes", ANYONE, st.just("end")),
    event("it_begins_though_it_is_dead", ANYONE),
    event("time_passes", PAUSES),
]
OF_THE_UNENDED = [event("it_begins", UNENDED, PAUSES, LATE)]
OF_THE_HOLDER = [event("the_holder_gives_a_sign_of_life", LATE), event("the_holder_dies")]
NEWER = st.tuples(st.just(0), st.just("z"), DIGESTS, CLOCKS)
JUST_BEFORE_ITS_END = st.sampled_from([26, 28, CHANGE_SECONDS])
OF_THE_HOLDER_INSIDE = [
    *often(4, "a_release_comes", NEWER, JUST_BEFORE_ITS_END, st.just(0)),
    event("the_holder_ends_its_change", LATE),
]
OF_THE_IDLE_HOLDER = [
    *often(4, "the_holder_starts_a_change", LATE),
    event("the_holder_finishes", OUTCOMES),
]


class Executions(RuleBasedStateMachine):
    """What several executions do to one service; every rule checks what the ledger answers it."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(Directly())
        self.service = next(SERVICES)
        self.now = 0.0
        self.holder: Actor | None = None
        self.newest: Release | None = None
        self.marked_at: float | None = None
        """When, of the real time, the holder has begun the change whose mark is not removed yet."""
        self.outcomes: dict[str, str] = {}
        self.everyone: list[Actor] = []
        self.holders: list[Actor] = []
        """All that there have been, each as often as it took the service."""

    @initialize(first=RELEASES)
    def begin(self, first: Any) -> None:
        self.a_release_comes(first, 0, 0)

    # One rule: of several, Hypothesis leaves some out of most examples, and without any of these nothing
    # worth a look happens.
    @rule(event=st.runner().flatmap(lambda world: st.one_of(world.what_may_happen())))
    def then(self, event: Any) -> None:
        what, *arguments = event
        getattr(self, what)(*arguments)

    def what_may_happen(self) -> list[st.SearchStrategy[Any]]:
        events = ALWAYS + (OF_THE_UNENDED if self.unended() else [])
        if self.holder is None or self.holder.dead:
            return events
        inside = self._is_inside(self.holder)
        return events + OF_THE_HOLDER + (OF_THE_HOLDER_INSIDE if inside else OF_THE_IDLE_HOLDER)

    def unended(self) -> list[Actor]:
        """Who is alive, and whose deployment has not ended."""
        return [a for a in self.everyone if not a.dead and a.hold.deployment not in self.outcomes]

    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    # --- executions -------------------------------------------------------------------------------

    def a_release_comes(
        self, which: tuple[int, str, str, float], after: float, late: float
    ) -> None:
        """It was released some time ago, or at the same moment as another one: the id decides then."""
        age, name, digest, clock = which
        unique, released_at = f"{name}-{len(self.everyone)}", at(self.now // 30 * 30 - age)
        of = release(id=unique, released_at=released_at, image=image(digest=digest))
        asked = deployment(release=of, service=self.service)
        self.it_begins(self._execution(asked, clock), after, late)

    def it_is_recovered(self, dead: Actor, clock: float, after: float, late: float) -> None:
        """By another execution, which goes on with the same deployment: dead or taken for dead."""
        recovery = self._execution(dead.deployment, clock, dead.hold)
        if recovery in self.unended():
            self.it_begins(recovery, after, late)

    def _execution(self, of: Deployment, clock: float, recovered: Hold | None = None) -> Actor:
        arn = execution(f"e-{len(self.everyone)}")
        own = recovered.deployment if recovered else deployment_id(at(self.now), arn)
        hold = Hold(service=self.service, deployment=own, execution=arn)
        self.everyone.append(Actor(hold, of, clock))
        return self.everyone[-1]

    def it_begins(self, actor: Actor, after: float, late: float) -> None:
        """As BeginDeployment does; also a second time, or belated."""
        self.time_passes(after)
        ours, marked = actor.deployment.release, self.marked_at
        now = at(self.now - late + actor.clock)
        try:
            self.ledger.take(actor.hold, actor.deployment, OLD, now)
        except Superseded:
            assert self._is_older(ours)
            return
        except Busy:
            assert not self._is_older(ours)
            assert marked is not None
            assert self.now - late <= marked + CHANGE_SECONDS + 2 * CLOCKS_APART_SECONDS
            return
        assert not self._is_older(ours)
        assert not self._inside()
        self.holder, self.newest, self.marked_at = actor, ours, None
        self.holders.append(actor)
        actor.back = self._is_as_it_should_be().last_good
        self.ledger.open(actor.hold, actor.deployment, OLD, actor.back, None, now)

    def _is_older(self, one: Release) -> bool:
        newest = self.newest or one
        return (one.released_at, one.id) < (newest.released_at, newest.id)

    def it_begins_though_it_is_dead(self, actor: Actor) -> None:
        """A BeginDeployment that was slow, also after the end of its deployment."""
        actor.dead = actor.dead or actor is not self.holder
        self.it_begins(actor, 0, 0)

    # --- what its holder does to a service --------------------------------------------------------

    def the_holder_starts_a_change(self, late: float) -> None:
        """As UpdateService and RollBack do, whose functions are killed after CHANGE_SECONDS."""
        holder, began = self.holder, self.now - late
        self.ledger.start_change(holder.hold, "RollBack", at(began + holder.clock))
        self.marked_at, holder.inside_until = began, began + CHANGE_SECONDS
        assert self._inside() == [holder]
        assert self._is_as_it_should_be().holder.changing_until

    def the_holder_ends_its_change(self, late: float) -> None:
        """Nobody can have taken over meanwhile."""
        holder = self.holder
        self.ledger.end_change(holder.hold, "RollBack", at(self.now - late + holder.clock))
        self.marked_at = holder.inside_until = None
        assert self._is_as_it_should_be().holder.changing_until is None

    def the_holder_gives_a_sign_of_life(self, late: float) -> None:
        self.ledger.renew(self.holder.hold, at(self.now - late + self.holder.clock))
        self._is_as_it_should_be()

    def the_holder_dies(self) -> None:
        """What it has sent to ECS may still be on its way."""
        self.holder.dead = True

    def the_holder_finishes(self, outcome: str) -> None:
        assert self._finishes(self.holder, outcome)
        self.outcomes[self.holder.hold.deployment] = outcome
        self.holder = self.marked_at = None
        assert self._is_as_it_should_be().holder is None

    def _finishes(self, actor: Actor, outcome: str) -> bool:
        asked, good, quarantine = actor.deployment, None, None
        digest = asked.release.image.digest
        if outcome == "SUCCEEDED":
            good = Good(task_definition=f"{FAMILY}:{digest[-1]}", digest=digest, at=at(self.now))
        if outcome == "ROLLED_BACK":
            good = actor.back
        if outcome in {"ROLLED_BACK", "ROLLBACK_FAILED"}:
            quarantine = Quarantined(at=at(self.now), reason="bad", deployment="d")
        ending = {"outcome": outcome, "reason": text(at(self.now))}
        return self.ledger.finish(actor.hold, asked, ending, good, quarantine)

    # --- and all others ---------------------------------------------------------------------------

    def another_one_writes(self, actor: Actor, what: str) -> None:
        """One that holds the service no longer, or never did: a function that was slow."""
        if actor is self.holder or (what != "end" and actor not in self.holders):
            return
        before, now = self.ledger.service(self.service), at(self.now + actor.clock)
        if what == "end":
            self._ends_without_service(actor)
            self._is_as_it_should_be()
            return
        if what == "finish":
            assert not self._finishes(actor, "ROLLED_BACK")
        else:
            step = () if what == "renew" else ("RollBack",)
            with pytest.raises(Superseded):
                getattr(self.ledger, what)(actor.hold, *step, now)
        assert self._is_as_it_should_be() == before

    def _ends_without_service(self, actor: Actor) -> None:
        """As FinishDeployment does where its execution does not hold the service."""
        own = actor.hold.deployment
        ending = {"outcome": "SUPERSEDED", "reason": ""}
        self.ledger.finish_without_service(actor.hold, actor.deployment, ending)
        goes_on = self.holder is not None and self.holder.hold.deployment == own
        if own in self.outcomes:
            self.ledger.free(actor.hold)
            self.holder = None if goes_on else self.holder
        elif not goes_on:
            self.outcomes[own] = "SUPERSEDED"

    # --- what holds -------------------------------------------------------------------------------

    def _is_inside(self, actor: Actor) -> bool:
        return actor.inside_until is not None and self.now <= actor.inside_until

    def _inside(self) -> list[Actor]:
        return [actor for actor in self.everyone if self._is_inside(actor)]

    def _is_as_it_should_be(self) -> Any:
        """The service's record after a write: at most one inside, the holder ours, the newest the newest."""
        assert len(self._inside()) <= 1
        record = self.ledger.service(self.service)
        holder = record.holder.execution if record.holder else None
        assert holder == (self.holder.hold.execution if self.holder else None)
        assert record.newest == (order(self.newest) if self.newest else "")
        assert not {good.digest for good in record.good} & record.quarantined.keys()
        assert record.last_good is None or record.last_good.digest not in record.quarantined
        return record

    def teardown(self) -> None:
        """Every deployment ended as it ended first."""
        for hold in {actor.hold.deployment: actor.hold for actor in self.everyone}.values():
            record = self.ledger.deployment(hold)
            assert (record and record.outcome) == self.outcomes.get(hold.deployment)


@pytest.mark.usefixtures("ledger")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ANY_CLOCK, ANY_CLOCK, st.just(CHANGE_SECONDS) | st.floats(0, 2 * CHANGE_SECONDS))
def test_nobody_takes_a_service_while_it_may_be_changed_whatever_the_clocks_say(
    holder_s, newcomer_s, passed
):
    ledger, service = Ledger(Directly()), next(SERVICES)
    hold = Hold(service=service, deployment="d", execution="holder")
    newcomer = Hold(service=service, deployment="d", execution="newcomer")
    asked = deployment(service=service)
    ledger.take(hold, asked, OLD, at(holder_s))
    ledger.open(hold, asked, OLD, None, None, at(holder_s))
    ledger.start_change(hold, "UpdateService", at(holder_s))

    with suppress(Busy):
        ledger.take(newcomer, asked, OLD, at(passed + newcomer_s))

        assert passed > CHANGE_SECONDS


@pytest.mark.usefixtures("ledger")
def test_no_two_executions_are_ever_in_a_change_of_one_service():
    run_state_machine_as_test(
        Executions, settings=settings(max_examples=25, stateful_step_count=40)
    )
