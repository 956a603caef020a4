"""One execution of a state machine: its start, its end, its description and its events.

moto's execution has no status for a moment after its start, loses the error and cause of
StopExecution, describes a string output without its quotes, and emits no event.
"""

from __future__ import annotations

import datetime
import json
import logging
import threading
from typing import Any

from moto.stepfunctions.parser.api import (
    ExecutionStartedEventDetails,
    ExecutionStatus,
    HistoryEventExecutionDataDetails,
    HistoryEventType,
)
from moto.stepfunctions.parser.asl.eval.evaluation_details import ExecutionDetails
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.program_state import (
    ProgramEnded,
    ProgramError,
    ProgramRunning,
    ProgramStopped,
    ProgramTimedOut,
)
from moto.stepfunctions.parser.backend import execution as moto_execution

from localaws import aws, changes
from localaws.cloudwatch import datapoints
from localaws.faults.stale import Past
from localaws.stepfunctions.jsonata import iso

_log = logging.getLogger(__name__)

_METRICS = {
    ExecutionStatus.SUCCEEDED: "ExecutionsSucceeded",
    ExecutionStatus.FAILED: "ExecutionsFailed",
    ExecutionStatus.ABORTED: "ExecutionsAborted",
    ExecutionStatus.TIMED_OUT: "ExecutionsTimedOut",
}


class Execution(moto_execution.Execution):
    """An execution in a thread of its own, from start() until ``ended`` is set."""

    def __init__(self, **details: Any) -> None:
        super().__init__(**details)
        self.ended = threading.Event()
        self.wakers: set[threading.Event] = set()  # set at the end of the execution
        self.past: Past[dict[str, Any] | None] = Past()
        """Its earlier descriptions; None before its start."""
        self._environment: Any = None

    def get_start_execution_details(self) -> ExecutionDetails:
        """Write the start time in the format of the context object."""
        details = super().get_start_execution_details()
        details.start_time = iso(self.start_date)  # type: ignore[misc]
        return details

    def start(self) -> None:
        """Begin the execution. From now on it can be described and stopped."""
        self.exec_worker = self._get_start_execution_worker()
        self._environment = self.exec_worker.env = self.exec_worker._get_evaluation_environment()
        self._environment._program_state = ProgramRunning()  # type: ignore[no-untyped-call]
        self.past.keep(None)
        self.exec_status = ExecutionStatus.RUNNING
        threading.Thread(target=self._run, name=self.exec_arn, daemon=True).start()

    def stop(self, error: str | None, cause: str | None) -> None:  # type: ignore[override]
        """Abort the execution. It has no effect after the end."""
        now = datetime.datetime.now(datetime.UTC)
        self._environment.set_stop(stop_date=now, error=error, cause=cause)

    def describe(self) -> dict[str, Any]:
        """The answer of DescribeExecution. Fields without a value are None."""
        succeeded = self.exec_status == ExecutionStatus.SUCCEEDED
        output = json.dumps(self.output, ensure_ascii=False, separators=(",", ":"))
        return {
            "executionArn": self.exec_arn,
            "stateMachineArn": self.state_machine_arn,
            "name": self.name,
            "status": self.status,
            "startDate": self.start_date,
            "stopDate": self.stop_date,
            "input": self.execution_input,
            "inputDetails": {"included": True},
            "output": output if succeeded else None,
            "outputDetails": {"included": True} if succeeded else None,
            "error": self.error,
            "cause": self.cause,
            "redriveCount": 0,
        }

    def _run(self) -> None:
        self._emit()
        try:
            self._evaluate()
        except Exception as error:  # noqa: BLE001 - an execution must end, whatever happens
            _log.exception("the interpreter of state machines failed")
            self._environment.set_error({"error": "States.Runtime", "cause": repr(error)})
        self._end()
        self._emit()
        # Who waits for the end sees the event's effects, as far as they are immediate.
        self.ended.set()
        changes.announce()
        for waker in list(self.wakers):
            waker.set()

    def _evaluate(self) -> None:
        assert self.exec_worker is not None
        program = self.exec_worker._get_evaluation_entrypoint()
        environment = self._environment
        details = ExecutionStartedEventDetails(
            input=self.execution_input,
            inputDetails=HistoryEventExecutionDataDetails(truncated=False),
            roleArn=self.role_arn,
        )
        environment.event_manager.add_event(
            context=environment.event_history_context,
            event_type=HistoryEventType.ExecutionStarted,
            event_details=EventDetails(executionStartedEventDetails=details),  # type: ignore[typeddict-item]
            update_source_event_id=False,
        )
        program.eval(environment)

    def _end(self) -> None:
        end = self._environment.program_state()
        self.past.keep(self.describe())
        status = ExecutionStatus.FAILED
        if isinstance(end, ProgramEnded):
            status = ExecutionStatus.SUCCEEDED
            self.output = self._environment.states.get_input()
        elif isinstance(end, ProgramStopped):
            status = ExecutionStatus.ABORTED
            self.error, self.cause = end.error, end.cause
        elif isinstance(end, ProgramTimedOut):
            status = ExecutionStatus.TIMED_OUT
            self.error = "States.Timeout"
        elif isinstance(end, ProgramError) and end.error is not None:
            self.error, self.cause = end.error.get("error"), end.error.get("cause")
        self.stop_date = datetime.datetime.now(datetime.UTC)
        datapoints.record("AWS/States", _METRICS[status], self.state_machine_arn, 1, self.stop_date)
        self.exec_status = status  # last, so that the rest is set by then

    def _emit(self) -> None:
        detail = self.describe()
        for field in ("startDate", "stopDate"):
            if detail[field] is not None:
                detail[field] = int(detail[field].timestamp() * 1000)
        try:
            aws.emit(
                "aws.states", "Step Functions Execution Status Change", detail, [self.exec_arn]
            )
        except Exception:  # noqa: BLE001 - events are best effort
            _log.exception("no event of %s", self.exec_arn)
