"""EC2 Auto Scaling: groups that launch and terminate instances, with activities and notifications.

moto puts every instance of a group into the first subnet, launches it from the default version of
the template and without its instance profile, ignores most settings in an update, accepts any
desired capacity, and has neither notifications nor activities. moto's instances and launch templates
are kept.

    groups              groups, which launch and terminate instances
    activities          the activities of groups, and the notifications of them
    notifications       the API of notification configurations and activities
    scaling_policies    scaling policies, and the alarms that trigger them
    step_scaling        the arithmetic of step scaling, shared with Application Auto Scaling

An instance is in service as soon as it is launched. A change of subnets or template affects new
instances only: nothing is rebalanced or refreshed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.autoscaling import models
from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import AutoScalingBackend, TerminateInstanceActivity
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from localaws.autoscaling import notifications, scaling_policies
from localaws.autoscaling.activities import changing
from localaws.autoscaling.groups import Group, backend, group_named
from localaws.autoscaling.step_scaling import within
from localaws.aws import REGION
from localaws.ecs import container_instances
from localaws.ecs.state import LOCK
from localaws.iam import service_linked_roles

_METRICS = (
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupMaxSize",
    "GroupMinSize",
    "GroupPendingInstances",
    "GroupStandbyInstances",
    "GroupTerminatingInstances",
    "GroupTotalInstances",
)
_NOT_SIMULATED = (
    "InstanceId",
    "InstanceMaintenancePolicy",
    "LaunchConfigurationName",
    "LifecycleHookSpecificationList",
    "LoadBalancerNames",
    "MaxInstanceLifetime",
    "MixedInstancesPolicy",
    "PlacementGroup",
    "TargetGroupARNs",
    "TerminationPolicies",
    "TrafficSources",
)
_STATIC = (
    "batch_put_scheduled_update_group_action",
    "create_launch_configuration",
    "put_lifecycle_hook",
    "put_scheduled_update_group_action",
    "put_warm_pool",
)
_SETTINGS = {
    "DefaultCooldown": "default_cooldown",
    "HealthCheckGracePeriod": "health_check_grace_period",
    "HealthCheckType": "health_check_type",
    "NewInstancesProtectedFromScaleIn": "new_instances_protected_from_scale_in",
}

_moto_act = AutoScalingResponse.call_action
_moto_create = AutoScalingResponse.create_auto_scaling_group
_moto_protect = AutoScalingBackend.set_instance_protection


def install() -> None:
    """Replace moto's groups and the actions on them."""
    models.FakeAutoScalingGroup = Group  # type: ignore[misc]
    AutoScalingBackend.notify_terminate_instances = _replace  # type: ignore[method-assign]
    AutoScalingBackend.set_instance_protection = _protect  # type: ignore[method-assign]
    AutoScalingBackend.terminate_instance = _terminate  # type: ignore[method-assign]
    AutoScalingResponse.call_action = _act  # type: ignore[method-assign]
    AutoScalingResponse.create_auto_scaling_group = _create  # type: ignore[method-assign]
    actions = {
        "update_auto_scaling_group": _update,
        "delete_auto_scaling_group": _delete,
        "set_desired_capacity": _set_desired_capacity,
        "enable_metrics_collection": _enable_metrics,
        "disable_metrics_collection": _disable_metrics,
        **notifications.ACTIONS,
        **scaling_policies.ACTIONS,
        **dict.fromkeys(_STATIC, _refuse),
    }
    for name, action in actions.items():
        setattr(AutoScalingResponse, name, _answer(action))


def _act(self: AutoScalingResponse) -> Any:
    if self.region != REGION:
        raise NotImplementedError(f"autoscaling in {self.region}")
    with changing():
        answer = _moto_act(self)
    with LOCK:  # so that terminated instances have left their cluster before the answer
        container_instances.reconcile()
    return answer


def _answer(
    action: Callable[[dict[str, Any]], dict[str, Any] | None],
) -> Callable[[AutoScalingResponse], ActionResult]:
    def respond(self: AutoScalingResponse) -> ActionResult:
        answer = action(self._get_params())
        return EmptyResult() if answer is None else ActionResult(answer)

    return respond


def _refuse(_params: dict[str, Any]) -> None:
    raise NotImplementedError("autoscaling: this action is not simulated")


def _create(self: AutoScalingResponse) -> ActionResult:
    params = self._get_params()
    name, least, most = params["AutoScalingGroupName"], params["MinSize"], params["MaxSize"]
    if name in backend().autoscaling_groups:
        message = (
            "AutoScalingGroup by this name already exists - A group with the name"
            f" {name} already exists"
        )
        raise AutoscalingClientError("AlreadyExists", message)
    _check(params, least, most, params.get("DesiredCapacity", least))
    service_linked_roles.ensure(
        "AWSServiceRoleForAutoScaling", "autoscaling.amazonaws.com", "AutoScalingServiceRolePolicy"
    )
    answer = _moto_create(self)
    group = group_named(name)  # moto ignores a given 0
    group.health_check_grace_period = params.get("HealthCheckGracePeriod", 0)
    group.default_cooldown = params.get("DefaultCooldown", 300)
    return answer


