"""Sets of integers as sorted, disjoint, never adjacent ranges: ports, mostly."""

from collections.abc import Iterable

Ranges = tuple[tuple[int, int], ...]
"""(begin, end) pairs, both ends included."""


def normalize(pairs: Iterable[tuple[int, int]]) -> Ranges:
    """Return the ranges that cover the same integers; overlaps and neighbours are joined.

    Raises:
        ValueError: a pair whose begin is after its end.
    """
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(pairs):
        if begin > end:
            raise ValueError(f"a range must not end before it begins: [{begin}-{end}]")
        if joined and begin <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return tuple(joined)


def add(left: Ranges, right: Ranges) -> Ranges:
    """Return the union."""
    return normalize(left + right) if left and right else left or right


def subtract(left: Ranges, right: Ranges) -> Ranges:
    """Return what is in `left` and not in `right`."""
    if not right:
        return left
    rest: list[tuple[int, int]] = []
    for begin, end in left:
        start = begin
        for taken_begin, taken_end in right:
            if taken_end < start or taken_begin > end:
                continue
            if taken_begin > start:
                rest.append((start, taken_begin - 1))
            start = taken_end + 1
        if start <= end:
            rest.append((start, end))
    return tuple(rest)


def contains(left: Ranges, right: Ranges) -> bool:
    """Whether every integer of `right` is in `left`."""
    return all(
        any(begin <= inner_begin and inner_end <= end for begin, end in left)
        for inner_begin, inner_end in right
    )


def overlaps(left: Ranges, right: Ranges) -> bool:
    """Whether some integer is in both."""
    return any(
        begin <= other_end and other_begin <= end
        for begin, end in left
        for other_begin, other_end in right
    )


def size(ranges: Ranges) -> int:
    """Return how many integers there are."""
    return sum(end - begin + 1 for begin, end in ranges)
