"""What the docs show is what the code takes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from slipway.plan import parse_plan
from tools import plan_schema

ROOT = Path(__file__).parent.parent.parent


def readme_plan() -> str:
    blocks = re.findall(r"```json\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return blocks[0]


def test_the_plans_schema_is_the_one_of_the_models() -> None:
    assert plan_schema.SCHEMA.read_text() == plan_schema.render()


def test_the_plan_in_the_readme_is_valid() -> None:
    assert parse_plan(readme_plan(), "shop/api").route_for("v2") is not None


def test_the_schema_takes_the_plan_in_the_readme_and_refuses_another() -> None:
    schema = json.loads(plan_schema.SCHEMA.read_text())
    jsonschema.validate(json.loads(readme_plan()), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"routes": [{"tags": ["v*"]}]}, schema)
