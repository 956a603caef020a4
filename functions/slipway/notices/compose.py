"""Makes the notice from the news. Every rule about what a notice contains is here."""

from __future__ import annotations

from datetime import datetime

from slipway.aws import resource_name
from slipway.errors import reason_of
from slipway.notices.current_state import CurrentState
from slipway.notices.news import News, without_registries
from slipway.notices.next_steps import commands_of, links_of
from slipway.notices.notice import TITLE_LENGTH, Kind, Notice
from slipway.notices.sanitize import harmless
from slipway.notices.wording import meaning_of, title_of
from slipway.text import one_line, truncate


def notice_of(news: News, state: CurrentState, now: datetime, operate: str) -> Notice:
    """The notice of the news, with all text from outside made harmless.

    Args:
        now: when Notify got the news.
        operate: the name of the function Operate, for the commands.
    """
    ended = news.kind == "end"
    notice = Notice(
        kind=Kind(news.kind),
        about=news.about,
        at=now,
        outcome=news.outcome,
        title=truncate(one_line(title_of(news)), TITLE_LENGTH),
        meaning=meaning_of(news),
        reason=news.sentence if ended else "",
        cause=news.cause,
        evidence=tuple(reason_of(fact) for fact in news.evidence),
        log=state.log,
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


def _name(arn: str | None) -> str | None:
    return resource_name(arn) if arn else None
