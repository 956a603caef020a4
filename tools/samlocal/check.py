"""``python -m tools.samlocal.check IMAGE GATEWAY``: runs every function in a container, on a local AWS.

It runs where the engine is. It exits with 1 if an answer is not the recorded one. With ``--json`` it
writes the differences, for the tests.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from localaws.server import LocalAws
from tools.samlocal.account import EVENTS, Account
from tools.samlocal.compare import differences, normalised
from tools.samlocal.invoke import LOCAL_URL, VARIABLES, by_sam_local, env_vars
from tools.samlocal.path import answers, event_name

ANSWERS = EVENTS / "answers"


def main() -> int:
    """Invoke, compare and report; return the exit code."""
    parser = argparse.ArgumentParser(prog="tools.samlocal.check")
    parser.add_argument("image")
    parser.add_argument("gateway")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    checked: dict[str, Any] = {}
    with LocalAws() as aws, Account.seeded(aws) as account:
        began = time.monotonic()
        for name, wrong in _checks(account, given.image, given.gateway):
            checked[name] = wrong
            if not given.json:
                seconds, began = time.monotonic() - began, time.monotonic()
                _report(name, wrong, seconds)
    if given.json:
        sys.stdout.write(json.dumps(checked))
    return int(any(checked.values()))


def _checks(account: Account, image: str, gateway: str) -> Iterator[tuple[str, list[str]]]:
    """Each event that was checked, and where its answer differs from the recorded one."""
    functions = account.functions()
    recorded = json.loads(VARIABLES.read_text())
    yield "local-env", list(differences(recorded, env_vars(functions, LOCAL_URL), "local-env.json"))
    names = [event_name(function) for function in functions]
    without = {*names, *(f"bad/{name}" for name in names)}
    with by_sam_local(account, image, gateway) as invoke:
        for name, answer in answers(account, invoke):
            without.discard(name)
            yield name, list(differences(answer_to(name), normalised(answer)))
    for name in sorted(without):
        yield name, ["nothing is invoked with such an event"]


def answer_to(name: str) -> Any:
    """The recorded answer to an event, normalised."""
    return json.loads((ANSWERS / f"{name}.json").read_text())


def _report(name: str, wrong: list[str], seconds: float) -> None:
    end = "as recorded" if not wrong else "not as recorded"
    sys.stdout.write(f"  {name:30} {end} ({seconds:.1f} s)\n")
    sys.stdout.writelines(f"    {line}\n" for line in wrong)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
