"""The IAM policies of the functions' roles."""

from __future__ import annotations

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
