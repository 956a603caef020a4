"""From the text of a template to the resources that it declares.

moto runs no transform and checks little. Here the text is parsed, SAM's own translator runs if the
template asks for it, and everything that can be checked without creating a resource is checked before
one is created.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import boto3
import yaml
from moto.cloudformation.utils import get_stack_from_s3_url
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.s3.exceptions import MissingBucket
from samtranslator.model.exceptions import (  # type: ignore[import-untyped]
    InvalidDocumentException,
)
from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]
from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]

from localaws.aws import ACCOUNT, REGION
from localaws.cloudformation.engine import yaml_loader
from localaws.cloudformation.engine.intrinsics import evaluate_conditions
from localaws.cloudformation.engine.parameters import Given, given_values, typed_values
from localaws.cloudformation.engine.syntax import invalid, prune
from localaws.cloudformation.engine.validation import check, check_references, in_order

SAM = "AWS::Serverless-2016-10-31"
_SECTIONS = frozenset(
    {
        "AWSTemplateFormatVersion",
        "Conditions",
        "Description",
        "Globals",
        "Mappings",
        "Metadata",
        "Outputs",
        "Parameters",
        "Resources",
        "Transform",
    }
)


class _Loader(yaml_loader.Loader):
    """Reads CloudFormation's short forms of intrinsic functions, too."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        raise invalid(f"Template format error: !{suffix} needs a string or a list")
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


@dataclass(frozen=True)
class Desired:
    """The desired state of a stack."""

    body: str
    template: dict[str, Any]
    """The template after the transform."""
    given: dict[str, str]
    """The text of the parameters."""
    values: dict[str, Any]
    """The typed values of parameters and pseudo parameters."""
    resources: dict[str, dict[str, Any]]
    """The resources whose conditions hold, pruned and in the order of their dependencies."""
    outputs: dict[str, dict[str, Any]]
    tags: dict[str, str]

    @property
    def mappings(self) -> dict[str, Any]:
        """The template's Mappings."""
        mappings: dict[str, Any] = self.template.get("Mappings", {})
        return mappings


class _BeforeResources:
    """The scope of conditions, which may use parameters but no resources."""

    def __init__(self, values: Mapping[str, Any], mappings: Mapping[str, Any]) -> None:
        self.values = values
        self.mappings = mappings

    def physical_id(self, logical_id: str) -> str:
        raise invalid(f"Template error: a condition cannot refer to {logical_id}")

    def attribute(self, logical_id: str, name: str) -> Any:
        raise invalid(f"Template error: a condition cannot refer to {logical_id}.{name}")

    def imported(self, export: str) -> Any:
        raise invalid(f"Template error: a condition cannot import {export}")


@lru_cache(maxsize=32)
def _loaded(body: str) -> Any:
    # A template of Slipway takes a quarter of a second, and each stack has its own several times.
    return yaml.load(body, Loader=_Loader)


def parse(body: str) -> dict[str, Any]:
    """Parse the text of a template."""
    try:
        template = copy.deepcopy(_loaded(body))
    except yaml_loader.AliasError as error:
        message = f"YAML aliases are not allowed in CloudFormation templates: {error}"
        raise invalid(f"Template error: {message}") from error
    except yaml.YAMLError as error:
        raise invalid(f"Template format error: {error}") from error
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        raise invalid("Template format error: At least one Resources member must be defined.")
    if unknown := sorted(template.keys() - _SECTIONS):
        raise invalid(f"The local AWS does not support {', '.join(unknown)} in a template")
    return template


def template_body(request: dict[str, Any], previous: Desired | None = None) -> str:
    """The text of the template in a request, or of the previous one."""
    if request.get("TemplateURL"):
        return _from_s3(request["TemplateURL"])
    if request.get("TemplateBody"):
        return str(request["TemplateBody"])
    if request.get("UsePreviousTemplate") and previous:
        return previous.body
    raise invalid("Either Template URL or Template Body must be specified.")


def _from_s3(url: str) -> str:
    try:
        return get_stack_from_s3_url(url, ACCOUNT, "aws")
    except (AttributeError, MissingBucket) as error:  # moto does not check that the key exists
        raise invalid(f"S3 error: there is no template at {url}") from error


def transforms(template: Mapping[str, Any]) -> list[str]:
    """The transforms that the template declares."""
    declared = template.get("Transform", [])
    return declared if isinstance(declared, list) else [declared]


def read(
    body: str,
    parameters: Given,
    previous: Mapping[str, str],
    pseudo: dict[str, Any],
    tags: dict[str, str],
) -> Desired:
    """The desired state that the template declares with these parameters.

    Raises a ValidationError that says what is wrong with the template.
    """
    template = parse(body)
    declared = template.get("Parameters", {})
    given = given_values(declared, parameters, previous)
    values = {**typed_values(declared, given), **pseudo}
    template = _transform(template, given)
    check(template, values)
    scope = _BeforeResources(values, template.get("Mappings", {}))
    conditions = evaluate_conditions(template.get("Conditions", {}), scope)

    def live(section: str) -> dict[str, Any]:
        return {
            name: prune(item, conditions)
            for name, item in template.get(section, {}).items()
            if "Condition" not in item or _condition(conditions, name, item["Condition"])
        }

    resources, outputs = live("Resources"), live("Outputs")
    check_references(resources, outputs, values)
    return Desired(body, template, given, values, in_order(resources), outputs, tags)


def _transform(template: dict[str, Any], given: dict[str, str]) -> dict[str, Any]:
    declared = transforms(template)
    if unknown := [name for name in declared if name != SAM]:
        raise invalid(f"The local AWS does not support the transform {unknown[0]}")
    if not declared:
        return template
    session = boto3.Session(region_name=REGION)
    translator = Translator(_managed_policies(), Parser(), boto_session=session)
    try:
        translated = translator.translate(copy.deepcopy(template), given)
    except InvalidDocumentException as error:
        causes = " ".join([error.message, *(cause.message for cause in error.causes)])
        raise invalid(f"Transform {SAM} failed with: {causes}") from error
    plain: dict[str, Any] = json.loads(json.dumps(translated))
    return {name: section for name, section in plain.items() if name != "Transform"}


def _managed_policies() -> dict[str, str]:
    """The ARNs of AWS's managed policies by the names that a SAM template may use."""
    return {
        name: f"arn:aws:iam::aws:policy{policy['Path']}{name}"
        for name, policy in json.loads(aws_managed_policies_data).items()
    }


def _condition(conditions: Mapping[str, bool], name: str, condition: str) -> bool:
    if condition not in conditions:
        raise invalid(f"Template format error: Unresolved dependency {condition} of {name}")
    return conditions[condition]
