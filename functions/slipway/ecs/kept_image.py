"""Keeps the last good image of a service in an SSM parameter, for the template that creates the service.

At each update of a stack, CloudFormation sends ECS every property of the service, including the task
definition (https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1529). A template
that names an image would put that image back on the service. So environment/service.yaml takes the image
from a parameter of the service's own, ``/slipway/images/<cluster>/<service>``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from slipway.aws import calling, error_code
from slipway.ecs.task_definition import containers_for, read_task_definition
from slipway.errors import AwsRefused, AwsUnavailable, InvalidInput
from slipway.release.parameters import read_parameter
from slipway.release.release import Deployment

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ssm import SSMClient

PARAMETER_PREFIX = "/slipway/images/"


def keep_image(
    deployment: Deployment, task_definition: str, ecs: ECSClient, ssm: SSMClient
) -> str | None:
    """Write the image of a good task definition to the service's parameter, if it has one.

    A good deployment stays good if this fails, so an error is returned and not raised.

    Args:
        task_definition: the ARN of the good revision.

    Returns:
        A sentence for people that says what failed and what to do, or None.
    """
    name = PARAMETER_PREFIX + deployment.service
    try:
        kept = read_parameter(name, ssm)
        if kept is None:
            return None
        image = _image(deployment, task_definition, ecs)
        if image != kept:
            with calling("ssm:PutParameter", name):
                ssm.put_parameter(Name=name, Value=image, Overwrite=True)
    except (AwsUnavailable, AwsRefused, InvalidInput) as error:
        return (
            f"SSM parameter {name} could not be brought to the image that is good ({error}); put it there "
            "before the service's stack is updated, or the update puts another one on the service"
        )
    return None


def put_first_image(name: str, image: str, ssm: SSMClient) -> None:
    """Create the parameter, unless it exists: an existing one keeps its value.

    Raises:
        AwsUnavailable, AwsRefused: from SSM.
    """
    with _unless("ParameterAlreadyExists"), calling("ssm:PutParameter", name):
        ssm.put_parameter(Name=name, Value=image, Type="String")


def forget_image(name: str, ssm: SSMClient) -> None:
    """Delete the parameter, if it exists.

    Raises:
        AwsUnavailable, AwsRefused: from SSM.
    """
    with _unless("ParameterNotFound"), calling("ssm:DeleteParameter", name):
        ssm.delete_parameter(Name=name)


@contextmanager
def _unless(code: str) -> Iterator[None]:
    try:
        yield
    except AwsRefused as refused:
        if error_code(refused.__cause__) != code:
            raise


def _image(deployment: Deployment, task_definition: str, ecs: ECSClient) -> str:
    revision = read_task_definition(task_definition, ecs)
    image, container = deployment.release.image, deployment.policy.container
    chosen = containers_for(revision.content, image, container, deployment.service)
    return revision.images[chosen[0]]
