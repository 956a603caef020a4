"""Auto Scaling groups: each has its desired number of instances, spread over its subnets."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import (
    ASG_NAME_TAG,
    AutoScalingBackend,
    FakeAutoScalingGroup,
    InstanceState,
    autoscaling_backends,
)
from moto.ec2.utils import filter_iam_instance_profiles
from typing_extensions import override

from localaws.autoscaling.activities import LAUNCH, TERMINATE, record, time
from localaws.aws import ACCOUNT, REGION

_DIFFERENCE = "in response to a difference between desired and actual capacity"


class Member(InstanceState):
    """An instance of a group, with the template version that it was launched from."""

    launched_from: dict[str, Any] | None = None

    @property
    @override
    def launch_template(self) -> dict[str, Any] | None:
        return self.launched_from


class Group(FakeAutoScalingGroup):
    """A group that launches and terminates instances. It extends moto's, so that moto's other
    actions work.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self.topics: dict[str, list[str]] = {}  # the notification types by SNS topic
        self.activities: list[dict[str, Any]] = []
        self.desired_capacity = 0
        super().__init__(*args, **options)

    @property
    def bounds(self) -> tuple[int, int]:
        """The minimum and the maximum size."""
        return self.min_size or 0, self.max_size or 0

    @property
    def members(self) -> list[Member]:
        """Every instance of the group."""
        return list(self.instance_states)  # type: ignore[arg-type]

    @property
    def size(self) -> int:
        """The number of instances in service."""
        return len(self.active_instances())

    @override
    def set_desired_capacity(self, new_capacity: int | None) -> None:
        wanted = self.min_size if new_capacity is None else new_capacity
        self.scale(wanted or 0, "a user request explicitly set group desired capacity")

    @override
    def replace_autoscaling_group_instances(
        self, count_needed: int, propagated_tags: dict[str, str]
    ) -> None:
        raise NotImplementedError("autoscaling: settle() launches instances")

    def scale(self, wanted: int, why: str) -> None:
        """Set the desired capacity and launch or terminate instances accordingly."""
        before, self.desired_capacity = self.desired_capacity or 0, wanted
        self.settle(f"{why} changing the desired capacity from {before} to {wanted}")

    def settle(self, why: str) -> None:
        """Launch missing instances, and terminate surplus ones that are not protected from
        scale-in.
        """
        suspended = {process["ProcessName"] for process in self.suspended_processes}
        wanted = self.desired_capacity or 0
        while self.size < wanted and "Launch" not in suspended:
            self._launch(f"At {_now()} {why}.")
        while self.size > wanted and "Terminate" not in suspended and (surplus := self._surplus()):
            cause = (
                f"At {_now()} {why}. At {_now()} an instance was taken out of service {_DIFFERENCE},"
                f" shrinking the capacity from {self.size} to {self.size - 1}. At {_now()} instance"
                f" {surplus.instance_id} was selected for termination."
            )
            self.end(surplus, cause)

    def end(self, member: Member, cause: str) -> None:
        """Remove an instance from the group, and terminate it unless it is terminated already."""
        self.instance_states.remove(member)
        if member.instance.state != "terminated":
            self.ec2_backend.terminate_instances([member.instance_id])
        record(self, TERMINATE, member.instance, "Terminating EC2 instance", cause)

    def member(self, instance_id: str) -> Member | None:
        """The member with this instance id, or None."""
        return next((m for m in self.members if m.instance_id == instance_id), None)

    def _launch(self, cause: str) -> None:
        template = self.ec2_launch_template
        if template is None:
            raise NotImplementedError("autoscaling: a group without LaunchTemplate")
        version = template.get_version(self.launch_template_version)
        if "NetworkInterfaces" in version.data:
            raise NotImplementedError("autoscaling: NetworkInterfaces of a launch template")
        monitored = version.data.get("Monitoring", {}).get("Enabled")
        profile = self._profile(version.data.get("IamInstanceProfile"))
        (instance,) = self.ec2_backend.run_instances(
            "",  # the template has it
            1,
            None,
            [],
            launch_template={"LaunchTemplateId": template.id, "Version": version.number},
            is_instance_type_default=True,
            subnet_id=self._emptiest(),
            associate_public_ip=None,  # the subnet decides
            monitoring_state="enabled" if monitored else "disabled",
            metadata_options=version.data.get("MetadataOptions"),
            tags={"instance": {**self.get_propagated_tags(), ASG_NAME_TAG: self.name}},
        ).instances
        if profile:
            self.ec2_backend.associate_iam_instance_profile(instance.id, profile.name)
        instance.autoscaling_group = self  # type: ignore[attr-defined]
        member = Member(
            instance, protected_from_scale_in=self.new_instances_protected_from_scale_in
        )
        member.launched_from = {
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "Version": str(version.number),
        }
        self.instance_states.append(member)
        cause += (
            f" At {_now()} an instance was started {_DIFFERENCE}, increasing the capacity from"
            f" {self.size - 1} to {self.size}."
        )
        record(self, LAUNCH, instance, "Launching a new EC2 instance", cause)

    def _profile(self, given: dict[str, str] | None) -> Any:
        """The instance profile that a template names. It is looked up before the instance is
        launched.
        """
        if given is None:
            return None
        return filter_iam_instance_profiles(
            self.account_id, "aws", given.get("Arn"), given.get("Name")
        )

    def _emptiest(self) -> str:
        """The subnet with the fewest of the group's instances."""
        if self.vpc_zone_identifier:
            subnets = self.vpc_zone_identifier.split(",")
        else:
            of_zone = self.ec2_backend.get_default_subnets()
            subnets = [of_zone[zone].id for zone in self.availability_zones]
        return min(subnets, key=lambda subnet: self._spread()[subnet])

    def _surplus(self) -> Member | None:
        """The oldest unprotected instance in the subnet with the most instances."""
        active, spread = self.active_instances(), self._spread()
        return max(
            (m for m in self.members if m in active and not m.protected_from_scale_in),
            key=lambda member: spread[member.instance.subnet_id],
            default=None,
        )

    def _spread(self) -> Counter[str | None]:
        return Counter(member.instance.subnet_id for member in self.active_instances())


def backend() -> AutoScalingBackend:
    """moto's EC2 Auto Scaling backend, which holds the groups and policies."""
    return autoscaling_backends[ACCOUNT][REGION]


def group_named(name: str) -> Group:
    """The group with this name. Raises ValidationError if there is none."""
    if name not in backend().autoscaling_groups:
        raise ValidationError(
            f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"
        )
    return backend().autoscaling_groups[name]  # type: ignore[return-value]


def _now() -> str:
    return time(datetime.now(UTC))
