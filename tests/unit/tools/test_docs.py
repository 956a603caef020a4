"""What the docs show is what the code takes."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from samcli.yamlhelper import yaml_parse as parse

from slipway.release.plan import parse_plan
from slipway.release.service_policy import parse_service_policy
from tests.support.notices import NOTICES
from tests.support.paths import REPO
from tools import schemas

PAGES = sorted([*REPO.glob("*.md"), *REPO.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(
    r"`((?:docs|environment|events|functions|localaws|statemachine|tests|tools)/[\w./-]*"
    r"|[\w.-]+\.(?:toml|ya?ml))`"
)
MADE_BY_READERS = {"deploy.toml"}
PLAN_PAGES = ("README.md", "docs/plan.md")


def json_in(page: str, holding: str) -> list[str]:
    """The JSON blocks of a page that have this field."""
    blocks = re.findall(r"```json\n(.*?)```", (REPO / page).read_text(), re.DOTALL)
    found = [str(block) for block in blocks if holding in json.loads(block)]
    assert found, f"{page} shows no {holding}"
    return found


def rows(page: str, first: str) -> dict[str, str]:
    """Of every table whose second column is the default: the default, by what the first column names."""
    tables = re.findall(rf"\| {first} \| default \|.*\n((?:\|.*\n)+)", (REPO / page).read_text())
    cells = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", "".join(tables), re.MULTILINE)
    return {name: default.strip("`") for name, default in cells}


def anchors(page: Path) -> set[str]:
    """What a link to a heading of the page may name, as GitHub makes it of the heading."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def missing(page: Path) -> list[str]:
    """The links and paths of the page that lead nowhere."""
    text = page.read_text()
    lost = [p for p in PATH.findall(text) if p not in MADE_BY_READERS and not _is_there(p, page)]
    for link in LINK.findall(text):
        if link.startswith("http"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    return lost


def _is_there(path: str, page: Path) -> bool:
    beside = "/" not in path and any(REPO.glob(f"*/{path}"))  # a template of environment/
    return beside or (REPO / path).exists() or (page.parent / path).exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_every_link_and_path_of_a_page_leads_somewhere(page: Path) -> None:
    assert missing(page) == []


SHORT = ("/slipway/images/", "/slipway/slack")
"""Parameters that never need the advanced tier."""


def test_every_command_that_puts_a_plan_or_a_freeze_takes_the_tier_that_it_needs() -> None:
    puts = [
        put.partition("--value")[0]
        for page in PAGES
        for put in page.read_text().split("aws ssm put-parameter ")[1:]
    ]
    long = [put for put in puts if not any(f"--name {name}" in put for name in SHORT)]
    assert len(long) >= 5
    assert [put for put in long if "--tier Intelligent-Tiering" not in put] == []


def test_a_link_or_path_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One\n`tests/gone.py`, `docs/plan.md`, [a](gone.md), [b](#one), [c](#two), [d](https://x.org)"
    )
    assert missing(page) == ["tests/gone.py", "gone.md", "#two"]


def test_the_pages_of_parameters_have_every_parameter_with_its_default() -> None:
    template = parse((REPO / "template.yaml").read_text())["Parameters"]
    defaults = {
        name: str(parameter["Default"]) or "none"
        for name, parameter in template.items()
        if name != "InstanceImage"  # its default is a path that says nothing to people
    }
    shown = rows("docs/parameters.md", "parameter") | rows("docs/environment.md", "parameter")
    shown.pop("InstanceImage")
    assert shown == defaults


def test_the_page_of_the_plan_has_every_option_with_its_default() -> None:
    schema = json.loads(schemas.PLAN.read_text())["$defs"]
    options = schema["Route"]["properties"] | schema["PlannedService"]["properties"]
    required = {*schema["Route"]["required"], *schema["PlannedService"]["required"]}
    defaults = {
        name: "required" if name in required else str(option["default"] or "none")
        for name, option in options.items()
    }
    shown = rows("docs/plan.md", "of a route") | rows("docs/plan.md", "of a service")
    assert shown == {name: "none" if d == "[]" else d for name, d in defaults.items()}


def test_the_page_of_the_plan_has_every_option_of_a_service_policy() -> None:
    options = json.loads(schemas.SERVICE_POLICY.read_text())["properties"]
    shown = rows("docs/plan.md", "of a service policy")
    assert shown == dict.fromkeys(options, "none") | {"repositories": "required"}


def test_the_policy_of_the_page_of_the_plan_is_valid() -> None:
    [policy] = json_in("docs/plan.md", "repositories")
    assert parse_service_policy(policy, "production/api").repositories == ("shop/api",)


@pytest.mark.parametrize("path", schemas.schemas(), ids=lambda path: path.name)
def test_every_schema_equals_the_one_that_the_models_generate(path: Path) -> None:
    assert path.read_text() == schemas.schemas()[path], "make schema"


@pytest.mark.parametrize("page", PLAN_PAGES)
def test_every_plan_of_a_page_is_valid(page: str) -> None:
    for plan in json_in(page, "routes"):
        assert parse_plan(plan, "shop/api").route_for("v2") is not None


@pytest.mark.parametrize("page", PLAN_PAGES)
def test_the_schema_takes_the_plan_of_a_page_and_refuses_another(page: str) -> None:
    schema = json.loads(schemas.PLAN.read_text())
    for plan in json_in(page, "routes"):
        jsonschema.validate(json.loads(plan), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"routes": [{"tags": ["v*"]}]}, schema)


@cache
def notice_validator(*, strict: bool) -> Any:
    """Made once: `jsonschema.validate` would check the schema itself for each notice."""
    schema = json.loads(schemas.NOTICE.read_text())
    for each in (schema, *schema["$defs"].values()) if strict else ():
        each["additionalProperties"] = each.get("additionalProperties", False)
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)


@pytest.mark.parametrize("name", NOTICES)
def test_the_schema_of_notices_has_every_field_and_takes_those_of_a_later_version(
    name: str,
) -> None:
    notice = json.loads(json.dumps(NOTICES[name].to_json()))
    notice_validator(strict=False).validate(notice | {"of a later version": 1})
    notice_validator(strict=True).validate(notice)


def test_the_schema_of_notices_says_what_each_field_means() -> None:
    schema = json.loads(schemas.NOTICE.read_text())
    assert schema["properties"]["about"]["description"].startswith("Equal for every notice")
    assert schema["$defs"]["Command"]["properties"]["title"]["description"]
