"""Other versions of Slipway than that of this checkout, built, to upgrade from and to downgrade to."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

from tests.support.definitions import NAMES, PLACEHOLDER
from tests.support.paths import REPO
from tools import sam, sources
from tools.pack import pack

CACHE = REPO / ".cache" / "other-versions"
DEPLOYED = ("environment", "functions", "statemachine", "template.yaml")
"""What a version of Slipway is made of."""
SENT_BY = "the other version"
SPEAKS_DIFFERENTLY = f'''

_answer = handler


def handler(event, context):
    if "detail-type" in event:  # by a rule, not by a state machine
        return _answer(event, context)
    if event.pop("sent_by", None) != "{SENT_BY}":
        raise ValueError("another version of the state machine sent this")
    return {{"answer": _answer(event, context)}}
'''


class NoHistoryError(Exception):
    """The version can't be made; why."""


def speaking_differently(folder: Path) -> Path:
    """Make a version whose state machines and functions understand only each other.

    It is this checkout's, built; but its functions refuse what other state machines send, and return their
    answer in a field in which no other state machine looks.
    """
    sam.build_once(REPO)
    folder.mkdir(parents=True)
    for name in ("samconfig.toml", *DEPLOYED):
        _copied(REPO / name, folder / name)
    build = sam.copy_build(REPO, folder / ".aws-sam" / "build").parent
    invoked = set()
    for machine in NAMES:
        definition = folder / "statemachine" / f"{machine}.asl.yaml"
        text = definition.read_text()
        invoked |= set(re.findall(rf"FunctionName: {PLACEHOLDER.pattern}", text))
        text = re.sub(
            r"^( +)Payload:$", rf"\g<0>\n\1  sent_by: {SENT_BY}", text, flags=re.MULTILINE
        )
        text = text.replace("$states.result.Payload", "$states.result.Payload.answer")
        definition.write_text(text)
    for function in invoked:
        module = f"{re.sub('(?<!^)(?=[A-Z])', '_', function).lower()}.py"
        (handler,) = build.glob(f"*/{module}")
        handler.write_text(handler.read_text() + SPEAKS_DIFFERENTLY)
        for compiled in handler.parent.glob(f"__pycache__/{handler.stem}.*.pyc"):
            compiled.unlink()  # Python does not compare it with the source
    pack(build)
    return folder


def previous() -> Path:
    """Make the version before this one from git; its folder.

    That is the one before the last commit that changed what is deployed, or before the changes that are not
    committed yet. It is built once, and kept until another one is.

    Raises:
        NoHistoryError: there is none, or it publishes no versions of functions.
    """
    if _git("status", "--porcelain", "--", *DEPLOYED):
        commit = _git("rev-parse", "HEAD")
    else:
        last = _git("log", "-1", "--format=%H", "--", *DEPLOYED)
        commit = _git("rev-parse", "--verify", "--quiet", f"{last}^")
    if "AutoPublishAlias" not in _git("show", f"{commit}:template.yaml"):
        raise NoHistoryError(f"{commit} publishes no versions of its functions")
    folder = CACHE / commit
    if not (folder / ".aws-sam" / "build" / "template.yaml").exists():
        shutil.rmtree(CACHE, ignore_errors=True)
        archive = _run("archive", commit, "samconfig.toml", *sources.BUILT)
        with tarfile.open(fileobj=BytesIO(archive)) as tree:
            tree.extractall(folder, filter="data")
        sam.build(folder)
    return folder


def _copied(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, target)


def _git(*arguments: str) -> str:
    return _run(*arguments).decode().strip()


def _run(*arguments: str) -> bytes:
    try:
        ran = subprocess.run(["git", *arguments], cwd=REPO, capture_output=True, check=False)
    except FileNotFoundError as missing:
        raise NoHistoryError("git is not installed") from missing
    if ran.returncode != 0:
        said = ran.stderr.decode().strip() or "there is no such commit; the clone may be shallow"
        raise NoHistoryError(f"git {' '.join(arguments)}: {said}")
    return ran.stdout
