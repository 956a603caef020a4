"""The rule of a composite alarm: ALARM("a") AND (OK(b) OR NOT INSUFFICIENT_DATA(c)).

A rule is parsed once into a tree, so that its evaluation can't fail. NOT binds tighter than AND, and
AND tighter than OR.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")

_TOKEN = re.compile(
    r'\s*(?:(?P<word>[A-Z_]+)(?=[\s()]|$)|(?P<sign>[()])|"(?P<quoted>(?:[^"\\]|\\.)*)"'
    r"|(?P<bare>[^\s()\"]+))"
)

#: The state of an alarm by its name.
StateOf = Callable[[str], str]


@dataclass(frozen=True)
class Rule:
    """A parsed rule."""

    holds: Callable[[StateOf], bool]
    children: tuple[str, ...]


def parse(text: str) -> Rule:
    """Parse a rule. Raises ValueError with what is wrong with it."""
    parser = _Parser(text)
    holds = parser.either()
    if parser.tokens:
        raise ValueError(f"unexpected {parser.tokens[0][1]!r}")
    return Rule(holds, tuple(parser.children))


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.children: list[str] = []

    def either(self) -> Callable[[StateOf], bool]:
        parts = [self.both()]
        while self._take("OR"):
            parts.append(self.both())
        return lambda state_of: any(part(state_of) for part in parts)

    def both(self) -> Callable[[StateOf], bool]:
        parts = [self.term()]
        while self._take("AND"):
            parts.append(self.term())
        return lambda state_of: all(part(state_of) for part in parts)

    def term(self) -> Callable[[StateOf], bool]:
        if self._take("NOT"):
            negated = self.term()
            return lambda state_of: not negated(state_of)
        if self._take("("):
            inner = self.either()
            self._expect(")")
            return inner
        for constant in ("TRUE", "FALSE"):
            if self._take(constant):
                return lambda _, value=constant == "TRUE": value  # type: ignore[misc]
        return self.state()

    def state(self) -> Callable[[StateOf], bool]:
        for state in STATES:
            if self._take(state):
                self._expect("(")
                name = self._name()
                self._expect(")")
                self.children.append(name)
                return lambda state_of: state_of(name) == state
        raise ValueError(f"unexpected {self._peek()!r}")

    def _name(self) -> str:
        # Within parentheses every word is the name of an alarm, also AND, OR and NOT.
        if not self.tokens or self.tokens[0] in (("sign", "("), ("sign", ")")):
            raise ValueError("an alarm name is missing")
        return self.tokens.pop(0)[1]

    def _peek(self) -> str:
        return self.tokens[0][1] if self.tokens else "end of rule"

    def _take(self, word: str) -> bool:
        if self.tokens and self.tokens[0] in (("word", word), ("sign", word)):
            self.tokens.pop(0)
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise ValueError(f"expected {sign!r}, found {self._peek()!r}")


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"cannot read {text[at:]!r}")
        kind = str(match.lastgroup)
        value = match[kind]
        tokens.append((kind, re.sub(r"\\(.)", r"\1", value) if kind == "quoted" else value))
        at = match.end()
    return tokens
