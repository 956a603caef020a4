"""Runs the commands of a page of the docs in a shell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support import aws_cli
from tests.support.paths import REPO


class Page:
    """A page of the docs, and its blocks of commands.

    A block that begins with a comment has that comment as its title. The blocks without a title set a shell
    up: they run before each titled block.

    Args:
        environment: variables with which the commands run besides those of this process, such as credentials.
        one_shell: whether to set up one shell for all commands, as a person does, instead of one for each.
            Set-up takes seconds. Such a page can be used as long as what its variables name does not change.
    """

    def __init__(
        self, name: str, environment: Mapping[str, str] | None = None, *, one_shell: bool = False
    ) -> None:
        self._environment = environment or {}
        self._one_shell = one_shell
        self._shell = ""
        blocks = re.findall(r"```sh\n(.*?)```", (REPO / "docs" / name).read_text(), re.DOTALL)
        self.commands = {block for block in blocks if block.startswith("# ")}
        self._once = [block for block in blocks if not block.startswith("# ")]
        self._ran: set[str] = set()

    @property
    def not_run(self) -> set[str]:
        """The titles of the blocks that have not run yet, up to the first punctuation mark."""
        return {
            re.split("[:;,\n]", block.removeprefix("# "))[0] for block in self.commands - self._ran
        }

    def run(self, title: str, *, once: bool = True, code: int = 0, **variables: str) -> str:
        """Run the block with this title with these shell variables set; what it prints.

        Args:
            once: whether to run the blocks that set the shell up first.
            code: the exit code with which it has to end.
        """
        (found,) = (b for b in self.commands if re.match(rf"# {re.escape(title)}[:;,\n]", b))
        self._ran.add(found)
        settings = [f"{name}='{value}'" for name, value in variables.items()]
        return self._execute(title, [self._set_up(title) if once else "", *settings, found], code)

    def _set_up(self, title: str) -> str:
        """The commands that give a shell the functions and variables of the blocks without a title."""
        blocks = "\n".join(self._once)
        if not self._one_shell:
            return blocks
        if not self._shell:
            # A function that is set up has variables of its own, in lines that begin otherwise.
            settings = "\n".join(re.findall(r"^[A-Z_]+=.*", blocks, re.MULTILINE))
            names = re.findall(r"(?:^|\s)([A-Z_]+)=", settings)
            self._shell = self._execute(
                title, [blocks, "declare -f", f"declare -p {' '.join(names)}"]
            )
        return self._shell

    def _execute(self, title: str, commands: list[str], code: int = 0) -> str:
        path = [aws_cli.on_path(), Path(sys.executable).parent, os.environ["PATH"]]
        done = subprocess.run(
            ["bash", "-c", "\n".join(["set -euo pipefail", *commands])],
            cwd=REPO,
            env={
                **os.environ,
                **self._environment,
                "PATH": os.pathsep.join(map(str, path)),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{title}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr
