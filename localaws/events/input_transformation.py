"""The input of a target: Input, InputPath and InputTransformer of an EventBridge rule.

moto supports only the last, and only if the result is JSON without quotes in the values.
"""

from __future__ import annotations

import datetime
import json
import re
from typing import Any

from jsonpath_ng.ext import parse as jsonpath  # type: ignore[attr-defined]
from moto.events.models import Rule


def published(event: dict[str, Any]) -> dict[str, Any]:
    """The event without moto's own fields, and with its time in ISO 8601."""
    shown = {
        field: value
        for field, value in event.items()
        if field not in ("ingestion-time", "replay-name")
    }
    if isinstance(shown.get("time"), (int, float)):
        moment = datetime.datetime.fromtimestamp(shown["time"], datetime.UTC)
        shown["time"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return shown


def text(rule: Rule, target: dict[str, Any], event: dict[str, Any]) -> str:
    """The text that a target gets for an event."""
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return json.dumps(_at(target["InputPath"], event))
    if "InputTransformer" in target:
        return _transformed(rule, target["InputTransformer"], event)
    return json.dumps(event)


def _at(path: str, event: dict[str, Any]) -> Any:
    found = jsonpath(path).find(event)
    return found[0].value if found else None


def _transformed(rule: Rule, transformer: dict[str, Any], event: dict[str, Any]) -> str:
    values = {
        "aws.events.rule-arn": rule.arn,
        "aws.events.rule-name": rule.name,
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event": event,
        "aws.events.event.json": event,
    }
    for name, path in transformer.get("InputPathsMap", {}).items():
        values[name] = _at(path, event)
    quoted = False
    parts: list[str] = []
    for token in re.findall(r'\\.|<[\w.\-]+>|"|[\s\S]', transformer["InputTemplate"]):
        if token == '"':
            quoted = not quoted
        name = token[1:-1]
        if token.startswith("<") and name in values:
            parts.append(_quoted(values[name]) if quoted else _bare(values[name]))
        else:
            parts.append(token)
    return "".join(parts)


def _quoted(value: Any) -> str:
    """A variable within quotes, which are kept."""
    if value is None:
        return ""
    inner = value if isinstance(value, str) else json.dumps(value)
    return json.dumps(inner)[1:-1]


def _bare(value: Any) -> str:
    return '""' if value is None else json.dumps(value)
