"""What the EC2 resource types have in common."""

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
)


class Identified(Resource):
    """A resource whose physical id is its EC2 id. Of its properties only tags can change in place."""

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        retag(physical_id, properties, previous)

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        return physical_id


class Ec2Resource(Identified):
    """A resource that Create<noun> creates from the create-only properties, with the id <noun>Id."""

    noun: ClassVar[str]
    tagged_as: ClassVar[str]
    switches: ClassVar[dict[str, bool]] = {}
    """The settings that Modify<noun>Attribute turns on and off, with their defaults."""

    @override
    def create(self, properties: Properties, naming: Naming) -> str:
        tags = new_tags(self.tagged_as, properties)
        made = call("ec2", f"Create{self.noun}", **self.made_with(properties), **tags)
        return str(made[self.noun][f"{self.noun}Id"])

    def made_with(self, properties: Properties) -> Properties:
        """The arguments of Create<noun>."""
        return pick(properties, *self.create_only)

    @override
    def complete(self, physical_id: str, properties: Properties) -> None:
        for name, default in self.switches.items():  # one call for each
            switch = {name: {"Value": properties.get(name, default)}}
            identity = {f"{self.noun}Id": physical_id}
            call("ec2", f"Modify{self.noun}Attribute", **identity, **switch)

    @override
    def update(self, physical_id: str, properties: Properties, previous: Properties) -> None:
        self.complete(physical_id, properties)
        super().update(physical_id, properties, previous)

    @override
    def delete(self, physical_id: str, properties: Properties) -> None:
        call("ec2", f"Delete{self.noun}", **{f"{self.noun}Id": physical_id})

    @override
    def attribute(self, physical_id: str, name: str) -> Any:
        if name == "Id":
            return physical_id
        described = call("ec2", f"Describe{self.noun}s", **{f"{self.noun}Ids": [physical_id]})
        return described[f"{self.noun}s"][0][name]


def new_tags(kind: str, properties: Properties) -> Properties:
    """The tags of a new resource in the form of TagSpecifications."""
    tags = properties.get("Tags")
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]} if tags else {}


def retag(resource: str, properties: Properties, previous: Properties) -> None:
    """Update the tags of a resource."""
    tags, gone = changed_tags(properties, previous)
    if tags:
        call("ec2", "CreateTags", Resources=[resource], Tags=properties["Tags"])
    if gone:
        call("ec2", "DeleteTags", Resources=[resource], Tags=[{"Key": key} for key in gone])


def found(things: str, **filters: str) -> list[dict[str, Any]]:
    """The result of Describe<things>. The argument `a__b_c` is the filter a.b-c."""
    wanted = [
        {"Name": name.replace("__", ".").replace("_", "-"), "Values": [value]}
        for name, value in filters.items()
    ]
    answer: list[dict[str, Any]] = call("ec2", f"Describe{things}", Filters=wanted)[things]
    return answer
