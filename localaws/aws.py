"""What every module of the local AWS shares: its account, its clients to itself, its event bus."""

from __future__ import annotations

import json
import os
import threading
from typing import Any

import boto3
from botocore.config import Config

ACCOUNT = "123456789012"
REGION = "us-east-1"

_clients: dict[str, Any] = {}
_lock = threading.Lock()


def endpoint() -> str:
    """The URL of the running server, e.g. ``http://localhost:4566``.

    LocalAws.start() exports it as AWS_ENDPOINT_URL, where SDKs, the CLIs and the functions find it.
    """
    return os.environ["AWS_ENDPOINT_URL"]


def client(service: str) -> Any:
    """A boto3 client of the local AWS, one per service and endpoint; safe to share between threads."""
    key = f"{service} {endpoint()}"
    with _lock:  # boto3 sessions are not thread-safe; clients are
        if key not in _clients:
            session: Any = boto3.Session(  # Any: its overloads want the service's name as a literal
                aws_access_key_id="localaws", aws_secret_access_key="localaws", region_name=REGION
            )
            config = Config(
                retries={"total_max_attempts": 1}, max_pool_connections=64, read_timeout=900
            )
            _clients[key] = session.client(service, endpoint_url=endpoint(), config=config)
        return _clients[key]


def listed(value: Any) -> list[Any]:
    """What a policy may write as one thing or as several."""
    return value if isinstance(value, list) else [value]


def emit(source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
    """Put an event of an AWS service on the default event bus."""
    entry = {
        "Source": source,
        "DetailType": detail_type,
        "Detail": json.dumps(detail),
        "Resources": resources,
    }
    client("events").put_events(Entries=[entry])
