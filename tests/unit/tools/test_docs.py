"""What the docs show is what the code takes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from slipway.notices.own_alarms import CHAPTER
from slipway.release.plan import parse_plan
from tests.support.notices import NOTICES
from tests.support.paths import REPO
from tools import schemas


def readme_plan() -> str:
    blocks = re.findall(r"```json\n(.*?)```", (REPO / "README.md").read_text(), re.DOTALL)
    return blocks[0]


@pytest.mark.parametrize("path", schemas.schemas(), ids=lambda path: path.name)
def test_a_schema_is_the_one_of_the_models(path: Path) -> None:
    assert path.read_text() == schemas.schemas()[path], "make schema"


def test_the_plan_in_the_readme_is_valid() -> None:
    assert parse_plan(readme_plan(), "shop/api").route_for("v2") is not None


def test_the_schema_takes_the_plan_in_the_readme_and_refuses_another() -> None:
    schema = json.loads(schemas.PLAN.read_text())
    jsonschema.validate(json.loads(readme_plan()), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"routes": [{"tags": ["v*"]}]}, schema)


@pytest.mark.parametrize("name", NOTICES)
def test_the_schema_of_notices_takes_every_kind_and_refuses_what_no_notice_has(name: str) -> None:
    schema = json.loads(schemas.NOTICE.read_text())
    notice = json.loads(json.dumps(NOTICES[name].to_json()))
    jsonschema.validate(notice, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(notice | {"surprise": 1}, schema)


def test_the_schema_of_notices_says_what_each_field_means() -> None:
    schema = json.loads(schemas.NOTICE.read_text())
    assert schema["properties"]["about"]["description"].startswith("Equal for everything")
    assert schema["$defs"]["Command"]["properties"]["title"]["description"]


def test_the_chapter_that_alarms_point_to_is_there() -> None:
    assert f"\n## {CHAPTER}\n" in (REPO / "docs" / "operations.md").read_text()
