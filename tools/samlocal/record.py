"""``python -m tools.samlocal.record``: records what the local AWS's own Lambda answers to events/."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from localaws.server import LocalAws
from tools import sam
from tools.demo import story
from tools.samlocal.account import Account
from tools.samlocal.check import ANSWERS
from tools.samlocal.compare import normalised
from tools.samlocal.invoke import LOCAL_URL, VARIABLES, by_the_local_aws, env_vars
from tools.samlocal.path import answers


def main() -> int:
    """Record and write; return 0."""
    sam.build(story.REPO)
    (ANSWERS / "bad").mkdir(parents=True, exist_ok=True)
    with LocalAws() as aws, Account.seeded(aws) as account:
        _write(VARIABLES, env_vars(account.functions(), LOCAL_URL))
        for name, answer in answers(account, by_the_local_aws(account)):
            _write(ANSWERS / f"{name}.json", normalised(answer))
    return 0


def _write(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
