"""Patterns of offer constraints, matched in time proportional to the text, as RE2 does.

Frameworks send patterns, and Python's own matcher takes exponential time for some: one of them
would stop the master. So `re` only parses here; a set of states walks over the text. What RE2 does
not have (back references, looking around) is refused, and so is a pattern of too many states.
"""

import re
import warnings
from collections.abc import Callable
from re import _constants as ops  # type: ignore[attr-defined]  # typeshed does not have it
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

STATES_MAX = 1000
"""What a pattern may expand to; Mesos bounds RE2's program in the same way."""

Step = Callable[[str], bool]
Condition = Callable[[str, int], bool]


class PatternInvalid(ValueError):
    """No pattern, or one that is not taken; the text says why."""


class Pattern:
    """A compiled pattern."""

    def __init__(self, text: str) -> None:
        """Compile.

        Raises:
            PatternInvalid: it is none, or too large.
        """
        # Of each state: the test for the next character with the state after it, and the states
        # that are reached without one, perhaps under a condition.
        self._steps: list[tuple[Step, int] | None] = []
        self._jumps: list[list[tuple[int, Condition | None]]] = []
        self._text = text
        tree = _parsed(text)
        self._ignores_case = bool(tree.state.flags & re.IGNORECASE)
        self._dot_is_all = bool(tree.state.flags & re.DOTALL)
        self._start = self._state()
        self._end = self._sequence(tree, self._start)

    def matches(self, text: str) -> bool:
        """Whether the whole of a text matches."""
        current = self._closure([self._start], text, 0)
        for at, character in enumerate(text):
            reached = []
            for state in current:
                step = self._steps[state]
                if step is not None and step[0](character):
                    reached.append(step[1])
            current = self._closure(reached, text, at + 1)
            if not current:
                return False
        return self._end in current

    def _closure(self, states: list[int], text: str, at: int) -> dict[int, None]:
        """Return the states with all that follow without a character, each once."""
        found: dict[int, None] = {}
        pending = states
        while pending:
            state = pending.pop()
            if state not in found:
                found[state] = None
                for after, condition in self._jumps[state]:
                    if condition is None or condition(text, at):
                        pending.append(after)
        return found

    # compiling: each piece starts at a state that exists, and returns the state it ends in

    def _state(self) -> int:
        if len(self._steps) >= STATES_MAX:
            raise PatternInvalid(f"Regex '{self._text}' is too complex: over {STATES_MAX} states")
        self._steps.append(None)
        self._jumps.append([])
        return len(self._steps) - 1

    def _jump(self, start: int, end: int, condition: Condition | None = None) -> None:
        self._jumps[start].append((end, condition))

    def _sequence(self, items: Any, start: int) -> int:
        for op, argument in items:
            start = self._item(op, argument, start)
        return start

    def _item(self, op: Any, argument: Any, start: int) -> int:
        if op is ops.BRANCH:
            end = self._state()
            for arm in argument[1]:
                entry = self._state()
                self._jump(start, entry)
                self._jump(self._sequence(arm, entry), end)
            return end
        if op is ops.SUBPATTERN:
            _, added, removed, items = argument
            if added or removed:
                raise PatternInvalid(
                    f"Regex '{self._text}': options for a part of a pattern are not supported; "
                    "write them at its start"
                )
            return self._sequence(items, start)
        if op in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            return self._repeat(argument, start)
        end = self._state()
        if op is ops.AT:
            self._jump(start, end, self._condition(argument))
        else:
            entry = self._state()  # a state of its own, so that no other step starts here
            self._jump(start, entry)
            self._steps[entry] = (self._step(op, argument), end)
        return end

    def _repeat(self, argument: tuple[int, int, Any], start: int) -> int:
        least, most, items = argument
        for _ in range(least):
            start = self._sequence(items, start)
        end = self._state()
        if most is ops.MAXREPEAT:
            loop = self._state()
            self._jump(start, loop)
            self._jump(self._sequence(items, loop), loop)
            self._jump(loop, end)
            return end
        self._jump(start, end)
        for _ in range(most - least):
            start = self._sequence(items, start)
            self._jump(start, end)
        return end

    def _condition(self, place: Any) -> Condition:
        if place in (ops.AT_BEGINNING, ops.AT_BEGINNING_STRING):
            return lambda _, at: at == 0
        if place in (ops.AT_END, ops.AT_END_STRING):
            return lambda text, at: at == len(text)
        if place is ops.AT_BOUNDARY:
            return _is_boundary
        if place is ops.AT_NON_BOUNDARY:
            return lambda text, at: not _is_boundary(text, at)
        raise PatternInvalid(f"Regex '{self._text}': {place} is not supported")

    def _step(self, op: Any, argument: Any) -> Step:
        if op is ops.LITERAL:
            return self._among({chr(argument)})
        if op is ops.NOT_LITERAL:
            literal = self._among({chr(argument)})
            return lambda character: not literal(character)
        if op is ops.ANY:
            return (lambda _: True) if self._dot_is_all else (lambda character: character != "\n")
        if op is ops.IN:
            return self._class(argument)
        raise PatternInvalid(f"Regex '{self._text}': {op} is not supported")

    def _class(self, items: Any) -> Step:
        is_negated = items[0][0] is ops.NEGATE
        tests = [self._class_item(op, value) for op, value in items if op is not ops.NEGATE]
        return lambda character: any(test(character) for test in tests) is not is_negated

    def _class_item(self, op: Any, value: Any) -> Step:
        if op is ops.LITERAL:
            return self._among({chr(value)})
        if op is ops.RANGE:
            low, high = chr(value[0]), chr(value[1])
            if not self._ignores_case:
                return lambda character: low <= character <= high
            return lambda character: any(
                low <= one <= high for one in (character.lower(), character.upper())
            )
        if op is ops.CATEGORY:
            return _CATEGORIES[value]
        raise PatternInvalid(f"Regex '{self._text}': {op} is not supported")

    def _among(self, wanted: set[str]) -> Step:
        if not self._ignores_case:
            return lambda character: character in wanted
        lower = {one.lower() for one in wanted}
        return lambda character: character.lower() in lower


def _parsed(text: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return parser.parse(text)
    except (re.error, RecursionError, OverflowError, Warning) as error:
        raise PatternInvalid(f"Failed to construct regex from pattern '{text}': {error}") from error


def _is_word(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character == "_")


def _is_boundary(text: str, at: int) -> bool:
    before = at > 0 and _is_word(text[at - 1])
    after = at < len(text) and _is_word(text[at])
    return before != after


def _not(step: Step) -> Step:
    return lambda character: not step(character)


def _is_digit(character: str) -> bool:
    return "0" <= character <= "9"


def _is_space(character: str) -> bool:
    return character in "\t\n\f\r "


_CATEGORIES: dict[Any, Step] = {
    ops.CATEGORY_DIGIT: _is_digit,
    ops.CATEGORY_NOT_DIGIT: _not(_is_digit),
    ops.CATEGORY_SPACE: _is_space,
    ops.CATEGORY_NOT_SPACE: _not(_is_space),
    ops.CATEGORY_WORD: _is_word,
    ops.CATEGORY_NOT_WORD: _not(_is_word),
}
"""ASCII only, as in RE2."""
