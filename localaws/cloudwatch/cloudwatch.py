"""Alarms whose state changes emit events, publish to SNS, scale, and change composite alarms.

In moto an alarm is a record whose state can be set. Here an alarm on the depth of a queue, or on what
functions and state machines report, follows it (cloudwatch/metrics.py, cloudwatch/clock.py), as soon as
it has warmed up. Other metrics are not evaluated: an alarm on one
has INSUFFICIENT_DATA until SetAlarmState or the behaviour of an image (ecs/images.py) changes it. An
action that is neither an SNS topic nor a scaling policy is refused by PutMetricAlarm.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import Alarm, CloudWatchBackend, cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from localaws.aws import ACCOUNT, REGION
from localaws.cloudwatch import datapoints, history, metrics, state_change
from localaws.cloudwatch.alarm_rule import parse
from localaws.cloudwatch.state_change import SCALING

#: An alarm that changed, with its states before and after.
Change = tuple[Alarm, dict[str, Any], dict[str, Any]]

_NOT_SIMULATED = (
    "EvaluationWindow",
    "EvaluationCriteria",
    "EvaluationInterval",
    "ActionConfiguration",
    "ActionsSuppressor",
)

_TYPES = ("CompositeAlarm", "MetricAlarm", "LogAlarm")
_LONGEST_REASON, _LONGEST_DATA = 1023, 4000

_lock = threading.RLock()
_asked = threading.local()
"""The WarmUpConfiguration of the request that this thread answers, which moto does not pass on."""
_moto_put = CloudWatchBackend.put_metric_alarm
_moto_respond_to_put = CloudWatchResponse.put_metric_alarm
_moto_set = CloudWatchBackend.set_alarm_state


def install() -> None:
    """Replace moto's actions on alarms."""
    CloudWatchBackend.put_metric_alarm = _put  # type: ignore[method-assign,assignment]
    CloudWatchBackend.set_alarm_state = _set  # type: ignore[method-assign]
    CloudWatchResponse.put_metric_alarm = _respond_to_put  # type: ignore[method-assign]
    CloudWatchResponse.put_composite_alarm = _respond_to_put  # type: ignore[attr-defined]
    CloudWatchResponse.describe_alarms = _describe  # type: ignore[method-assign]
    CloudWatchResponse.describe_alarm_history = history.describe  # type: ignore[attr-defined]


def set_state(name: str, value: str, reason: str) -> None:
    """Set the state of an alarm, as SetAlarmState does. Raises ResourceNotFound."""
    _set(cloudwatch_backends[ACCOUNT][REGION], name, reason, None, value)


def warm_up_anew() -> None:
    """Let the alarms of a restored local AWS warm up as if they had just been put.

    Nothing was reported while it was stopped, which must not count as missed.
    """
    for alarm in cloudwatch_backends[ACCOUNT][REGION].alarms.values():
        if getattr(alarm, "warm_up_configuration", None):
            alarm.configuration_updated_timestamp = datapoints.now().replace(tzinfo=None)


def evaluate() -> None:
    """Evaluate the alarms on the metrics that are simulated."""
    backend = cloudwatch_backends[ACCOUNT][REGION]
    with _lock:
        due = [
            (alarm, judgement)
            for alarm in backend.alarms.values()
            if (judgement := metrics.judge(alarm)) and judgement.state != alarm.state_value
        ]

        def update() -> None:
            for alarm, judgement in due:
                alarm.update_state(judgement.reason, judgement.data, judgement.state)

        changes = _changes_by(backend, update) if due else []
    _publish(changes)


def _set(
    self: CloudWatchBackend, alarm_name: str, reason: str, reason_data: str | None, state_value: str
) -> None:
    for field, value, longest in (
        ("stateReason", reason, _LONGEST_REASON),
        ("stateReasonData", reason_data or "", _LONGEST_DATA),
    ):
        if len(value) > longest:
            raise ValidationError(
                f"1 validation error detected: Value '{value}' at '{field}' failed to satisfy"
                f" constraint: Member must have length less than or equal to {longest}"
            )
    with _lock:
        changes = _changes_by(
            self, lambda: _moto_set(self, alarm_name, reason, reason_data or "{}", state_value)
        )
    _publish(changes)


def _put(self: CloudWatchBackend, name: str, rule: str | None = None, **kwargs: Any) -> Alarm:
    actions = ("alarm_actions", "ok_actions", "insufficient_data_actions")
    for action in (arn for kind in actions for arn in kwargs.get(kind) or []):
        # A composite alarm can't scale, on AWS either.
        if not action.startswith("arn:aws:sns:") and (rule or not SCALING.match(action)):
            raise NotImplementedError(f"cloudwatch: alarm {name}: action {action}")
    with _lock:
        if rule is None:
            metrics.check(name, kwargs)
        else:
            _check_rule(self, rule)
        former = self.alarms.get(name)
        alarm = _moto_put(self, name, rule=rule, **kwargs)
        alarm.warm_up_configuration = getattr(_asked, "warm_up", None)  # type: ignore[attr-defined]
        _take_over_state(alarm, former)
        changes = _changes_by(self, lambda: None)
    _publish(changes)
    return alarm


