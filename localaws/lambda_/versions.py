"""Published versions of functions, and the aliases that name them.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html: a version keeps the code and the
configuration that the function had when it was published. moto shares both with the function, publishes
a version although nothing has changed, gives the number of a deleted version again, deletes a version
that an alias names, and has one policy for a function and all of its versions and aliases.

Aliases that share traffic between versions are NotImplemented.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import unquote

from moto.awslambda.exceptions import InvalidParameterValueException, LambdaClientError
from moto.awslambda.models import LambdaAlias, LambdaBackend, LambdaFunction, LambdaStorage
from moto.awslambda.policy import Policy
from moto.awslambda.responses import LambdaResponse

LATEST = "$LATEST"
_ALIAS = re.compile(r"(?!^[0-9]+$)[A-Za-z0-9_-]{1,128}")

# moto's LambdaFunction.invoke and _invoke_lambda don't know by which name they were called.
_invoked_as: ContextVar[str | None] = ContextVar("invoked_as", default=None)


class ConflictError(LambdaClientError):
    """What is to be deleted is in use."""

    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ResourceConflictException", message)


def unqualified(arn: str) -> str:
    """The ARN of the function itself, from that of a version or an alias."""
    return ":".join(arn.split(":")[:7])


def invoked_arn(function: LambdaFunction) -> str:
    """The ARN by which the invocation in this thread was requested, with its qualifier."""
    return _invoked_as.get() or str(function.function_arn)


@contextmanager
def invoked_as(arn: str) -> Iterator[None]:
    """Let the invocations in this thread have been requested by this ARN."""
    before = _invoked_as.set(arn)
    try:
        yield
    finally:
        _invoked_as.reset(before)


def published(backend: LambdaBackend, function: LambdaFunction) -> list[LambdaFunction]:
    """The published versions of a function, oldest first."""
    return list(backend._lambdas._functions[function.function_name]["versions"])


def policy_statements(backend: LambdaBackend, arn: str) -> list[dict[str, Any]]:
    """The statements of the resource-based policy of exactly this function, version or alias."""
    return list(_policy_of(backend, arn, None).statements)


def _split(name_or_arn: str, qualifier: str | None) -> tuple[str, str | None]:
    """The name of the function and the qualifier, which may be a part of the name."""
    name = name_or_arn.rpartition(":function:")[2]
    name, _, own = name.partition(":")
    return name, own or qualifier


# --- versions -------------------------------------------------------------------------------------


def _content(function: LambdaFunction) -> dict[str, Any]:
    """What a version keeps: everything but what belongs to all versions or identifies one."""
    configuration = copy.deepcopy(function.get_configuration())
    for name in ("FunctionArn", "LastModified", "Version"):
        del configuration[name]
    return configuration


def _publish(self: LambdaStorage, name_or_arn: str, description: str = "") -> LambdaFunction:
    function = self.get_function_by_name_or_arn_forbid_qualifier(name_or_arn)
    known = self._functions[function.function_name]
    content = _content(function)
    if known["versions"] and known["versions"][-1].published_from == content:
        return known["versions"][-1]  # type: ignore[no-any-return]
    known["published"] = known.get("published", 0) + 1
    version: Any = copy.copy(function)
    version.published_from = content
    version.code, version.kept = dict(function.code), copy.deepcopy(function.kept)  # type: ignore[attr-defined]
    version.environment_vars = dict(function.environment_vars)
    version.event_invoke_config, version.tags = [], {}
    version.set_version(known["published"])
    version.policy = Policy(version)
    version.description = description or function.description
    known["versions"].append(version)
    self._arns[version.function_arn] = version
    return version  # type: ignore[no-any-return]


_list = LambdaBackend.list_versions_by_function


def _list_versions(self: LambdaBackend, function_name: str) -> Iterable[LambdaFunction]:
    name, _ = _split(unquote(function_name), None)
    return _list(self, self.get_function(name).function_name)


def _of_latest_only(original: Any) -> Any:
    def checked(self: LambdaBackend, function_name: str, qualifier: str, body: Any) -> Any:
        if self.get_function(function_name, qualifier).version != LATEST:
            raise InvalidParameterValueException(
                "Current operation does not support versions other than $LATEST."
            )
        if body.get("Publish"):
            raise NotImplementedError("Lambda: Publish with an update of a function")
        return original(self, function_name, qualifier, body)

    return checked


def _unless_named(original: Any) -> Any:
    """Refuse to delete a version that an alias names, and what is no version."""

    def delete(self: LambdaBackend, function_name: str, qualifier: str | None = None) -> None:
        name, qualifier = _split(function_name, qualifier)
        if qualifier is not None:
            version = str(self.get_function(name, qualifier).version)
            if version == LATEST:
                raise InvalidParameterValueException(
                    "$LATEST version cannot be deleted without deleting the function."
                )
            if qualifier != version:
                raise InvalidParameterValueException(f"{qualifier} is an alias, not a version.")
            named = [a.name for a in self.list_aliases(name) if a.function_version == version]
            if named:
                raise ConflictError(
                    "Unable to delete version because the following aliases reference it:"
                    f" [{', '.join(named)}]"
                )
        original(self, name, qualifier)

    return delete


def _of_all_versions(original: Any) -> Any:
    """Reserve concurrency for a function, which all of its versions share."""

    def reserve(self: LambdaBackend, function_name: str, *reserved: Any) -> Any:
        answer = original(self, function_name, *reserved)
        for version in published(self, self.get_function(function_name)):
            version.reserved_concurrency = answer
        return answer

    return reserve


# --- aliases --------------------------------------------------------------------------------------

_create_alias = LambdaBackend.create_alias
_update_alias = LambdaBackend.update_alias


def _check_alias(version: str | None, routing: Any) -> None:
    if routing:
        raise NotImplementedError("Lambda: RoutingConfig of an alias")
    if version is not None and not re.fullmatch(r"\$LATEST|[0-9]+", version):
        raise InvalidParameterValueException(f"{version} is not the number of a version.")


def _make_alias(
    self: LambdaBackend,
    name: str,
    function_name: str,
    function_version: str,
    description: str,
    routing_config: str,
) -> LambdaAlias:
    _check_alias(function_version, routing_config)
    if not _ALIAS.fullmatch(name):
        raise InvalidParameterValueException(f"{name} is no name for an alias.")
    alias: Any = _create_alias(
        self, name, function_name, function_version, description, routing_config
    )
    alias.function_arn = alias.arn  # which its policy reads
    alias.policy = Policy(alias)
    return alias  # type: ignore[no-any-return]


def _change_alias(
    self: LambdaBackend,
    name: str,
    function_name: str,
    function_version: str,
    description: str,
    routing_config: str,
) -> LambdaAlias:
    _check_alias(function_version, routing_config)
    return _update_alias(self, name, function_name, function_version, description, routing_config)


# --- policies -------------------------------------------------------------------------------------


def _policy_of(self: LambdaBackend, function_name: str, qualifier: str | None) -> Policy:
    name, qualifier = _split(function_name, qualifier)
    function = self.get_function(name, qualifier)  # raises the error if there is none
    if qualifier in (None, LATEST, str(function.version)):
        return function.policy
    alias: Any = self.get_alias(str(qualifier), name)
    return alias.policy  # type: ignore[no-any-return]


def _add_permission(
    self: LambdaBackend, function_name: str, qualifier: str, raw: str
) -> dict[str, Any]:
    statement, _ = _policy_of(self, function_name, qualifier).add_statement(raw)
    return statement  # type: ignore[no-any-return]


def _get_policy(self: LambdaBackend, function_name: str, qualifier: str | None = None) -> str:
    return _policy_of(self, function_name, qualifier).wire_format()


def _remove_permission(self: LambdaResponse) -> tuple[int, dict[str, Any], str]:
    function, _, statement = self.path.split("/")[-3:]
    qualifier = self._get_param("Qualifier")
    policy = _policy_of(self.backend, unquote(function), qualifier)
    policy.del_statement(unquote(statement), self._get_param("RevisionId") or "")
    return 204, {"status": 204}, ""


# --- invocations ----------------------------------------------------------------------------------


def _invoke(
    self: LambdaBackend,
    function_name: str,
    qualifier: str | None,
    body: Any,
    headers: Any,
    response_headers: Any,
) -> bytes:
    name, qualifier = _split(function_name, qualifier)
    function = self.get_function(name, qualifier)
    arn = unqualified(function.function_arn)
    with invoked_as(f"{arn}:{qualifier}" if qualifier else arn):
        payload: Any = function.invoke(body, headers, response_headers)
    response_headers["Content-Length"] = str(len(payload))
    response_headers["X-Amz-Executed-Version"] = str(function.version)
    return payload  # type: ignore[no-any-return]


_answer = LambdaResponse.invoke


def _invoke_qualified(self: LambdaResponse) -> Any:
    # moto looks for a parameter of another name, and so would invoke $LATEST.
    self.querystring["qualifier"] = self.querystring.get("Qualifier", [None])
    return _answer(self)


def _publish_version(self: LambdaResponse) -> tuple[int, dict[str, Any], str]:
    for condition in ("CodeSha256", "RevisionId"):
        if self._get_param(condition):
            raise NotImplementedError(f"Lambda PublishVersion: {condition}")
    return _publish_by_request(self)  # type: ignore[return-value]


_publish_by_request = LambdaResponse.publish_version


def install() -> None:
    """Keep versions apart from their function, and from each other."""
    LambdaStorage.publish_version = _publish  # type: ignore[method-assign]
    backend: Any = LambdaBackend
    for name, checked in (
        ("update_function_code", _of_latest_only),
        ("update_function_configuration", _of_latest_only),
        ("delete_function", _unless_named),
        ("put_function_concurrency", _of_all_versions),
        ("delete_function_concurrency", _of_all_versions),
    ):
        setattr(backend, name, checked(getattr(backend, name)))
    backend.list_versions_by_function = _list_versions
    backend.create_alias = _make_alias
    backend.update_alias = _change_alias
    backend.add_permission = _add_permission
    backend.get_policy = _get_policy
    backend.invoke = _invoke
    LambdaResponse.invoke = _invoke_qualified  # type: ignore[method-assign]
    LambdaResponse.remove_permission = _remove_permission  # type: ignore[method-assign]
    LambdaResponse.publish_version = _publish_version  # type: ignore[method-assign]
