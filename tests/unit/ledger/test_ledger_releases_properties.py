"""Who carries out a release, a manual rollback and a recovery, in whatever order deployments ask for it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from slipway.errors import Refused
from slipway.health.outcome import Outcome
from slipway.ledger.ledger import Ledger
from slipway.ledger.records import Recovery
from slipway.release.named import NamedRelease, NamedRollback
from tests.support.asked import (
    EXPIRES_AT,
    manual_rollback,
    part_of,
    release_record,
    rollback_recorded,
)
from tests.support.builders import claim, deployment
from tests.support.examples import examples
from tests.support.ledgers import Directly, recovery

STAGES = {"one": ["staging/api", "staging/web"], "two": ["production/api"], "three": ["dr/api"]}
RECORD = release_record(
    *(deployment(stage=name, service=service) for name in STAGES for service in STAGES[name])
)
PARTS = [
    part_of(deployment(stage=name, service=service)) for name in STAGES for service in STAGES[name]
]
ROLLBACK = NamedRollback(rollback="rollback-1")
A_PART = st.runner().flatmap(lambda world: st.sampled_from(world.begun() or PARTS))
WANTED = st.sampled_from([*PARTS, ROLLBACK])
NAMES = st.sampled_from(["e-1", "e-2"])
OUTCOMES = st.sampled_from([Outcome.SUCCEEDED, Outcome.NO_CHANGE, *Outcome])


class Deployments(RuleBasedStateMachine):
    """Two deployments of each part of a release, two of a manual rollback, and their recoveries."""

    def __init__(self) -> None:
        super().__init__()
        table = Directly()
        table.empty()
        self.ledger = Ledger(table)
        self.ledger.record_release(RECORD)
        rollback_recorded(self.ledger, manual_rollback(), None)
        self.owners: dict[NamedRelease | NamedRollback, str] = {}
        self.outcomes: dict[NamedRelease, Outcome] = {}
        self.recoveries: dict[str, list[Recovery]] = {"e-1": [], "e-2": []}

    def begun(self) -> list[NamedRelease]:
        return [part for part in PARTS if part in self.owners]

    @rule(named=WANTED, name=NAMES)
    def one_takes_it_up(self, named: Any, name: str) -> None:
        owner = self.owners.get(named, name)
        try:
            self.ledger.take_up(claim(name), named, EXPIRES_AT)
        except Refused:
            assert owner != name
        else:
            assert self.owners.setdefault(named, name) == name

    @rule(part=A_PART, name=NAMES, outcome=OUTCOMES)
    def one_ends(self, part: NamedRelease, name: str, outcome: Outcome) -> None:
        self.ledger.note_outcome(claim(name), part, outcome)
        if self.owners.get(part) == name:
            self.outcomes[part] = outcome

    @rule(name=NAMES, calls=st.integers(1, 3), late=st.booleans())
    def some_recover_it_at_once(self, name: str, calls: int, late: bool) -> None:
        """All of them have read the same newest recovery, or else the one before it."""
        known = self.recoveries[name]
        read = known[:-1] if late else known
        last = read[-1] if read else None
        wanted = [
            recovery(len(read) + 1, f"{name}-{len(known)}-of-call-{call}") for call in range(calls)
        ]
        done = [self.ledger.note_recovery(claim(name), each, last) for each in wanted]
        assert done == [read == known, *[False] * (calls - 1)]
        if read == known:
            known.append(wanted[0])

    @rule(which=st.sampled_from(["release", "rollback"]))
    def it_is_recorded_again(self, which: str) -> None:
        if which == "release":
            self.ledger.record_release(RECORD)
        else:
            rollback_recorded(self.ledger, manual_rollback(), None, refusal="another")

    @invariant()
    def the_ledger_knows_who_carries_out_what(self) -> None:
        record = self.ledger.release(RECORD.release.id)
        assert record is not None
        for part in PARTS:
            found, owner = record.progress_of(part), self.owners.get(part)
            assert (found and found.deployment) == (owner and claim(owner).deployment)
            assert (found and found.outcome) == self.outcomes.get(part)
        assert record.model_copy(update={"progress": {}}) == RECORD
        rollback, owner = self.ledger.rollback("rollback-1"), self.owners.get(ROLLBACK)
        assert rollback is not None
        assert (rollback.carried_out_by, rollback.refusal) == (
            owner and claim(owner).deployment,
            "",
        )

    @invariant()
    def a_stage_comes_after_all_before_it_went_well(self) -> None:
        record = self.ledger.release(RECORD.release.id)
        assert record is not None
        well = True
        for name in STAGES:
            assert record.has_come(name) is well
            for part in PARTS:
                outcome = self.outcomes.get(part)
                if part.stage == name:
                    well = well and outcome is not None and outcome.facts.goes_on

    @invariant()
    def the_newest_recovery_counts_those_before_it(self) -> None:
        for name, known in self.recoveries.items():
            found = self.ledger.deployment(claim(name))
            newest = found.recovery if found else None
            assert newest == (known[-1] if known else None)
            assert (newest.attempt if newest else 0) == len(known)


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize("runs", [examples(5), pytest.param(30, marks=pytest.mark.exhaustive)])
def test_a_part_of_a_release_a_rollback_and_a_recovery_each_belong_to_one_execution(runs):
    run_state_machine_as_test(
        Deployments, settings=settings(max_examples=runs, stateful_step_count=20)
    )
