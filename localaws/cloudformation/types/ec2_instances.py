"""Launch templates in CloudFormation.

moto reads only the first version's user data, so launching from another version fails. It also keeps
the primary network interface of a terminated instance, which on AWS needs an explicit request.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models.instances import Instance, InstanceState
from moto.ec2.models.launch_templates import LaunchTemplate as MotoTemplate
from moto.ec2.models.launch_templates import LaunchTemplateVersion
from moto.ec2.utils import parse_user_data
from typing_extensions import override

from localaws.cloudformation.engine.resource_type import Naming, Properties, Resource, call, pick

_moto_create_version = MotoTemplate.create_version
_moto_terminate = Instance.terminate


class LaunchTemplate(Resource):
    """A launch template. The physical id is the id of the template.

    An update creates a version and does not change the default version, which CloudFormation can't set.
    """

    type = "AWS::EC2::LaunchTemplate"
    create_only = frozenset({"LaunchTemplateName"})
    version = ("LaunchTemplateData", "VersionDescription")
    properties = frozenset({*create_only, *version})
    attributes = frozenset({"DefaultVersionNumber", "LatestVersionNumber", "LaunchTemplateId"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        name = properties.get("LaunchTemplateName") or naming.unique(128)
        version = pick(properties, *self.version)
        made = call("ec2", "CreateLaunchTemplate", LaunchTemplateName=name, **version)
        return str(made["LaunchTemplate"]["LaunchTemplateId"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        version = pick(properties, *self.version)
        call("ec2", "CreateLaunchTemplateVersion", LaunchTemplateId=physical_id, **version)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("ec2", "DeleteLaunchTemplate", LaunchTemplateId=physical_id)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        answer = call("ec2", "DescribeLaunchTemplates", LaunchTemplateIds=[physical_id])
        return str(answer["LaunchTemplates"][0][name])


def install() -> None:
    """Read the user data of every version, and delete the network interface of a terminated
    instance.
    """
    MotoTemplate.create_version = _create_version  # type: ignore[method-assign]
    Instance.terminate = _terminate  # type: ignore[method-assign]


def _terminate(self: Instance) -> InstanceState:
    for interface in self.nics.values():
        # The interface that moto created. Other interfaces have a setting for this.
        if interface.description == "Primary network interface":
            interface.delete_on_termination = True
    return _moto_terminate(self)


def _create_version(
    self: MotoTemplate, data: dict[str, Any], description: str
) -> LaunchTemplateVersion:
    if isinstance(data.get("UserData"), str):
        data["UserData"] = parse_user_data(data["UserData"])
    return _moto_create_version(self, data, description)
