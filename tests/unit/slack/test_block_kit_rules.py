"""That the rules which the other tests go by say no at all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.block_kit_rules import problems

TEXT = {"type": "text", "text": "x"}
HEADER = {"type": "header", "text": {"type": "plain_text", "text": "x", "emoji": False}}


def rich(*elements: Any, kind: str = "rich_text_section") -> dict[str, Any]:
    return {"type": "rich_text", "elements": [{"type": kind, "elements": list(elements)}]}


GOOD = {"text": "x", "blocks": [HEADER, rich(TEXT)]}
BAD = {
    "no_text": {"text": " "},
    "msg_too_long": {"text": "x" * 40_001},
    "1 to 50 blocks": {"blocks": [HEADER] * 51},
    "msg_blocks_too_long": {"blocks": [rich({**TEXT, "text": "x" * 13_001})]},
    "less than 151": {"blocks": [{**HEADER, "text": {"type": "plain_text", "text": "🚀" * 76}}]},
    "must be plain_text": {"blocks": [{**HEADER, "text": {"type": "mrkdwn", "text": "x"}}]},
    "more than 0": {"blocks": [rich({**TEXT, "text": ""})]},
    "no elements": {"blocks": [rich()]},
    "unsupported type section": {"blocks": [{"type": "section", "text": TEXT}]},
    "unsupported type user": {"blocks": [rich({"type": "user", "user_id": "U1"})]},
    "unsupported in pre": {
        "blocks": [
            rich(
                {"type": "date", "timestamp": 1, "format": "{time}"}, kind="rich_text_preformatted"
            )
        ]
    },
    "less than 3001": {"blocks": [rich({"type": "link", "url": "x" * 3001})]},
    "unknown style": {"blocks": [rich({**TEXT, "style": {"blink": True}})]},
    "unknown ['x']": {"blocks": [rich({**TEXT, "x": 1})]},
    "missing ['url']": {"blocks": [rich({"type": "link", "text": "x"})]},
}


@pytest.mark.parametrize("problem", BAD)
def test_a_message_that_slack_does_not_take_is_found(problem):
    assert problems(GOOD) == []
    assert any(problem in found for found in problems({**GOOD, **BAD[problem]}))
