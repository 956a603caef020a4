"""The answers of ``sam deploy --guided`` are kept where git leaves them alone."""

from __future__ import annotations

import re
import subprocess

from tests.support.paths import REPO

README = (REPO / "README.md").read_text()
OPERATIONS = (REPO / "docs" / "operations.md").read_text()


def test_git_ignores_the_file_with_which_slipway_is_updated() -> None:
    [name] = re.findall(r"git pull .*sam deploy --config-file (\S+)", OPERATIONS)

    assert f"`{name}` as the SAM configuration file" in README
    ignored = subprocess.run(["git", "check-ignore", name], cwd=REPO, check=False)
    assert ignored.returncode == 0
