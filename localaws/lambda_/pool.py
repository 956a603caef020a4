"""The assignment of invocations to execution environments: a warm one of the same code, or a new one.

AWS starts an environment for each concurrent invocation, up to a thousand. A laptop can't, so there is
a limit for each version of a function and one for all functions. An invocation beyond a limit waits,
first come first served. At the limit for all functions the environment that has been idle longest is
closed to make room for one of another function. Only reserved concurrency refuses an invocation.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
import weakref
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.awslambda.exceptions import LambdaClientError, UnknownFunctionException
from moto.awslambda.models import LambdaFunction

from localaws import aws
from localaws.faults import faults
from localaws.lambda_ import code as lambda_code
from localaws.lambda_.execution_environment import ExecutionEnvironment
from localaws.lambda_.processes import zygote_of
from localaws.lambda_.versions import unqualified
from localaws.signature import function_access_key

# A start takes a second of processor time. More at once would only slow all of them down.
ENVIRONMENTS_OF_A_FUNCTION = 8
# Each takes 50 to 100 MB of memory, also while it is idle.
ENVIRONMENTS = 64

_INHERITED = ("PATH", "TMPDIR", "LANG")
_by_token: weakref.WeakValueDictionary[str, ExecutionEnvironment] = weakref.WeakValueDictionary()


class TooManyRequestsError(LambdaClientError):
    """The function's reserved concurrency is used up."""

    code = 429

    def __init__(self) -> None:
        super().__init__("TooManyRequestsException", "Rate Exceeded.")


class Pools:
    """The environments of all functions. Threads may share it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()  # every change wakes those who wait
        self._deployments: dict[str, tuple[Any, ...]] = {}  # by ARN: what its environments run
        self._idle: dict[ExecutionEnvironment, str] = {}  # with the ARN; the longest idle first
        self._busy: dict[ExecutionEnvironment, str] = {}
        self._retired: set[ExecutionEnvironment] = set()  # still busy
        self._lines: dict[str, deque[object]] = defaultdict(deque)  # by ARN: who waits
        self._deleted: weakref.WeakSet[LambdaFunction] = weakref.WeakSet()
        self._stopped = False

    @contextmanager
    def environment(self, function: LambdaFunction) -> Iterator[ExecutionEnvironment]:
        """An environment of the function for one invocation."""
        with self._changed:
            environment = self._acquired(function)
        try:
            faults.in_flight()
            yield environment
        finally:
            with self._changed:
                self._release(environment)
                self._changed.notify_all()

    def delete(self, function: LambdaFunction) -> None:
        """End the environments of a deleted function, busy ones after their invocation."""
        with self._changed:
            self._deleted.add(function)
            self._retire(function.function_arn)
            self._changed.notify_all()

    def cool(self) -> None:
        """End every environment, busy ones after their invocation."""
        with self._changed:
            for arn in list(self._deployments):
                self._retire(arn)
            self._changed.notify_all()

    def stop(self) -> None:
        """End every environment and every wait now. No environment starts after that."""
        with self._changed:
            self._stopped = True
            for arn in list(self._deployments):
                self._retire(arn)
            for environment in self._busy:
                environment.kill()
            self._changed.notify_all()

    def _acquired(self, function: LambdaFunction) -> ExecutionEnvironment:
        line = self._lines[function.function_arn]
        reserved = function.reserved_concurrency
        if reserved is not None and self._concurrent(function) >= int(reserved):
            raise TooManyRequestsError
        turn = object()
        line.append(turn)
        try:
            while True:
                self._check(function)
                if line[0] is turn and (environment := self._taken(function)):
                    return environment
                self._changed.wait()
        finally:
            line.remove(turn)
            self._changed.notify_all()  # there may be room for the next one, too

    def _check(self, function: LambdaFunction) -> None:
        if self._stopped:
            raise RuntimeError("the local AWS is stopping")
        if function in self._deleted:
            raise UnknownFunctionException(function.function_arn)

    def _taken(self, function: LambdaFunction) -> ExecutionEnvironment | None:
        """An environment of the function as it is deployed now; None if there is no room."""
        arn, deployed = function.function_arn, deployment(function)
        if self._deployments.setdefault(arn, deployed) != deployed:
            self._retire(arn)
            self._deployments[arn] = deployed
        environment = self._warm(arn)
        if environment is None and self._has_room(function):
            environment = _started(function)
        if environment is not None:
            self._busy[environment] = arn
        return environment

    def _warm(self, arn: str) -> ExecutionEnvironment | None:
        for environment in [each for each, of in reversed(self._idle.items()) if of == arn]:
            del self._idle[environment]
            if environment.alive:
                return environment
            environment.close()
        return None

    def _has_room(self, function: LambdaFunction) -> bool:
        """Whether an environment may start. None of the function's own is idle."""
        if self._busy_of(function) >= ENVIRONMENTS_OF_A_FUNCTION:
            return False
        if len(self._busy) + len(self._idle) >= ENVIRONMENTS:
            if not self._idle:
                return False
            longest = next(iter(self._idle))
            del self._idle[longest]
            longest.close()
        return True

    def _concurrent(self, function: LambdaFunction) -> int:
        """How many invocations of the function's versions run or wait."""
        whole = unqualified(function.function_arn)
        waiting = sum(len(line) for arn, line in self._lines.items() if unqualified(arn) == whole)
        return waiting + sum(unqualified(arn) == whole for arn in self._busy.values())

    def _busy_of(self, function: LambdaFunction) -> int:
        return sum(arn == function.function_arn for arn in self._busy.values())

    def _retire(self, arn: str) -> None:
        self._deployments.pop(arn, None)
        self._retired |= {each for each, of in self._busy.items() if of == arn}
        for environment in [each for each, of in self._idle.items() if of == arn]:
            del self._idle[environment]
            environment.close()

    def _release(self, environment: ExecutionEnvironment) -> None:
        arn = self._busy.pop(environment)
        if environment in self._retired or not environment.alive:
            self._retired.discard(environment)
            environment.close()
        else:
            self._idle[environment] = arn


