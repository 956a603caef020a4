"""EventBridge schedules: a rule with a rate fires at each interval, first one interval after it was put.

moto stores a ScheduleExpression and does nothing with it. Here one thread fires every rule that is
due. It then checks that the rule still exists, is enabled and has the same schedule, so a rule that
was deleted, replaced or disabled does not fire. Enabling a rule begins a new interval.
``POST /_localaws/schedules/<rule>`` fires a rule at once and does not change its intervals.

cron expressions are NotImplemented.
"""

from __future__ import annotations

import logging
import re
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from moto.events.exceptions import ValidationException
from moto.events.models import EventsBackend, Rule, events_backends

from localaws import aws

_log = logging.getLogger(__name__)

ENDPOINT = "/_localaws/schedules/"
"""The path of the endpoint that fires a schedule. The name of the rule follows."""

_UNITS = {"minute": 60.0, "hour": 60.0 * 60, "day": 24.0 * 60 * 60}  # in seconds
_RATE = re.compile(r"rate\(([1-9][0-9]*) (minute|hour|day)(s?)\)")
_LONGEST_WAIT_SECONDS = 60.0 * 60  # a lock can't wait as long as a rate may be

Deliver = Callable[[Rule, Any], None]
"""Delivers an event, in the form of moto's backend, to the targets of a rule."""


class _Clock:
    """A thread that fires the rules that are due."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[str, tuple[float, Rule]] = {}  # by the ARN of the rule
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="schedules", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def begin(self, rule: Rule) -> None:
        """Fire the rule from one interval from now on."""
        with self._changed:
            self._due[rule.arn] = time.monotonic() + _interval(rule), rule
            self._changed.notify()

    def _run(self) -> None:
        while rule := self._next():
            try:
                _fire(rule)
            except Exception:  # noqa: BLE001 - one rule's target must not silence the others
                _log.exception("%s: an event of its schedule is lost", rule.arn)

    def _next(self) -> Rule | None:
        """Wait for the next rule that is due. None if the clock was stopped."""
        with self._changed:
            while not self._stopped:
                now = time.monotonic()
                due = sorted(self._due.values(), key=lambda each: each[0])
                if not due or due[0][0] > now:
                    pause = due[0][0] - now if due else _LONGEST_WAIT_SECONDS
                    self._changed.wait(min(pause, _LONGEST_WAIT_SECONDS))
                    continue
                moment, rule = due[0]
                del self._due[rule.arn]
                if _current(rule.account_id, rule.region_name, rule.name) is rule and _on(rule):
                    # Intervals that were missed because the machine was busy are skipped.
                    self._due[rule.arn] = max(moment, now - _interval(rule)) + _interval(rule), rule
                    return rule
        return None


_clock = _Clock()
_deliver: Deliver


def start() -> None:
    """Start the clock with the schedules that exist, which are those of a restored state."""
    global _clock
    _clock = _Clock()
    for bus in events_backends[aws.ACCOUNT][aws.REGION].event_buses.values():
        for rule in bus.rules.values():
            if rule.scheduled_expression:
                _clock.begin(rule)
    _clock.start()


def stop() -> None:
    """Stop the clock: no rule fires any more."""
    _clock.stop()


def fire(name: str) -> tuple[dict[str, str], int]:
    """Fire a rule's schedule now. Returns the endpoint's answer and its status."""
    rule = _current(aws.ACCOUNT, aws.REGION, name)
    if rule is None or rule.scheduled_expression is None:
        return {"message": f"no rule with a schedule on the default event bus: {name}"}, 404
    if not _on(rule):
        return {"message": f"the rule is disabled: {name}"}, 409
    return {"id": _fire(rule)}, 200


def _fire(rule: Rule) -> str:
    now = time.time()
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": rule.account_id,
        "time": now,
        "region": rule.region_name,
        "resources": [rule.arn],
        "detail": {},
        "ingestion-time": now,  # a field of moto's, which targets do not get
    }
    _deliver(rule, event)
    return str(event["id"])


def _current(account: str, region: str, name: str) -> Rule | None:
    return events_backends[account][region].event_buses["default"].rules.get(name)


def _on(rule: Rule) -> bool:
    return str(rule.state).startswith("ENABLED")


def _parsed(expression: str) -> tuple[int, str]:
    """The number and the unit of a rate. The unit is in the plural where AWS requires it."""
    if expression.startswith("cron("):
        raise NotImplementedError(f"EventBridge: PutRule with ScheduleExpression {expression}")
    rate = _RATE.fullmatch(expression)
    if rate is None or (rate[1] == "1") != (rate[3] == ""):
        raise ValidationException("Parameter ScheduleExpression is not valid.")
    return int(rate[1]), rate[2]


def _interval(rule: Rule) -> float:
    number, unit = _parsed(str(rule.scheduled_expression))
    return number * _UNITS[unit]


def install(deliver: Deliver) -> None:
    """Fire the rules that are put from now on."""
    global _deliver
    _deliver = deliver
    put_rule, enable_rule = EventsBackend.put_rule, EventsBackend.enable_rule

    def put_and_begin(self: EventsBackend, *args: Any, **kwargs: Any) -> Rule:
        expression = kwargs.get("scheduled_expression")
        if expression:
            _parsed(expression)
        rule = put_rule(self, *args, **kwargs)
        if expression:
            _clock.begin(rule)
        return rule

    def enable_and_begin(self: EventsBackend, name: str, event_bus_arn: str | None) -> bool:
        bus = self._get_event_bus(self._normalize_event_bus_arn(event_bus_arn))
        rule = bus.rules.get(name)
        begins = rule is not None and rule.scheduled_expression and not _on(rule)
        found = enable_rule(self, name, event_bus_arn)
        if rule is not None and begins:
            _clock.begin(rule)
        return found

    EventsBackend.put_rule = put_and_begin  # type: ignore[method-assign]
    EventsBackend.enable_rule = enable_and_begin  # type: ignore[method-assign]
