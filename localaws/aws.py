"""What all modules of the local AWS share: the account, clients of the local AWS, and its event
bus.
"""

from __future__ import annotations

import json
import os
import threading
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from moto.events.models import events_backends

from localaws import changes

ACCOUNT = "123456789012"
REGION = "us-east-1"

_clients: dict[str, Any] = {}
_lock = threading.Lock()  # boto3 sessions are not thread-safe, clients are


def endpoint() -> str:
    """The URL of the running server, for example ``http://localhost:4566``.

    LocalAws.start() sets it as AWS_ENDPOINT_URL, which SDKs, CLIs and the functions read.
    """
    return os.environ["AWS_ENDPOINT_URL"]


def client(service: str) -> Any:
    """A boto3 client of the local AWS, one per service and endpoint. Threads may share it."""
    key = f"{service} {endpoint()}"
    with _lock:
        if key not in _clients:
            _clients[key] = _made(service, max_pool_connections=64)
        return _clients[key]


def new_client(service: str) -> Any:
    """A client that is not shared, for a caller that adds handlers to it."""
    with _lock:
        return _made(service)


def close_clients() -> None:
    """Close and drop the clients of a local AWS that has stopped, with their connections and
    memory.
    """
    with _lock:
        for each in _clients.values():
            each.close()
        _clients.clear()


def _made(service: str, **options: Any) -> Any:
    config = Config(retries={"total_max_attempts": 1}, read_timeout=900, **options)
    return session().client(service, endpoint_url=endpoint(), config=config)


@cache
def session() -> Any:  # boto3's overloads need literal service names
    """The only session of this process, so that the models of services and endpoints are read
    once.
    """
    return boto3.Session(
        aws_access_key_id="localaws", aws_secret_access_key="localaws", region_name=REGION
    )


def listed(value: Any) -> list[Any]:
    """The items of a policy element, which is either a list or a single item."""
    return value if isinstance(value, list) else [value]


def emit(source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
    """Put an event of an AWS service on the default event bus."""
    entry = {
        "Source": source,
        "DetailType": detail_type,
        "Detail": json.dumps(detail),
        "Resources": resources,
    }
    # A request of this process to itself would take five times as long, and ECS alone emits hundreds.
    events_backends[ACCOUNT][REGION].put_events([entry])
    changes.announce()
