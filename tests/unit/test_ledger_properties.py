"""What holds however the executions that want one service come, change it, die and are recovered.

Every execution has a clock of its own, up to 2.5 s beside the real time, and reads it a while before its
write arrives. Only the test knows the real time, and who is changing the service really.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from slipway import aws
from slipway.errors import Superseded
from slipway.ledger import CHANGE_SECONDS, CLOCKS_APART_SECONDS, Busy, Ledger
from slipway.records import Good, Hold, Quarantined, deployment_id, order, text
from slipway.release import Deployment
from tests.unit.builders import FAMILY, OLD, at, deployment, execution, image, release

ASIDE = CLOCKS_APART_SECONDS / 2
CLOCKS = st.sampled_from([0, -ASIDE, ASIDE, -1, 1])
LATE = st.sampled_from([0, 0, 0, 2, 20])
PAUSES = st.sampled_from([0, 1, 10, 26, 27.5, 29.5, 30, 31, 36])
AGES = st.sampled_from([0, 0, 30, 300])
DIGESTS = st.sampled_from(["sha256:a", "sha256:b", "sha256:c"])
OUTCOMES = st.sampled_from(["SUCCEEDED", "ROLLED_BACK", "ROLLBACK_FAILED", "FAILED", "NO_CHANGE"])
STALE = st.sampled_from(["renew", "start_change", "end_change", "finish", "end"])
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
    has_begun: bool = False
    back: Good | None = None
    inside_until: float | None = None
    """Of the real time, while it is changing the service; killed at the latest then."""

    def __repr__(self) -> str:
        return self.hold.execution.rpartition(":")[2]


RELEASES = st.tuples(AGES, st.sampled_from("amz"), DIGESTS, CLOCKS)
ANYONE = st.runner().flatmap(lambda world: st.sampled_from(world.everyone[::-1]))
UNENDED = st.runner().flatmap(lambda world: st.sampled_from(world.unended()[::-1]))


def event(what: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.just(what), *arguments)


ALWAYS = [
    *[event("a_release_comes", RELEASES, PAUSES, LATE)] * 2,
    event("it_is_recovered", ANYONE, CLOCKS, PAUSES, LATE),
    event("another_one_writes", ANYONE, STALE),
    event("time_passes", PAUSES),
]
OF_THE_UNENDED = [event("it_begins", UNENDED, PAUSES, LATE)]
OF_THE_HOLDER = [event("the_holder_gives_a_sign_of_life", LATE), event("the_holder_dies")]
OF_THE_HOLDER_INSIDE = [event("the_holder_ends_its_change", LATE)]
OF_THE_IDLE_HOLDER = [
    *[event("the_holder_starts_a_change", LATE)] * 4,
    event("the_holder_finishes", OUTCOMES),
]


class Executions(RuleBasedStateMachine):
    """What several executions do to one service; every rule checks what the ledger answers it."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(aws.table())
        self.service = next(SERVICES)
        self.now = 0.0
        self.holder: Actor | None = None
        self.newest = ""
        self.marked_at: float | None = None
        """When, of the real time, the holder has begun the change whose mark is not removed yet."""
        self.outcomes: dict[str, str] = {}
        self.everyone: list[Actor] = []

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
        ours, marked = order(actor.deployment.release), self.marked_at
        now = at(self.now - late + actor.clock)
        try:
            before = self.ledger.take(actor.hold, actor.deployment, OLD, now)
        except Superseded:
            assert ours < self.newest
            return
        except Busy:
            assert ours >= self.newest
            assert marked is not None
            assert self.now - late <= marked + CHANGE_SECONDS + 2 * CLOCKS_APART_SECONDS
            return
        assert ours >= self.newest
        assert (before and before.execution) == (self.holder and self.holder.hold.execution)
        assert not self._inside()
        self.holder, self.newest, self.marked_at = actor, ours, None
        actor.has_begun, actor.back = True, self._is_as_it_should_be().last_good
        self.ledger.open(actor.hold, actor.deployment, OLD, actor.back, None, now)

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
        if actor is self.holder or (what != "end" and not actor.has_begun):
            return
        before, now = self.ledger.service(self.service), at(self.now + actor.clock)
        if what == "finish":
            assert not self._finishes(actor, "ROLLED_BACK")
        elif what == "end":
            self._ends_without_service(actor)
        else:
            step = () if what == "renew" else ("RollBack",)
            with pytest.raises(Superseded):
                getattr(self.ledger, what)(actor.hold, *step, now)
        assert self._is_as_it_should_be() == before

    def _ends_without_service(self, actor: Actor) -> None:
        own = actor.hold.deployment
        if self.holder is None or self.holder.hold.deployment != own:
            self.outcomes.setdefault(own, "SUPERSEDED")
        ending = {"outcome": "SUPERSEDED", "reason": ""}
        self.ledger.finish_without_service(actor.hold, actor.deployment, ending)

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
        assert record.newest == self.newest
        assert not {good.digest for good in record.good} & record.quarantined.keys()
        assert record.last_good is None or record.last_good.digest not in record.quarantined
        return record

    def teardown(self) -> None:
        """Every deployment ended as it ended first."""
        for hold in {actor.hold.deployment: actor.hold for actor in self.everyone}.values():
            record = self.ledger.deployment(hold)
            assert (record and record.outcome) == self.outcomes.get(hold.deployment)
        self._forget()

    def _forget(self) -> None:
        with aws.table().batch_writer() as batch:  # moto copies the table in every transaction
            batch.delete_item(Key={"pk": "service", "sk": self.service})
            for own in {actor.hold.deployment for actor in self.everyone}:
                batch.delete_item(Key={"pk": self.service, "sk": own})


def test_no_two_executions_are_ever_in_a_change_of_one_service(ledger):
    run_state_machine_as_test(
        Executions, settings=settings(max_examples=60, stateful_step_count=40)
    )
