"""Reads SSM parameters, and the plans and policies in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.parameters import SSMProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from slipway.aws import calling, error_code
from slipway.errors import AwsRefused
from slipway.release.parameter_names import plan_parameter, service_parameter
from slipway.release.plan import Plan, parse_plan
from slipway.release.service_policy import ServicePolicy, parse_service_policy

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


def read_parameter(name: str, ssm: SSMClient) -> str | None:
    """The text of a parameter, or None if there is no such parameter.

    Raises:
        AwsUnavailable, AwsRefused: from SSM.
    """
    try:
        with calling("ssm:GetParameter", name):
            try:
                # Powertools caches a parameter for five seconds, but a new plan must count at once.
                return str(SSMProvider(boto3_client=ssm).get(name, force_fetch=True))
            except GetParameterError as error:
                raise (error.__context__ or error) from None
    except AwsRefused as error:
        if error_code(error.__cause__) == "ParameterNotFound":
            return None
        raise


def read_plan(repository: str, ssm: SSMClient) -> Plan | None:
    """The plan of a repository, or None if the repository has none.

    Raises:
        InvalidInput: the parameter does not hold a valid plan.
        AwsUnavailable, AwsRefused: from SSM.
    """
    text = read_parameter(plan_parameter(repository), ssm)
    return None if text is None else parse_plan(text, repository)


def read_service_policy(service: str, ssm: SSMClient) -> ServicePolicy | None:
    """The policy of a service, or None if the service has none.

    Raises:
        InvalidInput: the parameter does not hold a valid policy.
        AwsUnavailable, AwsRefused: from SSM.
    """
    text = read_parameter(service_parameter(service), ssm)
    return None if text is None else parse_service_policy(text, service)
