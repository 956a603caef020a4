"""Keeps a service's last good image in an SSM parameter, from which the service's stack takes the image.

Each time a stack updates its service, CloudFormation sends ECS every property, the task definition too
(https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1529). If the template named
an image, each such update would put that image back on the service. So environment/service.yaml reads the
image from the parameter ``<prefix>/images/<cluster>/<service>``, and FinishDeployment writes every image
there that proved good.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from slipway.aws import calling, error_code
from slipway.ecs.task_definition import containers_for, read_task_definition
from slipway.errors import AwsRefused, AwsUnavailable, InvalidInput
from slipway.release.parameter_names import image_parameter
from slipway.release.parameters import read_parameter
from slipway.release.release import Deployment

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ssm import SSMClient


def keep_image(
    deployment: Deployment, task_definition: str, ecs: ECSClient, ssm: SSMClient
) -> str | None:
    """Write the image of a good task definition to the service's parameter, if the service has one.

    An error is returned and not raised, because the version is good even if its image can't be written.

    Args:
        task_definition: the ARN of the good revision.

    Returns:
        None, or a sentence for people that says what failed and what to do.
    """
    name = image_parameter(deployment.service)
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
            f"the good image could not be written to SSM parameter {name} ({error}); write it there before "
            "you update the service's stack, because the update deploys the image that the parameter names"
        )
    return None


def put_first_image(name: str, image: str, ssm: SSMClient) -> None:
    """Create the parameter; if it exists, it keeps its value.

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
