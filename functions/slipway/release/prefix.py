"""Reserves the prefix of a stack's SSM parameters, so that no second stack has it.

Two stacks with one prefix would deploy by the same plans, each with a ledger of its own. Neither would know
what the other one has done, and the later one to deploy could put an older version back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from slipway.aws import calling, error_code
from slipway.errors import AwsRefused, InvalidInput
from slipway.release.parameters import read_parameter

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


def reserve_prefix(name: str, stack: str, ssm: SSMClient) -> None:
    """Create the parameter that says which stack has the prefix; nothing is changed if this stack has it.

    Args:
        name: of the parameter, ``<prefix>/slipway-stack``.
        stack: the stack's ID, which no later stack of the same name has.

    Raises:
        InvalidInput: another stack has the prefix. The message names that stack.
        AwsUnavailable, AwsRefused: from SSM.
    """
    try:
        with calling("ssm:PutParameter", name):
            ssm.put_parameter(Name=name, Value=stack, Type="String")
    except AwsRefused as refused:
        if error_code(refused.__cause__) != "ParameterAlreadyExists":
            raise
        holder = read_parameter(name, ssm)
        if holder != stack:
            raise InvalidInput(_taken(name, holder)) from refused


def free_prefix(name: str, stack: str, ssm: SSMClient) -> None:
    """Delete the parameter, unless another stack has the prefix.

    CloudFormation also asks to delete a resource whose creation has failed, as it does if another stack has
    the prefix.

    Raises:
        AwsUnavailable, AwsRefused: from SSM.
    """
    if read_parameter(name, ssm) != stack:
        return
    try:
        with calling("ssm:DeleteParameter", name):
            ssm.delete_parameter(Name=name)
    except AwsRefused as refused:
        if error_code(refused.__cause__) != "ParameterNotFound":
            raise


def _taken(name: str, holder: str | None) -> str:
    prefix = name.rpartition("/")[0]
    if holder is None:
        return f"ParameterPrefix {prefix} was in use until a moment ago: try again"
    stack = holder.split("/")[1] if holder.count("/") == 2 else holder
    return (
        f"stack {stack} has ParameterPrefix {prefix} already: choose another ParameterPrefix for this stack. "
        f"If that stack ({holder}) no longer exists, delete SSM parameter {name}"
    )
