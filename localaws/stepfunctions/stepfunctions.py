"""The API of Step Functions. moto's interpreter runs the state machines, with these gaps closed:

- StartExecution without a name creates one. With the name and the input of a running execution it
  returns that execution, also when two callers race; otherwise it fails with ExecutionAlreadyExists.
- An input of more than 262,144 bytes is refused, and so is more data in an execution.
- StopExecution and SendTaskFailure keep error and cause. An execution has ended when StopExecution
  returns.
- DescribeExecution and ListExecutions report a timeout, and return a string output as JSON.
  GetExecutionHistory supports order and pages.
- Strings in a definition are JSON strings: with emoji, and with their escapes evaluated in Assign, too.
- A definition is parsed once, not for every execution, which takes 100 ms for 12 states.
- Express state machines are NotImplemented, and so is another definition under a name in use.

The interpreter's own gaps are closed in the other modules of this package.
"""

from __future__ import annotations

import copy
import datetime
import json
import logging
import threading
import uuid
from functools import lru_cache
from typing import Any

from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult, EmptyResult
from moto.stepfunctions.exceptions import ExecutionDoesNotExist
from moto.stepfunctions.parser import api as parser_api
from moto.stepfunctions.parser.api import (
    InvalidExecutionInput,
    StateMachineAlreadyExists,
    ValidationException,
)
from moto.stepfunctions.parser.asl.antlr.runtime.ASLLexer import ASLLexer
from moto.stepfunctions.parser.asl.antlt4utils.antlr4utils import from_string_literal, is_terminal
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.responses import StepFunctionResponse

from localaws import changes
from localaws.faults import stale
from localaws.stepfunctions import (
    child_execution,
    data_limits,
    errors,
    faults,
    retry_and_catch,
    states,
    tasks,
)
from localaws.stepfunctions import stop as stepfunctions_stop
from localaws.stepfunctions.execution import Execution

_STOP_SECONDS = 10  # much more than a stop takes
_HISTORY_PAGE = 1000  # events, as on AWS
_starting = threading.Lock()

_parse = AmazonStateLanguageParser.parse


@lru_cache(maxsize=256)
def _parse_once(definition: str) -> Any:
    # Replaced because moto parses strings as Python literals, in which a surrogate pair, as JSON
    # writes an emoji, is not one character.
    return _parse(json.dumps(json.loads(definition), ensure_ascii=False))


def _begin_preprocessing(self: Preprocessor) -> None:
    # moto shares one stack of query languages: a definition that fails would leave its language there.
    self._query_language_per_scope = []


def _inner_string_of(parser_rule_context: Any) -> str | None:
    if is_terminal(parser_rule_context, ASLLexer.NULL):
        return None
    return from_string_literal(parser_rule_context)  # moto keeps the escapes in Assign


def _heap_key(self: EvalComponent) -> str:
    return str(id(self))  # moto's is made on first use, but executions share the definition


# --- the backend ----------------------------------------------------------------------------------

_create = StepFunctionsParserBackend.create_state_machine
_reset = StepFunctionsParserBackend.reset


def _create_state_machine(
    self: StepFunctionsParserBackend, name: str, definition: str, *args: Any, **kwargs: Any
) -> Any:
    if kwargs.get("sm_type") == "EXPRESS":
        raise NotImplementedError("Step Functions: CreateStateMachine with type EXPRESS")
    for machine in self.state_machines:
        if machine.name == name and machine.definition != definition:
            raise StateMachineAlreadyExists(f"State Machine Already Exists: '{machine.arn}'")
    return _create(self, name, definition, *args, **kwargs)


def _start_execution(
    self: StepFunctionsParserBackend,
    state_machine_arn: str,
    name: str | None = None,
    execution_input: str = "{}",
    trace_header: str | None = None,
) -> Execution:
    if len(execution_input.encode()) > data_limits.DATA_BYTES:
        raise ValidationException(
            "1 validation error detected: Value at 'input' failed to satisfy constraint: "
            f"Member must have length less than or equal to {data_limits.DATA_BYTES}"
        )
    name = name or str(uuid.uuid4())
    self._validate_name(name)
    try:
        json.loads(execution_input)
    except ValueError as error:
        raise InvalidExecutionInput(f"Invalid State Machine Execution Input: {error}") from error
    addressed = self.describe_state_machine(state_machine_arn)
    owner = next(item for item in self.state_machines if item.name == addressed.name)
    with _starting:
        running: Any = owner._handle_name_input_idempotency(name, execution_input)
        if running is not None:
            return running  # type: ignore[no-any-return]
        snapshot: Any = copy.copy(addressed)  # an update does not affect running executions
        snapshot.executions = []
        execution = Execution(
            name=name,
            sm_type=snapshot.sm_type,
            role_arn=snapshot.roleArn,
            exec_arn=f"{owner.arn.replace(':stateMachine:', ':execution:')}:{name}",
            account_id=self.account_id,
            region_name=self.region_name,
            state_machine=snapshot,
            start_date=_in_milliseconds(datetime.datetime.now(datetime.UTC)),
            cloud_watch_logging_session=None,
            input_data=execution_input,
            trace_header=trace_header,
            activity_store={},
        )
        execution.start()
        owner.executions.append(execution)  # type: ignore[arg-type]
    changes.announce()  # a rule or another execution may have started it
    return execution