def environment_of(token: str) -> ExecutionEnvironment | None:
    """The environment whose process signs its calls with this session token."""
    return _by_token.get(token)


def logging_config(function: LambdaFunction) -> dict[str, str]:
    """The LoggingConfig of a function, which cloudformation/types/lambda_.py makes moto keep."""
    config: dict[str, str] = function.get_configuration()["LoggingConfig"]
    return config


def deployment(function: LambdaFunction) -> tuple[Any, ...]:
    """The settings whose update a warm process would not notice."""
    return (
        function.code_sha_256,
        function.handler,
        function.run_time,
        function.timeout,
        function.memory_size,
        json.dumps(function.environment_vars, sort_keys=True),
        json.dumps(logging_config(function), sort_keys=True),
    )


def _started(function: LambdaFunction) -> ExecutionEnvironment:
    task_folder = lambda_code.task_folder(function.code_bytes, function.code_sha_256)
    log_stream = f"{time.strftime('%Y/%m/%d')}/[{function.version}]{uuid.uuid4().hex}"
    logging = logging_config(function)
    token = uuid.uuid4().hex  # identifies the process among those of the function
    own = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in function.environment_vars.items()
    }
    variables = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    variables |= {
        "AWS_ACCESS_KEY_ID": function_access_key(function.function_name, str(function.version)),
        "AWS_SECRET_ACCESS_KEY": "localaws",
        "AWS_SESSION_TOKEN": token,
        "AWS_CONFIG_FILE": os.devnull,  # or botocore reads the developer's, even without HOME
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_ENDPOINT_URL": aws.endpoint(),
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": str(function.version),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": logging["LogFormat"],
        "AWS_LAMBDA_LOG_GROUP_NAME": logging["LogGroup"],
        "AWS_LAMBDA_LOG_LEVEL": logging.get("ApplicationLogLevel", ""),
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "LAMBDA_TASK_ROOT": str(task_folder),
        "PYTHONPATH": f"{task_folder}{os.pathsep}{lambda_code.runtime_folder()}",
        "TZ": ":UTC",
        "_HANDLER": str(function.handler),
    }
    variables = own | variables
    # It has the variables of the artifact's first function, because most of those that are read on import
    # have the same value in all functions.
    zygote = zygote_of(task_folder, variables)
    started = ExecutionEnvironment(zygote, str(function.handler), variables, log_stream)
    _by_token[token] = started
    return started
