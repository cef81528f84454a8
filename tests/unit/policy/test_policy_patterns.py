"""Patterns of offer constraints: what Python's `re` says, in time that is proportional."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.policy.allocator.patterns import Pattern, PatternInvalid

ATOMS = ["a", "b", ".", "[ab]", "[^a]", r"\d", r"\w", r"\b", "^", "$", "(a|b)", "(?:ab)", "(a|)"]
REPEATS = ["", "*", "+", "?", "{2}", "{1,2}", "{0,1}", "{2,}", "*?"]
PIECES = st.tuples(st.sampled_from(ATOMS), st.sampled_from(REPEATS)).map("".join)
PATTERNS = st.lists(PIECES, max_size=5).map("".join)


@given(PATTERNS, PATTERNS, st.text("ab1 ", max_size=6), st.sampled_from(["", "(?i)"]))
def test_it_matches_what_python_matches(left, right, text, options):
    pattern = f"{options}{left}|({right})+"
    try:
        expected = re.compile(pattern, re.ASCII).fullmatch(text) is not None
    except re.error:
        with pytest.raises(PatternInvalid):
            Pattern(pattern)
        return
    assert Pattern(pattern).matches(text) is expected


@pytest.mark.parametrize("pattern", ["(a|a)*b", "(a*)*b", "(a+)+b", "a*" * 40 + "b"])
def test_what_takes_python_forever_is_quick(pattern):
    assert not Pattern(pattern).matches("a" * 2000)
    assert Pattern(pattern).matches("a" * 2000 + "b")


@pytest.mark.parametrize(
    "pattern",
    ["(", "a{2", "[", "*", r"(a)\1", "(?=a)", "(?!a)", "(?<=a)", "(?P<n>a)(?P=n)", "(?i:a)b"],
)
def test_what_is_not_taken_is_refused(pattern):
    if pattern == "a{2":
        assert Pattern(pattern).matches("a{2")  # as in RE2, a brace that bounds nothing is one
        return
    with pytest.raises(PatternInvalid):
        Pattern(pattern)


@pytest.mark.parametrize("pattern", ["(?>a)", "a*+", "a{2000}", "((a{50}){50}){50}", "(" * 5000])
def test_what_is_too_much_is_refused(pattern):
    with pytest.raises(PatternInvalid):
        Pattern(pattern)


def test_letters_match_without_case_when_asked():
    assert Pattern("(?i)[a-c]X").matches("Bx")
    assert not Pattern("[a-c]X").matches("Bx")
