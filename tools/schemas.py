"""Writes what docs/ has of the models: JSON Schemas of plans, service policies and notices; the outcomes."""

from __future__ import annotations

import ast
import inspect
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from tools.outcomes import outcomes

ROOT = Path(__file__).parent.parent
PLAN = ROOT / "docs" / "plan.schema.json"
SERVICE_POLICY = ROOT / "docs" / "service-policy.schema.json"
NOTICE = ROOT / "docs" / "notice.schema.json"
OUTCOMES = ROOT / "docs" / "outcomes.md"
sys.path.insert(0, str(ROOT / "functions"))


def schemas() -> dict[Path, str]:
    """The text of each file."""
    from slipway import image
    from slipway.notices import notice
    from slipway.release.plan import Plan
    from slipway.release.service_policy import ServicePolicy

    of_notice = notice.Notice.model_json_schema()
    for name, schema in {"Notice": of_notice, **of_notice["$defs"]}.items():
        _describe(schema, name, (notice, image))
    return {
        PLAN: _rendered(_strict(Plan.model_json_schema())),
        SERVICE_POLICY: _rendered(_strict(ServicePolicy.model_json_schema())),
        NOTICE: _rendered(of_notice),
        OUTCOMES: outcomes(),
    }


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of what `parse_written` reads, to which an unknown field is an error."""
    for each in (schema, *schema["$defs"].values()):
        if each.get("type") == "object":
            each["additionalProperties"] = False
    return schema


def _rendered(schema: dict[str, Any]) -> str:
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps({**dialect, **schema}, indent=2) + "\n"


def _describe(schema: dict[str, Any], name: str, modules: tuple[ModuleType, ...]) -> None:
    """Add the text below each field of the class. It is read here, so that no function has to read it at
    its start.
    """
    for module in modules:
        for made in ast.parse(inspect.getsource(module)).body:
            if isinstance(made, ast.ClassDef) and made.name == name:
                for field, text in zip(made.body, made.body[1:], strict=False):
                    match field, text:
                        case (
                            ast.AnnAssign(target=ast.Name(id=called)),
                            ast.Expr(value=ast.Constant(value=str(said))),
                        ):
                            schema["properties"][called]["description"] = inspect.cleandoc(said)


if __name__ == "__main__":
    for path, content in schemas().items():
        path.write_text(content)
