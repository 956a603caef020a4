"""Makes the notice from the news. Every rule about what a notice contains is here."""

from __future__ import annotations

import re
from datetime import datetime

from slipway.aws import resource_name
from slipway.errors import reason_of
from slipway.notices.current_state import CurrentState
from slipway.notices.news import News, without_registries
from slipway.notices.next_steps import commands_of, links_of
from slipway.notices.notice import TITLE_LENGTH, Kind, Notice
from slipway.notices.sanitize import harmless
from slipway.notices.wording import meaning_of, title_of
from slipway.redaction import masked
from slipway.text import ELLIPSIS, one_line, truncate

LINE_LENGTH = 1_000
"""Characters of a line of the reason. A plan's wrong fields are more characters, but have a line each."""
STOPPED_BY_LENGTH = 300
"""Characters of such a line about a deployment that people have been notified of before."""
REPEATED_LENGTH = 60
REST = "(the execution has the rest)"


def notice_of(news: News, state: CurrentState, now: datetime, operate: str) -> Notice:
    """The notice of the news, with all text from outside made harmless.

    Args:
        now: when Notify got the news.
        operate: the name of the function Operate, for the commands.
    """
    # Masked before it is cut: half a secret would not look like one.
    [reason] = masked([news.sentence if news.kind == "end" else ""])
    longest = STOPPED_BY_LENGTH if news.stopped_by else LINE_LENGTH
    shown = "\n".join(_shown(line, longest) for line in reason.split("\n"))
    facts = (_not_said(reason_of(fact), reason, shown) for fact in news.evidence)
    notice = Notice(
        kind=Kind(news.kind),
        about=news.about,
        at=now,
        outcome=news.outcome,
        title=truncate(one_line(title_of(news)), TITLE_LENGTH),
        meaning=meaning_of(news),
        reason=shown,
        cause=news.cause,
        evidence=tuple(filter(None, facts)),
        log=state.log,
        remaining_stages=news.remaining_stages,
        service=news.service,
        stage=news.stage,
        repository=news.image.repository if news.image else news.repository,
        image=news.image,
        tag=(news.image.tag if news.image else None) or news.tag,
        started_by=news.started_by,
        by=news.by,
        task_definition=_name(news.task_definition),
        rollback_target=_name(news.rollback_target),
        rollback_target_images=without_registries(news.rollback_target_images),
        running=state.running,
        gates=news.gates,
        alarms_firing=news.alarms_firing,
        execution=news.execution,
        links=links_of(news, state.log),
        commands=commands_of(news, operate),
    )
    return harmless(notice)


def _shown(line: str, longest: int) -> str:
    """A line of the reason, cut: the execution has the rest."""
    return line if len(line) <= longest else f"{truncate(line, longest)} {REST}"


def _not_said(fact: str, reason: str, shown: str) -> str:
    """What the reason does not say of a fact; empty if it says the whole.

    A fact often ends with the words of AWS that the reason ends with, too, and they may be many. A part of
    the fact that is short, such as a name, may be in the reason by chance, so it stays.

    Args:
        shown: the reason, with its lines cut.
    """
    said = fact.removesuffix(ELLIPSIS)
    if re.search(rf"(?<!\w){re.escape(said)}(?!\w)", shown):
        return ""
    for colon in re.finditer(": ", said):
        rest = said[colon.end() :]
        if len(rest) >= REPEATED_LENGTH and rest in reason and rest[:REPEATED_LENGTH] in shown:
            return f"{said[: colon.end()]}as said above"
    return fact


def _name(arn: str | None) -> str | None:
    return resource_name(arn) if arn else None
