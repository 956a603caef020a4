"""DynamoDB: a conditional write is atomic, as a lock in a table needs it.

moto reads the item, evaluates the condition and writes in three steps, and its server runs
requests in threads: two writers with the condition "not there yet" can both win. One lock around
every action makes them take turns.
"""

from __future__ import annotations

import threading
from typing import Any

from moto.dynamodb.responses import DynamoHandler


def install() -> None:
    """Serialize DynamoDB's actions."""
    lock = threading.RLock()
    call_action = DynamoHandler.call_action

    def call_action_alone(self: DynamoHandler) -> Any:
        with lock:
            return call_action(self)

    DynamoHandler.call_action = call_action_alone  # type: ignore[method-assign]
