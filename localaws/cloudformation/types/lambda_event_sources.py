"""Event source mappings of Lambda in CloudFormation."""

from __future__ import annotations

from typing import Any, ClassVar

from typing_extensions import override

from localaws.cloudformation.engine.resource_type import (
    Naming,
    Properties,
    Resource,
    call,
    changed_tags,
    pick,
    tag_map,
)


class EventSourceMapping(Resource):
    """A mapping. The physical id is its UUID."""

    type = "AWS::Lambda::EventSourceMapping"
    settings: ClassVar[Properties] = {
        "BatchSize": 10,
        "Enabled": True,
        "FunctionName": "",
        "FunctionResponseTypes": [],
        "ScalingConfig": {},
    }
    """The properties that an update sends, with the values that stand for those left out."""
    create_only = frozenset({"EventSourceArn"})
    properties = frozenset({*settings, *create_only, "Tags"})
    attributes = frozenset({"EventSourceMappingArn", "Id"})

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        created = call(
            "lambda",
            "CreateEventSourceMapping",
            **pick(properties, *self.settings, *self.create_only),
            Tags=tag_map(properties),
        )
        return str(created["UUID"])

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        changed = {
            name: properties.get(name, default)
            for name, default in self.settings.items()
            if properties.get(name) != previous.get(name)
        }
        if changed:
            call("lambda", "UpdateEventSourceMapping", UUID=physical_id, **changed)
        tags, gone = changed_tags(properties, previous)
        arn = self.attribute(physical_id, "EventSourceMappingArn")
        if tags:
            call("lambda", "TagResource", Resource=arn, Tags=tags)
        if gone:
            call("lambda", "UntagResource", Resource=arn, TagKeys=gone)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("lambda", "DeleteEventSourceMapping", UUID=physical_id)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        if name == "Id":
            return physical_id
        return call("lambda", "GetEventSourceMapping", UUID=physical_id)["EventSourceMappingArn"]
