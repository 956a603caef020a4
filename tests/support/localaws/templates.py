"""Small templates."""

from __future__ import annotations

import json
from typing import Any


def template(*published: str, **declared: tuple[str, dict[str, Any]]) -> str:
    """The declared resources; as outputs It, the Ref of the first, and attributes."""
    resources = {
        name: {"Type": f"AWS::{kind}", "Properties": properties}
        for name, (kind, properties) in declared.items()
    }
    shown = {"It": {"Value": {"Ref": next(iter(declared))}}}
    for path in published:
        shown[path.replace(".", "")] = {"Value": {"Fn::GetAtt": path}}
    return json.dumps({"Resources": resources, "Outputs": shown})
