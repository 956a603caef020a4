"""The pauses of an execution, and how an execution is stopped.

StopExecution and TimeoutSeconds of the state machine take effect at once, while moto's interpreter
first finishes the pause or task that is in progress. A Wait, the pause before a retry and a task are
abandoned, and their later events do not get into the history. The first end counts. Pauses are in real
seconds, and a Wait until a Timestamp is in UTC.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from moto.stepfunctions.parser.asl.component.common.retry.max_attempts_decl import (
    MaxAttemptsOutcome,
)
from moto.stepfunctions.parser.asl.component.common.retry.retrier_decl import RetrierDecl
from moto.stepfunctions.parser.asl.component.common.retry.retrier_outcome import RetrierOutcome
from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.seconds import SecondsJSONata
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.timestamp import Timestamp
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import (
    WaitFunction,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager

from localaws.stepfunctions.jsonata import query_evaluation_error


class StoppedError(Exception):
    """The work was stopped from outside. Nothing waits for its result."""


@contextmanager
def woken(env: Environment, event: threading.Event) -> Iterator[None]:
    """Set the event at the end of the environment, so that a thread which waits for it wakes up."""
    wakers: set[threading.Event] = env.wakers  # type: ignore[attr-defined]
    wakers.add(event)
    try:
        if not env.is_running():
            event.set()
        yield
    finally:
        wakers.discard(event)


def pause(env: Environment, seconds: float) -> None:
    """Wait, but not beyond the end of the environment."""
    end = threading.Event()
    with woken(env, end):
        end.wait(seconds)


def cancel(frame: Environment) -> None:
    """Stop all work in a frame."""
    frame.set_stop(stop_date=datetime.datetime.now(datetime.UTC), cause=None, error=None)


def _mute(frame: Environment) -> None:
    """Keep further events of a frame out of the history."""
    frame.event_manager = EventManager()
    for inner in list(frame._frames):
        _mute(inner)


def _with_wakers(original: Callable[..., None]) -> Callable[..., None]:
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        self.wakers = set()
        original(self, *args, **kwargs)

    return init


def _first_end(original: Callable[..., None], from_outside: bool) -> Callable[..., None]:
    def end(self: Any, *args: Any, **kwargs: Any) -> None:
        with self._state_mutex:
            if not self.is_running():
                return
            if from_outside:  # before any thread wakes up
                for frame in [self] if self.is_frame() else self._frames:
                    _mute(frame)
            original(self, *args, **kwargs)
        for event in list(self.wakers):
            event.set()

    return end


def _eval_program(self: Program, env: Environment) -> None:
    timeout = self.timeout_seconds
    timer = None
    if timeout is not None:
        timer = threading.Timer(timeout.timeout_seconds, env.set_timed_out)
        timer.daemon = True
        timer.start()
    with env._state_mutex:
        if env._program_state is None or env.is_running():
            env.next_state_name = self.start_at.start_at_name
    try:
        self._eval_body(env)
    finally:
        if timer is not None:
            timer.cancel()


def _retry(self: RetrierDecl, env: Environment) -> None:
    self.error_equals.eval(env)
    if not env.stack.pop():
        env.stack.append(RetrierOutcome.Skipped)
        return
    self.max_attempts.eval(env)
    if env.stack.pop() == MaxAttemptsOutcome.EXHAUSTED:
        env.stack.append(RetrierOutcome.Failed)
        return
    self.interval_seconds.eval(env)
    self.backoff_rate.eval(env)
    self.max_delay_seconds.eval(env)
    self.jitter_strategy.eval(env)
    pause(env, env.stack.pop())
    env.stack.append(RetrierOutcome.Executed)


def _wait_interval(_self: WaitFunction, env: Environment, wait_seconds: float) -> None:
    pause(env, wait_seconds)


def _seconds(self: SecondsJSONata, env: Environment) -> int:
    self.string_jsonata.eval(env)
    seconds = env.stack.pop()
    if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 0:
        raise query_evaluation_error(
            env, f"Seconds must be a whole number of seconds from 0, but is {seconds!r}"
        )
    return seconds


def _seconds_until(self: Timestamp, env: Environment) -> float:
    self.string.eval(env)
    text = env.stack.pop()
    try:
        moment = datetime.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise query_evaluation_error(env, f"Timestamp must be an ISO 8601 time, but is {text!r}")
    return max((moment - datetime.datetime.now(datetime.UTC)).total_seconds(), 0)


def install() -> None:
    """Make executions stop at once."""
    Environment.__init__ = _with_wakers(Environment.__init__)  # type: ignore[method-assign]
    for name in ("set_ended", "set_error", "set_stop", "set_timed_out"):
        from_outside = name in ("set_stop", "set_timed_out")
        setattr(Environment, name, _first_end(getattr(Environment, name), from_outside))
    Program.eval = _eval_program  # type: ignore[method-assign]
    RetrierDecl._eval_body = _retry  # type: ignore[method-assign]
    WaitFunction._wait_interval = _wait_interval  # type: ignore[assignment,method-assign]
    SecondsJSONata._get_wait_seconds = _seconds  # type: ignore[method-assign]
    Timestamp._get_wait_seconds = _seconds_until  # type: ignore[method-assign,assignment]
