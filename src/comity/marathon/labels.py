"""Label selectors of `GET /v2/apps?label=`: `a`, `a==b`, `a!=b`, `a in (x,y)`, `a notin (x,y)`.

A comma between selectors means "and". Letters, digits and `.-_` stand for themselves; anything
else is written with a backslash before it.
"""

import re
from collections.abc import Mapping

from msgspec import Struct

from comity.wire.marathon.errors import plain

_TERM = r"(?:\\.|[-A-Za-z0-9_.])+"
_TOKEN = re.compile(rf"\s*(?:(?P<term>{_TERM})|(?P<mark>==|!=|\(|\)|,))")


class Selector(Struct, frozen=True):
    """One condition: the label is there, and its value is (or is not) one of some."""

    key: str
    values: tuple[str, ...] | None = None
    """None: any value will do."""
    negated: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet the condition; an absent label never does."""
        if self.key not in labels:
            return False
        return self.values is None or (labels[self.key] in self.values) is not self.negated


def parse(text: str) -> tuple[Selector, ...]:
    """Return the selectors of a query.

    Raises:
        Refused: 422, when it does not follow the grammar.
    """
    tokens = _tokens(text)
    found: list[Selector] = []
    while tokens:
        found.append(_selector(tokens, text))
        if tokens and tokens.pop(0) != ("mark", ","):
            raise _unreadable(text, "a comma was expected between selectors")
        if not tokens and text.rstrip().endswith(","):
            raise _unreadable(text, "a selector was expected after the comma")
    return tuple(found)


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        found = _TOKEN.match(text, position)
        if found is None:
            raise _unreadable(text, f"unexpected character at {position + 1}")
        kind = found.lastgroup or ""
        tokens.append((kind, re.sub(r"\\(.)", r"\1", found[kind])))
        position = found.end()
    return tokens


def _selector(tokens: list[tuple[str, str]], text: str) -> Selector:
    key = _term(tokens, text)
    if not tokens or tokens[0] == ("mark", ","):
        return Selector(key)
    kind, sign = tokens.pop(0)
    if kind == "mark" and sign in ("==", "!="):
        return Selector(key, (_term(tokens, text),), negated=sign == "!=")
    if kind == "term" and sign in ("in", "notin"):
        return Selector(key, _set(tokens, text), negated=sign == "notin")
    raise _unreadable(text, f"an operator was expected after {key}")


def _set(tokens: list[tuple[str, str]], text: str) -> tuple[str, ...]:
    if not tokens or tokens.pop(0) != ("mark", "("):
        raise _unreadable(text, "a set in parentheses was expected")
    values: list[str] = []
    while tokens and tokens[0] != ("mark", ")"):
        values.append(_term(tokens, text))
        if tokens and tokens[0] == ("mark", ","):
            tokens.pop(0)
    if not tokens:
        raise _unreadable(text, "the set does not end")
    tokens.pop(0)
    return tuple(values)


def _term(tokens: list[tuple[str, str]], text: str) -> str:
    if not tokens or tokens[0][0] != "term":
        raise _unreadable(text, "a name or value was expected")
    return tokens.pop(0)[1]


def _unreadable(text: str, reason: str) -> Exception:
    return plain(422, f"Can not parse label selector {text}. Reason: {reason}")
