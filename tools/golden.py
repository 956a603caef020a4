"""Writes tests/golden/: each notice of tests/support/notices.py, in each of its forms.

After a change of the notices, read the difference of these files.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden"
sys.path.insert(0, str(ROOT / "functions"))

if TYPE_CHECKING:
    from slipway.notices.notice import Notice


def _email(notice: Notice) -> str:
    from slipway.notices.email import subject_of, text_of

    return f"{subject_of(notice)}\n\n{text_of(notice)}"


def _chat(notice: Notice) -> str:
    from slipway.notices.chat import chat_of

    return _json(json.loads(chat_of(notice)))


def _slack(notice: Notice) -> str:
    from slipway.slack.blocks import message_of

    return _json(message_of(notice))


def _slack_thread(notice: Notice) -> str | None:
    from slipway.slack.blocks import details_of

    details = details_of(notice)
    return _json(details) if details else None


def _slack_webhook(notice: Notice) -> str:
    from slipway.slack.blocks import whole_of

    return _json(whole_of(notice))


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


# For each folder, the suffix of its files and what makes their text. None: this notice has no such form.
RENDERERS: dict[str, tuple[str, Callable[[Notice], str | None]]] = {
    "notices": (".json", lambda notice: _json(notice.to_json())),
    "email": (".txt", _email),
    "chat": (".json", _chat),
    "slack": (".json", _slack),
    "slack_thread": (".json", _slack_thread),
    "slack_webhook": (".json", _slack_webhook),
}


def golden() -> dict[Path, str]:
    """The text of each file."""
    from tests.support.notices import NOTICES

    return {
        GOLDEN / folder / f"{name}{suffix}": content
        for folder, (suffix, render) in RENDERERS.items()
        for name, notice in NOTICES.items()
        if (content := render(notice)) is not None
    }


def stale() -> list[Path]:
    """The files that no notice belongs to any more."""
    return sorted({path for path in GOLDEN.rglob("*") if path.is_file()} - golden().keys())


def main() -> int:
    """Write them all, and remove the rest."""
    for path, content in golden().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for path in stale():
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