def _take_over_state(alarm: Alarm, former: Alarm | None) -> None:
    """Keep the state of an alarm that is put again. A new alarm has no data yet."""
    alarm.state_value = "INSUFFICIENT_DATA"
    alarm.state_transitioned_timestamp = alarm.state_updated_timestamp  # type: ignore[attr-defined]
    if former:
        for name, value in vars(former).items():
            if name.startswith("state_") or name == "history":
                setattr(alarm, name, value)


def _check_rule(backend: CloudWatchBackend, rule: str) -> None:
    try:
        children = parse(rule).children
    except ValueError as error:
        raise ValidationError(f"AlarmRule is not valid: {error}") from error
    missing = [child for child in children if _name(child) not in backend.alarms]
    if missing:
        raise ValidationError(
            f"Could not save the composite alarm as alarms [{', '.join(missing)}] in the alarm"
            " rule do not exist"
        )


def _changes_by(backend: CloudWatchBackend, action: Callable[[], None]) -> list[Change]:
    """Run an action, evaluate the composite alarms, and return the alarms that changed."""
    before = {alarm.name: state_change.state(alarm) for alarm in backend.alarms.values()}
    action()
    for _ in backend.alarms:  # repeated, because composite alarms may be nested
        if not any([_evaluate(backend, alarm) for alarm in backend.alarms.values()]):  # noqa: C419
            break
    changes = []
    for alarm in backend.alarms.values():
        after = state_change.state(alarm)
        if after["value"] != before[alarm.name]["value"]:
            alarm.state_transitioned_timestamp = (  # type: ignore[attr-defined]
                alarm.state_updated_timestamp
            )
            history.note(backend, alarm, before[alarm.name], after)
            changes.append((alarm, before[alarm.name], after))
    return changes


def _evaluate(backend: CloudWatchBackend, alarm: Alarm) -> bool:
    """Evaluate a composite alarm. Returns whether its state changed."""
    if alarm.rule is None:
        return False

    def state_of(child: str) -> str:
        found = backend.alarms.get(_name(child))
        return found.state_value if found else "INSUFFICIENT_DATA"

    value = "ALARM" if parse(alarm.rule).holds(state_of) else "OK"
    if value == alarm.state_value:
        return False
    reason = f"The alarm rule {alarm.rule} evaluates to {value}"
    alarm.update_state(reason[:_LONGEST_REASON], "{}", value)
    return True


def _publish(changes: list[Change]) -> None:
    """Publish changes. The caller does not hold the lock, because a subscriber may describe the
    alarm.
    """
    for alarm, before, after in changes:
        state_change.publish(alarm, before, after)


def _name(name_or_arn: str) -> str:
    if name_or_arn.startswith("arn:aws:cloudwatch:"):
        return name_or_arn.partition(":alarm:")[2]
    return name_or_arn


def _respond_to_put(self: CloudWatchResponse) -> ActionResult:
    for field in _NOT_SIMULATED:
        if self._get_param(field) is not None:
            raise NotImplementedError(f"cloudwatch: {self._get_action()}: {field} is not simulated")
    warm_up = self._get_param("WarmUpConfiguration")
    if warm_up and not warm_up.get("OnlyStartEvaluatingAfterWarmUpPeriodEnds"):
        raise NotImplementedError(
            "cloudwatch: WarmUpConfiguration: a warm-up that may end early is not simulated"
        )
    _asked.warm_up = warm_up
    return _moto_respond_to_put(self)


def _describe(self: CloudWatchResponse) -> ActionResult:
    for field in ("ChildrenOfAlarmName", "ParentsOfAlarmName"):
        if self._get_param(field):
            raise NotImplementedError(f"cloudwatch: DescribeAlarms: {field} is not simulated")
    names = self._get_param("AlarmNames", [])
    if len(names) > 100:
        raise ValidationError("The collection AlarmNames must not have a size greater than 100.")
    prefix = self._get_param("AlarmNamePrefix", "")
    action_prefix = self._get_param("ActionPrefix", "")
    value = self._get_param("StateValue")
    types = self._get_param("AlarmTypes", []) or ["MetricAlarm"]
    if not set(types) <= set(_TYPES):
        raise ValidationError(
            f"1 validation error detected: Value '[{', '.join(types)}]' at 'alarmTypes' failed to"
            " satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value"
            f" set: [{', '.join(_TYPES)}]]"
        )
    with _lock:
        found = [
            alarm
            for alarm in self.cloudwatch_backend.alarms.values()
            if (not names or alarm.name in names)
            and alarm.name.startswith(prefix)
            and value in (None, alarm.state_value)
            and ("CompositeAlarm" if alarm.rule is not None else "MetricAlarm") in types
            and (not action_prefix or any(a.startswith(action_prefix) for a in alarm.alarm_actions))
        ]
    start = int(self._get_param("NextToken") or 0)
    end = start + int(self._get_param("MaxRecords") or 100)
    page = found[start:end]
    return ActionResult(
        {
            "MetricAlarms": [alarm for alarm in page if alarm.rule is None],
            "CompositeAlarms": [alarm for alarm in page if alarm.rule is not None],
            "NextToken": str(end) if end < len(found) else None,
        }
    )