def _in_milliseconds(moment: datetime.datetime) -> datetime.datetime:
    """A time in milliseconds, as AWS has it, so that StartTime and DescribeExecution agree."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _stop_everything(self: StepFunctionsParserBackend) -> None:
    for machine in self.state_machines:
        for execution in machine.executions:
            execution.stop(error=None, cause="The local AWS was reset.")
    _reset(self)


# --- the API --------------------------------------------------------------------------------------


def _stop_execution(self: StepFunctionResponse) -> ActionResult:
    execution: Any = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    execution.stop(error=self._get_param("error"), cause=self._get_param("cause"))
    if not execution.ended.wait(_STOP_SECONDS):
        raise NotImplementedError(f"Step Functions: {execution.exec_arn} could not be stopped")
    return ActionResult({"stopDate": execution.stop_date})


def _describe_execution(self: StepFunctionResponse) -> ActionResult:
    execution: Any = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    described = execution.past.read(execution.describe)
    if described is None:
        raise ExecutionDoesNotExist(f"Execution Does Not Exist: '{execution.exec_arn}'")
    return ActionResult({field: value for field, value in described.items() if value is not None})


def _list_executions(self: StepFunctionResponse) -> ActionResult:
    executions, next_token = self.stepfunction_backend.list_executions(
        self._get_param("stateMachineArn"),
        status_filter=self._get_param("statusFilter"),
        max_results=self._get_int_param("maxResults"),
        next_token=self._get_param("nextToken"),
    )
    fields = ("executionArn", "stateMachineArn", "name", "status", "startDate", "stopDate")
    described: list[dict[str, Any]] = [item.describe() for item in executions]  # type: ignore[attr-defined]
    items = [
        {field: item[field] for field in fields if item[field] is not None} for item in described
    ]
    return ActionResult({"executions": items, "nextToken": next_token})


def _get_execution_history(self: StepFunctionResponse) -> ActionResult:
    history = self.stepfunction_backend.get_execution_history(self._get_param("executionArn"))
    events = history["events"]
    if self._get_param("reverseOrder"):
        events.reverse()
    start = int(self._get_param("nextToken") or 0)
    end = start + (self._get_int_param("maxResults") or _HISTORY_PAGE)
    page: dict[str, Any] = {"events": events[start:end]}
    if end < len(events):
        page["nextToken"] = str(end)
    return ActionResult(page)


def _send_task_failure(self: StepFunctionResponse) -> ActionResult:
    backend: Any = self.stepfunction_backend
    backend.send_task_failure(
        self._get_param("taskToken"),
        error=self._get_param("error"),
        cause=self._get_param("cause"),
    )
    return EmptyResult()


def install() -> None:
    """Close the gaps of Step Functions."""
    for module in (
        stepfunctions_stop,
        retry_and_catch,
        states,
        tasks,
        data_limits,
        child_execution,
        errors,
        faults,
    ):
        module.install()
    # The interpreter logs a dump of every failed state, which the history has anyway.
    logging.getLogger("moto.stepfunctions").setLevel(logging.CRITICAL)
    for error in AWSError.__subclasses__():
        if error.__module__ == parser_api.__name__:
            error.TYPE = error.__name__  # without it the caller gets no error code
    AmazonStateLanguageParser.parse = staticmethod(_parse_once)  # type: ignore[method-assign]
    Preprocessor.__init__ = _begin_preprocessing  # type: ignore[assignment,method-assign]
    Preprocessor._inner_string_of = staticmethod(_inner_string_of)  # type: ignore[method-assign]
    EvalComponent.heap_key = property(_heap_key)  # type: ignore[method-assign,assignment]
    stale.ACTIONS.add("states:DescribeExecution")
    backend = StepFunctionsParserBackend
    backend.create_state_machine = _create_state_machine  # type: ignore[method-assign]
    backend.start_execution = _start_execution  # type: ignore[method-assign]
    backend.reset = _stop_everything  # type: ignore[assignment,method-assign]
    api = StepFunctionResponse
    api.stop_execution = _stop_execution  # type: ignore[method-assign]
    api.describe_execution = _describe_execution  # type: ignore[method-assign]
    api.list_executions = _list_executions  # type: ignore[method-assign]
    api.get_execution_history = _get_execution_history  # type: ignore[method-assign]
    api.send_task_failure = _send_task_failure  # type: ignore[method-assign]
