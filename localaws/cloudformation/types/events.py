"""EventBridge rules in CloudFormation, whose targets keep their retry policy and dead-letter
queue.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from localaws.cloudformation.engine.resource_type import (
    Naming,
    Properties,
    Resource,
    call,
    pick,
    update_tags,
)


class Rule(Resource):
    """A rule. The physical id is the name, with the name of its bus before it unless that is the
    default.
    """

    type = "AWS::Events::Rule"
    settings = ("Description", "EventPattern", "RoleArn", "ScheduleExpression", "State")
    create_only = frozenset({"Name", "EventBusName"})
    properties = frozenset({*create_only, *settings, "Tags", "Targets"})
    attributes = frozenset({"Arn"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        name = str(properties.get("Name") or naming.unique())
        bus = pick(properties, "EventBusName")
        call("events", "PutRule", Name=name, **bus, **pick(properties, *self.settings, "Tags"))
        return f"{bus['EventBusName']}|{name}" if bus else name

    @override
    def complete(self, physical_id: str, properties: Properties) -> None:
        bus = pick(properties, "EventBusName")
        self._put_targets({"Rule": self._name(physical_id), **bus}, properties)

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        name, bus = self._name(physical_id), pick(properties, "EventBusName")
        call("events", "PutRule", Name=name, **bus, **pick(properties, *self.settings))
        kept = {target["Id"] for target in properties.get("Targets", [])}
        dropped = [target for target in previous.get("Targets", []) if target["Id"] not in kept]
        self._remove_targets({"Rule": name, **bus}, dropped)
        self._put_targets({"Rule": name, **bus}, properties)
        arn = self.attribute(physical_id, "Arn")
        update_tags("events", properties, previous, ResourceARN=arn)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        name, bus = self._name(physical_id), pick(properties, "EventBusName")
        self._remove_targets({"Rule": name, **bus}, properties.get("Targets", []))
        call("events", "DeleteRule", Name=name, **bus)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        bus, _, rule = physical_id.rpartition("|")
        return call("events", "DescribeRule", Name=rule, EventBusName=bus or "default")["Arn"]

    def _name(self, physical_id: str) -> str:
        return physical_id.rpartition("|")[2]

    def _put_targets(self, rule: Properties, properties: Properties) -> None:
        if targets := properties.get("Targets"):
            answer = call("events", "PutTargets", **rule, Targets=targets)
            if answer["FailedEntryCount"]:
                raise ValueError(f"targets were refused: {answer['FailedEntries']}")

    def _remove_targets(self, rule: Properties, targets: list[Properties]) -> None:
        if targets:
            ids = [target["Id"] for target in targets]
            call("events", "RemoveTargets", **rule, Ids=ids)
