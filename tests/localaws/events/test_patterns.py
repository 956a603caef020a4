"""The filters of EventBridge patterns."""

from __future__ import annotations

import pytest
from moto.events.exceptions import InvalidEventPatternException

from localaws.events.patterns import matches, validate

EVENT = {
    "source": "aws.ecr",
    "resources": ["arn:a", "arn:b"],
    "detail": {
        "image-tag": "v1.2",
        "count": 3,
        "flag": True,
        "nothing": None,
        "tags": [{"key": "team", "value": "web"}],
    },
}


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["aws.ecs", "aws.ecr"]},
        {"resources": ["arn:b"]},
        {"detail": {"image-tag": [{"prefix": "v"}]}},
        {"detail": {"image-tag": [{"prefix": ""}]}},
        {"detail": {"image-tag": [{"prefix": {"equals-ignore-case": "V1"}}]}},
        {"detail": {"image-tag": [{"suffix": ".2"}]}},
        {"detail": {"image-tag": [{"wildcard": "v*.*"}]}},
        {"detail": {"image-tag": [{"equals-ignore-case": "V1.2"}]}},
        {"detail": {"image-tag": [{"anything-but": ["latest", "main"]}]}},
        {"detail": {"image-tag": [{"anything-but": {"prefix": "sha256-"}}]}},
        {"detail": {"image-tag": [{"anything-but": {"prefix": ["sha256-", "main"]}}]}},
        {"detail": {"image-tag": [{"anything-but": {"suffix": ".sig"}}]}},
        {"detail": {"image-tag": [{"anything-but": {"wildcard": "*.sig"}}]}},
        {"detail": {"image-tag": [{"exists": True}]}},
        {"detail": {"missing": [{"exists": False}]}},
        {"other": {"missing": [{"exists": False}]}},
        {"detail": {"count": [{"numeric": [">", 0, "<=", 3]}]}},
        {"detail": {"count": [3.0]}},
        {"detail": {"flag": [True]}},
        {"detail": {"nothing": [None]}},
        {"detail": {"tags": {"key": ["team"], "value": ["web"]}}},
        {"$or": [{"source": ["aws.ecs"]}, {"detail": {"count": [3]}}]},
    ],
    ids=str,
)
def test_a_pattern_that_matches(pattern):
    validate(pattern)
    assert matches(pattern, EVENT)


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["aws.ecs"]},
        {"source": ["aws.ecr"], "resources": ["arn:c"]},
        {"detail": {"image-tag": [{"prefix": "1"}]}},
        {"detail": {"image-tag": [{"wildcard": "v*.3"}]}},
        {"detail": {"image-tag": [{"wildcard": "v1?2"}]}},
        {"detail": {"image-tag": [{"anything-but": "v1.2"}]}},
        {"detail": {"image-tag": [{"anything-but": {"prefix": "v"}}]}},
        {"detail": {"image-tag": [{"exists": False}]}},
        {"detail": {"missing": [{"exists": True}]}},
        {"detail": {"missing": [{"anything-but": "x"}]}},
        {"detail": {"count": [{"numeric": [">", 3]}]}},
        {"detail": {"count": ["3"]}},
        {"detail": {"flag": [1]}},
        {"detail": {"tags": {"key": ["web"]}}},
        {"$or": [{"source": ["aws.ecs"]}, {"detail": {"count": [4]}}]},
    ],
    ids=str,
)
def test_a_pattern_that_does_not_match(pattern):
    validate(pattern)
    assert not matches(pattern, EVENT)


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": "aws.ecr"},
        {"source": []},
        {"source": [{"contains": "ecr"}]},
        {"source": [{"anything-but": {"contains": "ecr"}}]},
        {"source": [{"prefix": "a", "suffix": "b"}]},
        {"source": [["aws.ecr"]]},
        ["source"],
    ],
    ids=str,
)
def test_a_pattern_that_nobody_understands_is_refused(pattern):
    with pytest.raises(InvalidEventPatternException):
        validate(pattern)
