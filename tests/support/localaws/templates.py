"""Small templates of CloudFormation."""

from __future__ import annotations

import json
from typing import Any


def template(*published: str, **declared: tuple[str, dict[str, Any]]) -> str:
    """A template of resources, with the Ref of the first one (``It``) and attributes as outputs.

    Args:
        published: attributes as ``LogicalId.Attribute``; their outputs have the same name without the dot.
        declared: type without ``AWS::`` and properties, by logical id.
    """
    resources = {
        name: {"Type": f"AWS::{kind}", "Properties": properties}
        for name, (kind, properties) in declared.items()
    }
    shown = {"It": {"Value": {"Ref": next(iter(declared))}}}
    for path in published:
        shown[path.replace(".", "")] = {"Value": {"Fn::GetAtt": path}}
    return json.dumps({"Resources": resources, "Outputs": shown})
