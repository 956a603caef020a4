"""The YAML that CloudFormation reads: no aliases and no merge keys, and dates stay text.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html lists what it does
not support. An anchor that no alias refers to is accepted.
"""

from __future__ import annotations

from typing import Any

import yaml
from typing_extensions import override

_MERGE = "tag:yaml.org,2002:merge"


class AliasError(yaml.MarkedYAMLError):
    """The text has an alias or a merge key."""

    @override
    def __str__(self) -> str:
        line = self.problem_mark.line + 1 if self.problem_mark else 0
        return f"line {line} has {self.problem}"


class Loader(yaml.SafeLoader):
    """Raises AliasError for an alias or a merge key."""

    @override
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise AliasError(problem="an alias", problem_mark=self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        return super().compose_node(parent, index)

    @override
    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        for key, _ in node.value:
            if key.tag == _MERGE:
                raise AliasError(problem="a merge key", problem_mark=key.start_mark)


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
