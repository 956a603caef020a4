"""Writes docs/plan.schema.json, the JSON Schema of a plan for editors, from the plan's models."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SCHEMA = ROOT / "docs" / "plan.schema.json"


def render() -> str:
    """The schema, as the file holds it."""
    sys.path.insert(0, str(ROOT / "functions"))
    from slipway.plan import Plan

    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Plan.model_json_schema()}
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(render())
