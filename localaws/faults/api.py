"""``/_localaws/faults``: the API of faults for other processes."""

from __future__ import annotations

import json
from typing import Any

from localaws.faults import faults

PATH = "/_localaws/faults"


def answer(method: str, path: str, body: bytes) -> tuple[Any, int]:
    """The JSON and the status that answer a request to PATH or below."""
    fault_id = path.removeprefix(PATH).strip("/")
    try:
        if method == "POST" and not fault_id:
            return {"id": faults.add(**_object(body))}, 200
        if method == "GET":
            return (faults.get(fault_id) if fault_id else faults.everything()), 200
        if method == "DELETE":
            return (faults.remove(fault_id) if fault_id else faults.clear()), 200
    except faults.FaultError as error:
        return {"message": str(error)}, 400
    except KeyError:
        return {"message": f"no such fault: {fault_id}"}, 404
    return {"message": f"{method} {path} is not known"}, 405


def _object(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body)
    except ValueError as error:
        raise faults.FaultError(f"not JSON: {error}") from error
    if not isinstance(given, dict):
        raise faults.FaultError("a fault is a JSON object")
    return given
