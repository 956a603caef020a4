"""Which execution environment takes an invocation: a warm one of the same code, or a new one."""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import LambdaFunction

from localaws import aws, lambda_code
from localaws.lambda_environment import ExecutionEnvironment
from localaws.requests import function_access_key

_INHERITED = ("PATH", "TMPDIR", "LANG")


class _Pool:
    """The environments of a function as it is deployed now."""

    def __init__(self, deployment: tuple[Any, ...]) -> None:
        self.deployment = deployment
        self.idle: list[ExecutionEnvironment] = []
        self.busy: set[ExecutionEnvironment] = set()


class Pools:
    """The environments of every function; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pools: dict[str, _Pool] = {}
        self._retired: set[ExecutionEnvironment] = set()  # still busy
        self._stopped = False

    @contextmanager
    def environment(self, function: LambdaFunction) -> Iterator[ExecutionEnvironment]:
        """An environment of the function for one invocation."""
        with self._lock:
            pool = self._pool(function)
            environment = _warm(pool) or _started(function)
            pool.busy.add(environment)
        try:
            yield environment
        finally:
            with self._lock:
                self._release(pool, environment)

    def retire(self, function_arn: str) -> None:
        """End a function's environments; a busy one after its invocation."""
        with self._lock:
            self._retire(function_arn)

    def stop(self) -> None:
        """End every environment now, the busy ones too; none starts any more."""
        with self._lock:
            self._stopped = True
            for arn in list(self._pools):
                self._retire(arn)
            for environment in self._retired:
                environment.kill()

    def _pool(self, function: LambdaFunction) -> _Pool:
        if self._stopped:
            raise RuntimeError("the local AWS is stopping")
        arn, deployment = function.function_arn, _deployment(function)
        if arn in self._pools and self._pools[arn].deployment != deployment:
            self._retire(arn)
        pool = self._pools.setdefault(arn, _Pool(deployment))
        reserved = function.reserved_concurrency
        if reserved is not None and len(pool.busy) >= int(reserved):
            raise _TooManyRequestsError
        return pool

    def _retire(self, function_arn: str) -> None:
        pool = self._pools.pop(function_arn, None)
        if pool is not None:
            self._retired |= pool.busy
            for environment in pool.idle:
                environment.close()

    def _release(self, pool: _Pool, environment: ExecutionEnvironment) -> None:
        pool.busy.discard(environment)
        if environment in self._retired or not environment.alive:
            self._retired.discard(environment)
            environment.close()
        else:
            pool.idle.append(environment)


class _TooManyRequestsError(LambdaClientError):
    code = 429

    def __init__(self) -> None:
        super().__init__("TooManyRequestsException", "Rate Exceeded.")


def logging_config(function: LambdaFunction) -> dict[str, str]:
    """Where the function logs to and how; cfn_lambda.py makes moto keep it."""
    config: dict[str, str] = function.get_configuration()["LoggingConfig"]
    return config


def _deployment(function: LambdaFunction) -> tuple[Any, ...]:
    """What an update can change, and a warm process would not notice."""
    return (
        function.code_sha_256,
        function.handler,
        function.run_time,
        function.timeout,
        function.memory_size,
        json.dumps(function.environment_vars, sort_keys=True),
        json.dumps(logging_config(function), sort_keys=True),
    )


def _warm(pool: _Pool) -> ExecutionEnvironment | None:
    while pool.idle:
        environment = pool.idle.pop()
        if environment.alive:
            return environment
        environment.close()
    return None


def _started(function: LambdaFunction) -> ExecutionEnvironment:
    task_folder = lambda_code.task_folder(function.code_bytes, function.code_sha_256)
    log_stream = f"{time.strftime('%Y/%m/%d')}/[{function.version}]{uuid.uuid4().hex}"
    logging = logging_config(function)
    variables = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in function.environment_vars.items()
    }
    variables |= {name: os.environ[name] for name in _INHERITED if name in os.environ}
    variables |= {
        "AWS_ACCESS_KEY_ID": function_access_key(function.function_name),
        "AWS_SECRET_ACCESS_KEY": "localaws",
        "AWS_SESSION_TOKEN": "localaws",
        "AWS_CONFIG_FILE": os.devnull,  # without HOME, botocore finds the developer's all the same
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
    return ExecutionEnvironment(str(function.handler), task_folder, variables, log_stream)
