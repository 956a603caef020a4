"""What lint says of a state machine's file."""

from __future__ import annotations

import pytest

from localaws.cloudformation.engine.yaml_loader import AliasError
from tools.lint_state_machines import load

ALIAS = "StartAt: A\nStates:\n  A: &a {Type: Succeed}\n  B: *a\n"
MERGE = "StartAt: A\nStates:\n  A: {Type: Pass, <<: {Comment: again}, End: true}\n"


@pytest.mark.parametrize(("text", "line"), [(ALIAS, 4), (MERGE, 3)], ids=["alias", "merge key"])
def test_a_state_machine_with_a_yaml_alias_is_refused_with_its_line(tmp_path, text, line):
    file = tmp_path / "machine.asl.yaml"
    file.write_text(text)
    with pytest.raises(AliasError, match=f"line {line} has"):
        load(file)
