"""Mustache without HTML escaping, as far as Universe templates use it.

Variables `{{a.b}}`, `{{{a}}}`, `{{&a}}`; sections `{{#a}}…{{/a}}`, inverted `{{^a}}…{{/a}}`,
comments `{{! … }}`; lines that hold nothing but a section tag or comment vanish whole. Partials
and other delimiters are refused. Rendering is pure text: what a value looks like is decided by
whoever built the context.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from comity.core.errors import ComityError

_TAG = re.compile(r"\{\{(?:\{(?P<raw>.*?)\}|(?P<kind>[#^/!&>=]?)(?P<name>.*?))\}\}", re.DOTALL)

_MISSING = object()


class MustacheError(ComityError):
    """The template is malformed."""


class Section(NamedTuple):
    """A block that is repeated, kept or left out by the value of its name."""

    name: str
    inverted: bool
    parts: "list[str | Section | Variable]"
    source: str
    """The text between the tags, which a function in the context gets."""


class Variable(NamedTuple):
    """A place where a value goes."""

    name: str


Parts = list[str | Section | Variable]
Lambda = Callable[[str], str]


def render(template: str, context: Mapping[str, Any], text: Callable[[Any], str] = str) -> str:
    """Fill `template`; `text` says how a value that is not a string is written."""
    out: list[str] = []
    _fill(parse(template), [context], text, out)
    return "".join(out)


def parse(template: str) -> Parts:
    """Return the template as text, variables and nested sections."""
    root: Parts = []
    open_sections: list[tuple[str, bool, Parts, int]] = []
    parts, last = root, 0
    for found in _TAG.finditer(template):
        kind = "" if found["raw"] is not None else found["kind"]
        name = (found["raw"] if found["raw"] is not None else found["name"]).strip()
        start, end = _bounds(template, found, standalone=kind in ("#", "^", "/", "!"))
        if start > last:
            parts.append(template[last:start])
        last = end
        if kind in ("", "&"):
            parts.append(Variable(name))
        elif kind in ("#", "^"):
            open_sections.append((name, kind == "^", parts, end))
            parts = []
        elif kind == "/":
            if not open_sections or open_sections[-1][0] != name:
                raise MustacheError(f"{{{{/{name}}}}} closes a section that is not open")
            _, inverted, outer, begun = open_sections.pop()
            outer.append(Section(name, inverted, parts, template[begun:start]))
            parts = outer
        elif kind != "!":
            raise MustacheError(f"{found[0]}: partials and other delimiters are not supported")
    if open_sections:
        raise MustacheError(f"section {{{{#{open_sections[-1][0]}}}}} is not closed")
    if last < len(template):
        parts.append(template[last:])
    return root


def _bounds(template: str, found: re.Match[str], *, standalone: bool) -> tuple[int, int]:
    """Where the tag begins and ends; a tag alone on its line takes the line with it."""
    start, end = found.span()
    if not standalone:
        return start, end
    line_start = template.rfind("\n", 0, start) + 1
    newline = template.find("\n", end)
    line_end = len(template) if newline < 0 else newline + 1
    if template[line_start:start].strip() or template[end:line_end].strip():
        return start, end
    return line_start, line_end


def _fill(parts: Parts, stack: list[Any], text: Callable[[Any], str], out: list[str]) -> None:
    for part in parts:
        if isinstance(part, str):
            out.append(part)
        elif isinstance(part, Variable):
            value = _lookup(part.name, stack)
            if value is not _MISSING and value is not None:
                out.append(value if isinstance(value, str) else text(value))
        else:
            _fill_section(part, stack, text, out)


def _fill_section(
    section: Section, stack: list[Any], text: Callable[[Any], str], out: list[str]
) -> None:
    value = _lookup(section.name, stack)
    if callable(value):
        out.append(value(section.source))
        return
    is_true = value is not _MISSING and value is not None and value is not False and value != ""
    if isinstance(value, Sequence) and not isinstance(value, str):
        is_true = len(value) > 0
    if section.inverted or not is_true:
        if section.inverted and not is_true:
            _fill(section.parts, stack, text, out)
        return
    items = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    for item in items:
        _fill(section.parts, [*stack, item], text, out)


def _lookup(name: str, stack: list[Any]) -> Any:
    """Find `a.b.c`: `a` in the innermost context that has it, the rest inside that value."""
    if name == ".":
        return stack[-1]
    first, *rest = name.split(".")
    for context in reversed(stack):
        if isinstance(context, Mapping) and first in context:
            value = context[first]
            break
    else:
        return _MISSING
    for key in rest:
        if not isinstance(value, Mapping) or key not in value:
            return _MISSING
        value = value[key]
    return value
