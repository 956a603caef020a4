"""What holds however the executions that want one service come, change it, die and are recovered.

They belong to releases of two repositories, to manual rollbacks and to recoveries. Every execution has a
clock of its own, up to 2.5 s beside the real time, and reads it a while before its write arrives. Only the
test knows the real time, and who is changing the service really. A person lifts quarantines at any time.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
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
from slipway.ledger.records import (
    ClaimId,
    Good,
    Quarantined,
    deployed_by,
    deployment_id,
    lane_of,
    release_order,
    timestamp,
)
from slipway.release.release import Deployment, Release
from tests.support.builders import FAMILY, OLD, SERVICE, at, deployment, execution, image, release
from tests.support.examples import examples
from tests.support.ledgers import Directly, lift_quarantine

ASIDE = CLOCKS_APART_SECONDS / 2
CLOCKS = st.sampled_from([0, -ASIDE, ASIDE, 1])
ANY_CLOCK = st.sampled_from([-ASIDE, ASIDE]) | st.floats(-ASIDE, ASIDE)
LATE = st.sampled_from([0, 0, 0, 0, 20])
PAUSES = st.sampled_from([0, 1, 10, 26, 28, CHANGE_SECONDS, 36])
AGES = st.sampled_from([0, 0, 0, 60])
DIGESTS = st.sampled_from(["sha256:a", "sha256:b", "sha256:c"])
REPOSITORIES = st.sampled_from(["shop/api", "shop/api", "shop/web"])
QUARANTINING = {"ROLLED_BACK", "ROLLBACK_FAILED"}
OUTCOMES = st.sampled_from(
    ["SUCCEEDED", "ROLLED_BACK", "ROLLED_BACK", "ROLLBACK_FAILED", "ROLLBACK_FAILED", "FAILED"]
)
STALE = st.sampled_from(["end", "end", "renew", "start_change", "end_change", "finish"])


@dataclass(eq=False)
class Actor:
    """An execution: of a deployment of its own, or of the one that it recovers."""

    claim: ClaimId
    deployment: Deployment
    clock: float
    """How many seconds it is beside the real time."""
    recovers: bool = False
    dead: bool = False
    good_target: Good | None = None
    inside_until: float | None = None
    """Of the real time, while it is changing the service; killed at the latest then."""

    def __repr__(self) -> str:
        return self.claim.execution.rpartition(":")[2]


RELEASES = st.tuples(AGES, st.sampled_from("amz"), REPOSITORIES, DIGESTS, CLOCKS)
Which = tuple[int, str, str, str, float]
ANYONE = st.runner().flatmap(lambda world: st.sampled_from(world.everyone[::-1]))
THE_LAST_CLAIMANT = st.runner().flatmap(lambda world: st.just(world.claimants[-1]))
A_CLAIMANT = st.runner().flatmap(lambda world: st.sampled_from(world.claimants[::-1]))
LIFTED = st.runner().flatmap(lambda world: st.sampled_from([*sorted(world.quarantined), None]))
UNENDED = st.runner().flatmap(lambda world: st.sampled_from(world.unended()[::-1]))


class Interrupted(Directly):
    """A table to which someone else may write between the reads and the transaction of a call."""

    def __init__(self) -> None:
        super().__init__()
        self.empty()  # all examples of a test use one table
        self.meanwhile: Callable[[], None] | None = None

    def transact_write_items(self, **arguments: Any) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        super().transact_write_items(**arguments)


def event(what: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.just(what), *arguments)


def often(
    times: int, what: str, *arguments: st.SearchStrategy[Any]
) -> list[st.SearchStrategy[Any]]:
    return [event(what, *arguments) for _ in range(times)]


ALWAYS = [
    *often(3, "a_release_comes", RELEASES, PAUSES, LATE),
    event("a_manual_rollback_comes", RELEASES, PAUSES, LATE),
    *often(2, "it_is_recovered", THE_LAST_CLAIMANT, CLOCKS, PAUSES, LATE),
    event("it_is_recovered", A_CLAIMANT, CLOCKS, PAUSES, LATE),
    event("a_person_lifts_a_quarantine", DIGESTS),
    *often(3, "another_one_writes", A_CLAIMANT, STALE),
    event("another_one_writes", ANYONE, st.just("end")),
    event("it_begins_though_it_is_dead", ANYONE),
    event("time_passes", PAUSES),
]
OF_THE_UNENDED = [event("it_begins", UNENDED, PAUSES, LATE)]
OF_THE_CLAIMANT = [event("the_claimant_gives_a_sign_of_life", LATE), event("the_claimant_dies")]
NEWER = st.tuples(st.just(0), st.just("z"), REPOSITORIES, DIGESTS, CLOCKS)
JUST_BEFORE_ITS_END = st.sampled_from([26, 28, CHANGE_SECONDS])
OF_THE_CLAIMANT_INSIDE = [
    *often(3, "a_release_comes", NEWER, JUST_BEFORE_ITS_END, st.just(0)),
    event("a_manual_rollback_comes", RELEASES, JUST_BEFORE_ITS_END, st.just(0)),
    event("the_claimant_ends_its_change", LATE),
]
OF_THE_IDLE_CLAIMANT = [
    *often(4, "the_claimant_starts_a_change", LATE),
    *often(2, "the_claimant_finishes", OUTCOMES, LIFTED),
]


class Executions(RuleBasedStateMachine):
    """What several executions do to one service; every rule checks what the ledger answers it."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.service = Interrupted(), SERVICE
        self.ledger = Ledger(self.table)
        self.now = 0.0
        self.claimant: Actor | None = None
        self.last_claimed: str | None = None
        """Id of a deployment."""
        self.newest: dict[str, Release] = {}
        """By repository."""
        self.quarantined: set[str] = set()
        self.marked_at: float | None = None
        """When, of the real time, the claimant has begun the change whose mark is not removed yet."""
        self.outcomes: dict[str, str] = {}
        self.everyone: list[Actor] = []
        self.claimants: list[Actor] = []
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
        if self.claimant is None or self.claimant.dead:
            return events
        inside = self._is_inside(self.claimant)
        return (
            events + OF_THE_CLAIMANT + (OF_THE_CLAIMANT_INSIDE if inside else OF_THE_IDLE_CLAIMANT)
        )

    def unended(self) -> list[Actor]:
        """Who is alive, and whose deployment has not ended."""
        return [a for a in self.everyone if not a.dead and a.claim.deployment not in self.outcomes]

    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    # --- executions -------------------------------------------------------------------------------

    def a_release_comes(self, which: Which, after: float, late: float, by: str = "push") -> None:
        """It was released some time ago, or at the same moment as another one: the id decides then."""
        age, name, repository, digest, clock = which
        of = release(
            id=f"{name}-{len(self.everyone)}",
            released_at=at(self.now // 30 * 30 - age),
            image=image(repository=repository, digest=digest),
            started_by=by,
        )
        asked = deployment(release=of, service=self.service)
        self.it_begins(self._execution(asked, clock), after, late)

    def a_manual_rollback_comes(self, which: Which, after: float, late: float) -> None:
        """It abandons an image of this repository, also if the clocks make it older than a release."""
        self.a_release_comes(which, after, late, "manual rollback")

    def it_is_recovered(self, dead: Actor, clock: float, after: float, late: float) -> None:
        """By another execution, which goes on with the same deployment: dead or taken for dead."""
        recovery = self._execution(dead.deployment, clock, dead.claim)
        if recovery in self.unended():
            self.it_begins(recovery, after, late)

    def _execution(self, of: Deployment, clock: float, recovered: ClaimId | None = None) -> Actor:
        arn = execution(f"e-{len(self.everyone)}")
        own = recovered.deployment if recovered else deployment_id(at(self.now), arn)
        claim = ClaimId(service=self.service, deployment=own, execution=arn)
        self.everyone.append(Actor(claim, of, clock, recovers=recovered is not None))
        return self.everyone[-1]

    def it_begins(self, actor: Actor, after: float, late: float) -> None:
        """As BeginDeployment does; also a second time, or belated."""
        self.time_passes(after)
        ours, marked = actor.deployment.release, self.marked_at
        own, refused = actor.claim.deployment, self._is_refused(actor)
        now = at(self.now - late + actor.clock)
        waits = self._waits_for_its_turn(actor, now)
        try:
            self.ledger.claim(actor.claim, actor.deployment, OLD, now, recovering=actor.recovers)
        except Superseded:
            assert refused
            return
        except Busy:
            assert not refused
            if waits:
                return
            assert marked is not None
            assert self.now - late <= marked + CHANGE_SECONDS + 2 * CLOCKS_APART_SECONDS
            return
        assert not refused
        assert not waits
        assert not self._inside()
        self.claimant, self.marked_at, self.last_claimed = actor, None, own
        if not self._is_older(ours):
            self.newest[ours.image.repository] = ours
        self.claimants.append(actor)
        actor.good_target = self._is_as_it_should_be().last_good
        self.ledger.open(actor.claim, actor.deployment, OLD, actor.good_target, None, now)

    def _is_refused(self, actor: Actor) -> bool:
        """Whether the actor must never get the service, however long it waits."""
        if actor.recovers and self.last_claimed != actor.claim.deployment:
            return True
        ours = actor.deployment.release
        newest = self.newest.get(ours.image.repository, ours)
        another = deployed_by(newest) != deployed_by(ours)
        return self._is_older(ours) and another and not ours.manual_rollback

    def _waits_for_its_turn(self, actor: Actor, now: datetime) -> bool:
        """Whether a deployment of another lane or of the actor's image has the service, and may be alive."""
        held = self.ledger.service(self.service).claim
        deploys = deployed_by(actor.deployment.release)
        if held is None or held.deployment == actor.claim.deployment or not deploys:
            return False
        alive = held.lease_until >= now - timedelta(seconds=CLOCKS_APART_SECONDS)
        return alive and (held.deploys == deploys or held.lane != lane_of(actor.deployment))

    def _is_older(self, one: Release) -> bool:
        newest = self.newest.get(one.image.repository, one)
        return (one.released_at, one.id) < (newest.released_at, newest.id)

    def it_begins_though_it_is_dead(self, actor: Actor) -> None:
        """A BeginDeployment that was slow, also after the end of its deployment."""
        actor.dead = actor.dead or actor is not self.claimant
        self.it_begins(actor, 0, 0)

    # --- what its claimant does to a service --------------------------------------------------------

    def the_claimant_starts_a_change(self, late: float) -> None:
        """As UpdateService and RollBack do, whose functions are killed after CHANGE_SECONDS."""
        claimant, began = self.claimant, self.now - late
        self.ledger.start_change(claimant.claim, "RollBack", at(began + claimant.clock))
        self.marked_at, claimant.inside_until = began, began + CHANGE_SECONDS
        assert self._inside() == [claimant]
        assert self._is_as_it_should_be().claim.changing_until

    def the_claimant_ends_its_change(self, late: float) -> None:
        """Nobody can have taken over meanwhile."""
        claimant = self.claimant
        self.ledger.end_change(claimant.claim, "RollBack", at(self.now - late + claimant.clock))
        self.marked_at = claimant.inside_until = None
        assert self._is_as_it_should_be().claim.changing_until is None

    def the_claimant_gives_a_sign_of_life(self, late: float) -> None:
        self.ledger.renew(self.claimant.claim, at(self.now - late + self.claimant.clock))
        self._is_as_it_should_be()

    def the_claimant_dies(self) -> None:
        """What it has sent to ECS may still be on its way."""
        self.claimant.dead = True

    def the_claimant_finishes(self, outcome: str, lifted: str | None) -> None:
        """A person may lift a quarantine after the ledger has read what is quarantined."""
        if lifted:
            self.table.meanwhile = lambda: self._lift(lifted)
        assert self._finishes(self.claimant, outcome)
        self.table.meanwhile = None
        digest = self.claimant.deployment.release.image.digest
        good = self._good(self.claimant, outcome)
        self.quarantined -= {good.digest} if good else set()
        self.quarantined |= {digest} if outcome in QUARANTINING else set()
        self.outcomes[self.claimant.claim.deployment] = outcome
        self.claimant = self.marked_at = None
        assert self._is_as_it_should_be().claim is None

    def _finishes(self, actor: Actor, outcome: str) -> bool:
        good, quarantine = self._good(actor, outcome), None
        if outcome in QUARANTINING:
            quarantine = Quarantined(at=at(self.now), reason="bad", deployment="d")
        ending = {"outcome": outcome, "reason": timestamp(at(self.now))}
        return self.ledger.finish(actor.claim, actor.deployment, ending, good, quarantine)

    def _good(self, actor: Actor, outcome: str) -> Good | None:
        digest = actor.deployment.release.image.digest
        if outcome == "SUCCEEDED":
            return Good(task_definition=f"{FAMILY}:{digest[-1]}", digest=digest, at=at(self.now))
        return actor.good_target if outcome == "ROLLED_BACK" else None

    # --- and all others ---------------------------------------------------------------------------

    def another_one_writes(self, actor: Actor, what: str) -> None:
        """One whose claim is over, or that never had one: a function that was slow."""
        if actor is self.claimant or (what != "end" and actor not in self.claimants):
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
                getattr(self.ledger, what)(actor.claim, *step, now)
        assert self._is_as_it_should_be() == before

    def _ends_without_service(self, actor: Actor) -> None:
        """As FinishDeployment does where its execution has no claim."""
        own = actor.claim.deployment
        ending = {"outcome": "SUPERSEDED", "reason": ""}
        self.ledger.finish_without_service(actor.claim, actor.deployment, ending)
        goes_on = self.claimant is not None and self.claimant.claim.deployment == own
        if own in self.outcomes:
            self.ledger.free(actor.claim)
            self.claimant = None if goes_on else self.claimant
        elif not goes_on:
            self.outcomes[own] = "SUPERSEDED"

    def a_person_lifts_a_quarantine(self, digest: str) -> None:
        self._lift(digest)
        self._is_as_it_should_be()

    def _lift(self, digest: str) -> None:
        lift_quarantine(self.table, self.service, digest)
        self.quarantined.discard(digest)

    # --- what holds -------------------------------------------------------------------------------

    def _is_inside(self, actor: Actor) -> bool:
        return actor.inside_until is not None and self.now <= actor.inside_until

    def _inside(self) -> list[Actor]:
        return [actor for actor in self.everyone if self._is_inside(actor)]

    def _is_as_it_should_be(self) -> Any:
        """The service's record after a write: at most one inside, the claimant ours, the newest newest."""
        assert len(self._inside()) <= 1
        record = self.ledger.service(self.service)
        claim = record.claim.execution if record.claim else None
        assert claim == (self.claimant.claim.execution if self.claimant else None)
        last = record.last_claimed.deployment if record.last_claimed else None
        assert last == self.last_claimed
        assert record.newest == {name: release_order(of) for name, of in self.newest.items()}
        assert record.quarantined.keys() == self.quarantined
        assert record.last_good is None or record.last_good.digest not in record.quarantined
        return record

    def teardown(self) -> None:
        """Every deployment ended as it ended first."""
        for claim in {actor.claim.deployment: actor.claim for actor in self.everyone}.values():
            record = self.ledger.deployment(claim)
            assert (record and record.outcome) == self.outcomes.get(claim.deployment)


NEWCOMERS = {
    "the same release": release(),
    "a newer release": release(id="event-2", released_at=at(60)),
    "another repository": release(image=image(repository="shop/web"), released_at=at(-60)),
    "a manual rollback": release(id="rollback-2", started_by="manual rollback", released_at=at(60)),
    "an older one": release(id="rollback-1", started_by="manual rollback", released_at=at(-60)),
}


@pytest.mark.usefixtures("ledger")
@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ANY_CLOCK,
    ANY_CLOCK,
    st.just(CHANGE_SECONDS) | st.floats(0, 2 * CHANGE_SECONDS),
    st.sampled_from(sorted(NEWCOMERS)),
    st.booleans(),
)
def test_a_service_is_not_claimed_while_its_change_mark_lasts_whatever_the_clocks_say(
    claim_s, newcomer_s, passed, comes, recovering
):
    ledger, service = Ledger(Interrupted()), SERVICE
    claim = ClaimId(service=service, deployment="d", execution="claim")
    newcomer = ClaimId(service=service, deployment="d", execution="newcomer")
    asked = deployment(service=service)
    ledger.claim(claim, asked, OLD, at(claim_s))
    ledger.open(claim, asked, OLD, None, None, at(claim_s))
    ledger.start_change(claim, "UpdateService", at(claim_s))
    asked = deployment(service=service, release=NEWCOMERS[comes])

    with suppress(Busy):
        ledger.claim(newcomer, asked, OLD, at(passed + newcomer_s), recovering=recovering)

        assert passed > CHANGE_SECONDS


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize("runs", [examples(8), pytest.param(50, marks=pytest.mark.exhaustive)])
def test_no_two_executions_are_ever_in_a_change_of_one_service(runs):
    run_state_machine_as_test(
        Executions, settings=settings(max_examples=runs, stateful_step_count=40)
    )