def _update(params: dict[str, Any]) -> None:
    group = group_named(params["AutoScalingGroupName"])
    least, most = params.get("MinSize", group.bounds[0]), params.get("MaxSize", group.bounds[1])
    wanted = params.get("DesiredCapacity", within(group.desired_capacity or 0, least, most))
    _check(params, least, most, wanted)
    group._set_azs_and_vpcs(
        params.get("AvailabilityZones") or [], params.get("VPCZoneIdentifier"), update=True
    )
    if "LaunchTemplate" in params:
        group._set_launch_configuration("", params["LaunchTemplate"], None)
    for field, attribute in _SETTINGS.items():
        if field in params:
            setattr(group, attribute, params[field])
    group.min_size, group.max_size = least, most
    group.scale(
        wanted,
        "a user request update of AutoScalingGroup constraints to"
        f" min: {least}, max: {most}, desired: {wanted}",
    )


def _check(params: dict[str, Any], least: int, most: int, wanted: int) -> None:
    for field in _NOT_SIMULATED:
        if params.get(field):
            raise NotImplementedError(f"autoscaling: {field} is not simulated")
    if least > most:
        raise ValidationError(
            f"Max bound, {most}, must be greater than or equal to min bound, {least}"
        )
    if not least <= wanted <= most:
        raise ValidationError(
            f"Desired capacity:{wanted} must be between the specified min size:{least} and max"
            f" size:{most}"
        )


def _delete(params: dict[str, Any]) -> None:
    group = group_named(params["AutoScalingGroupName"])
    if group.instance_states and not params.get("ForceDelete"):
        raise AutoscalingClientError(
            "ResourceInUse",
            "You cannot delete an AutoScalingGroup while there are instances or pending Spot"
            " instance request(s) still in the group.",
        )
    for member in group.members:
        group.end(member, "A user request deleted the AutoScalingGroup.")
    scaling_policies.forget(group.name)
    del backend().autoscaling_groups[group.name]


def _enable_metrics(params: dict[str, Any]) -> None:
    group = group_named(params["AutoScalingGroupName"])
    group.metrics = sorted({*group.metrics, *(params.get("Metrics") or _METRICS)})


def _disable_metrics(params: dict[str, Any]) -> None:
    group = group_named(params["AutoScalingGroupName"])
    gone = params.get("Metrics") or group.metrics
    group.metrics = [metric for metric in group.metrics if metric not in gone]


def _set_desired_capacity(params: dict[str, Any]) -> None:
    group, wanted = group_named(params["AutoScalingGroupName"]), params["DesiredCapacity"]
    least, most = group.bounds
    if not least <= wanted <= most:
        limit = f"below min value {least}" if wanted < least else f"above max value {most}"
        raise ValidationError(
            f"New SetDesiredCapacity value {wanted} is {limit} for the AutoScalingGroup."
        )
    group.set_desired_capacity(wanted)


def _protect(self: AutoScalingBackend, group_name: str, *args: Any, **options: Any) -> None:
    _moto_protect(self, group_name, *args, **options)
    group_named(group_name).settle("a user request changed the protection from scale in")


def _replace(self: AutoScalingBackend, instance_ids: list[str]) -> None:
    """Replace the instances that were terminated by a call to EC2."""
    with changing():
        for group in [group_named(name) for name in self.autoscaling_groups]:
            for member in group.members:
                if member.instance_id in instance_ids:
                    why = "in response to an EC2 health check indicating it has been terminated"
                    group.end(member, f"An instance was taken out of service {why}.")
            group.settle("an instance was terminated")


def _terminate(
    self: AutoScalingBackend, instance_id: str, should_decrement: bool
) -> TerminateInstanceActivity:
    for name in self.autoscaling_groups:
        group = group_named(name)
        if member := group.member(instance_id):
            before = group.desired_capacity or 0
            if should_decrement and before <= group.bounds[0]:
                raise ValidationError(
                    f"Currently, desiredSize equals minSize ({before}). Terminating instance"
                    " without replacement will violate group's min size constraint."
                )
            group.desired_capacity = before - should_decrement
            group.end(member, "An instance was taken out of service in response to a user request.")
            group.settle("an instance was terminated")
            return TerminateInstanceActivity(member.instance, before)
    raise ValidationError(f"Instance Id not found - No managed instance found for: {instance_id}")
