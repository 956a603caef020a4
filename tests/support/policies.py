"""The IAM policies of the functions' roles."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.account import Account

Statement = dict[str, Any]


def inline_policy(account: Account, step: str) -> tuple[str, str, list[Statement]]:
    """The role of a step's function, and the name and statements of the policy that the template writes."""
    name = account.functions()[step]
    found = account.aws.client("lambda").get_function(FunctionName=name)["Configuration"]["Role"]
    role, iam = found.rpartition("/")[2], account.aws.client("iam")
    # SAM adds another policy if the function has a failure destination.
    (policy,) = (
        name for name in iam.list_role_policies(RoleName=role)["PolicyNames"] if "Policy0" in name
    )
    document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    return role, policy, document["Statement"]


def actions(statement: Statement) -> list[str]:
    action = statement["Action"]
    return [action] if isinstance(action, str) else list(action)


@contextmanager
def changed(
    account: Account, step: str, change: Callable[[Statement], Statement]
) -> Iterator[None]:
    """A step with other statements in its policy, for a while."""
    role, policy, statements = inline_policy(account, step)

    def put(statements: list[Statement]) -> None:
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        account.aws.client("iam").put_role_policy(
            RoleName=role, PolicyName=policy, PolicyDocument=document
        )

    put([change(statement) for statement in statements])
    try:
        yield
    finally:
        put(statements)


def without(action: str) -> Callable[[Statement], Statement]:
    """Take one action out of a statement."""

    def change(statement: Statement) -> Statement:
        left = [a for a in actions(statement) if a != action]
        return {**statement, "Action": left or "none:Left"}

    return change
