"""Starts and stops the local AWS: moto's server in this process, with the modules that replace parts of it.

It listens on 127.0.0.1 only. Its URL has the name localhost, which the SAM CLI and the SDKs' S3
addressing accept. Between start() and stop() the AWS settings of this process are replaced, so that
no call can leave the machine with a developer's credentials or reach a developer's endpoint.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.config import default_user_config
from moto.ec2.models.subnets import Subnet
from moto.moto_api._internal.models import moto_api_backend

from localaws import aws, caching, ecr, elbv2, servicediscovery, shared_dicts, sqs, ssm
from localaws.application import Application
from localaws.applicationautoscaling import scaling_policies
from localaws.autoscaling import autoscaling
from localaws.cloudformation import cloudformation
from localaws.cloudwatch import clock, cloudwatch, datapoints
from localaws.dynamodb import dynamodb
from localaws.ecs import ecs
from localaws.events import eventbridge, schedules
from localaws.faults import faults
from localaws.http import Server
from localaws.iam import sessions
from localaws.lambda_ import awslambda, event_source_mappings
from localaws.snapshot import snapshot
from localaws.sns import sns
from localaws.stepfunctions import jsonata, stepfunctions

_MODULES = (
    caching,
    shared_dicts,
    ecr,
    eventbridge,
    stepfunctions,
    jsonata,
    cloudformation,
    ecs,
    elbv2,
    autoscaling,
    scaling_policies,
    cloudwatch,
    sns,
    dynamodb,
    awslambda,
    event_source_mappings,
    servicediscovery,
    sessions,
    sqs,
    ssm,
)
_installed = False
_running = threading.Lock()


class LocalAws:
    """A local AWS. Only one can run at a time, because moto's state belongs to the process.

    It starts empty, or with the state that ``save`` wrote to the file ``saved``.
    """

    def __init__(self, port: int = 0, saved: Path | None = None) -> None:
        self._port = port
        self._saved = saved
        self._application = Application()
        self._undo = contextlib.ExitStack()
        self._others: set[threading.Thread] = set()  # threads that ran before
        self._save_to: Path | None = None  # where to save the state at the stop

    @property
    def url(self) -> str:
        """The URL of the local AWS, which is AWS_ENDPOINT_URL while it runs."""
        return f"http://localhost:{self._port}"

    def client(self, service: str) -> Any:
        """A boto3 client of this local AWS."""
        return aws.client(service)

    def ready(self, outputs: dict[str, str]) -> None:
        """Make ``GET /_localaws/ready`` answer with the stack's outputs: the stack is deployed."""
        self._application.outputs = outputs

    def start(self) -> None:
        """Listen and answer.

        Raises:
            OSError: the port is taken.
            RuntimeError: a local AWS runs in this process.
        """
        if not _running.acquire(blocking=False):
            raise RuntimeError(
                "a local AWS runs in this process: stop it first, or start the other in a process of its own"
            )
        self._others = set(threading.enumerate())
        with contextlib.ExitStack() as undo:  # undone in reverse order
            undo.callback(_running.release)
            server = self._listening()
            undo.callback(server.server_close)
            undo.callback(_restore, dict(os.environ))
            _use(self.url, self._port)
            undo.callback(aws.close_clients)
            _install()
            _empty()
            undo.callback(_empty)
            undo.callback(self._save)
            undo.callback(server.end_connections)
            undo.callback(faults.reset)  # ends requests that a fault holds
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="localaws")
            thread.start()
            undo.callback(thread.join)
            undo.callback(server.shutdown)
            datapoints.clear()
            awslambda.start()
            undo.callback(awslambda.stop)
            sns.start()
            undo.callback(sns.stop)
            if self._saved is not None:
                self._application.calls[:] = snapshot.restore(self._saved, self.url)
                cloudwatch.warm_up_anew()
            event_source_mappings.start()
            undo.callback(_stop_executions)
            ecs.start()
            undo.callback(ecs.stop)
            clock.start()
            undo.callback(clock.stop)
            schedules.start()
            undo.callback(schedules.stop)
            self._undo = undo.pop_all()

    def stop(self) -> None:
        """End every thread and process of the local AWS, and restore the environment."""
        self._undo.close()

    def save(self, file: Path) -> None:
        """Stop, and write the state to a file. Raises SnapshotError if it can't be saved."""
        snapshot.wait_for_rest(self._others)
        self._save_to = file
        self.stop()

    def _save(self) -> None:
        if self._save_to is not None:
            snapshot.save(self._save_to, self.url, self._application.calls)

    def _listening(self) -> Server:
        # Bound here, because werkzeug prints a message and exits if it can't bind.
        with socket.create_server(("127.0.0.1", self._port)) as listener:
            self._port = listener.getsockname()[1]
            return Server(listener, self._application)

    def __enter__(self) -> LocalAws:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _use(url: str, port: int) -> None:
    """Point every SDK, CLI and child process at the local AWS and at nothing else."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]  # also profiles, session tokens, endpoints of services
    os.environ.update(
        {
            "AWS_ACCESS_KEY_ID": "localaws",
            "AWS_SECRET_ACCESS_KEY": "localaws",
            "AWS_DEFAULT_REGION": aws.REGION,
            "AWS_REGION": aws.REGION,
            "AWS_ENDPOINT_URL": url,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",  # data-localhost does not resolve
            "NO_PROXY": "localhost,127.0.0.1",
            "MOTO_PORT": str(port),
            # Else each request looks its key up in the IAM of every partition, each with all of AWS's
            # policies: seconds, and most of a snapshot.
            "MOTO_ACCOUNT_ID": aws.ACCOUNT,
        }
    )


def _restore(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _stop_executions() -> None:
    """End all executions: each has a thread that may wait for days."""
    client = aws.client("stepfunctions")
    for machine in client.list_state_machines()["stateMachines"]:
        running = client.list_executions(
            stateMachineArn=machine["stateMachineArn"], statusFilter="RUNNING"
        )
        for execution in running["executions"]:
            client.stop_execution(executionArn=execution["executionArn"])


def _empty() -> None:
    """Drop moto's backends, and the cache of a method, which keeps its objects alive."""
    for backends in BackendDict._instances:  # type: ignore[misc]
        # There is nothing to close, and reset() would create it again, which takes a second for IAM.
        if backends.backend.reset is BaseBackend.reset:
            backends.clear()
    moto_api_backend.reset()
    Subnet._base_avail_ip_iterator.cache_clear()


def _install() -> None:
    global _installed
    if _installed:
        return
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    logging.getLogger("moto").setLevel(logging.ERROR)
    for module in _MODULES:
        module.install()
    _installed = True
