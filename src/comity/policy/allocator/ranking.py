"""Members in the order of their shares, and the first of them that an agent may serve.

Every member carries a mask: the bits of the clients that are it or lie below it. Sorted blocks,
each with the union of its members' masks, find the first member of a set in a few steps whatever
the set is: a client that refuses everything costs nothing but its bit, where a heap would pop it
for every agent.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from comity.core.errors import InvariantViolated

Key = tuple[float, int, str]
"""Weighted dominant share, times something was given, path: lower comes first."""

BLOCK_MAX = 64


class Ranked(Protocol):
    """What can be ranked; `key` and `mask` change only through its ranking."""

    key: Key
    mask: int


M = TypeVar("M", bound=Ranked)


class Ranking(Generic[M]):
    """Members by key. Keys are unique, since they end in a path."""

    __slots__ = ("_blocks", "_lasts", "_masks", "size")

    def __init__(self) -> None:
        self._blocks: list[list[tuple[float, int, str, M]]] = []
        self._lasts: list[tuple[float, int, str, M]] = []
        """The last entry of each block, to find a key's block by."""
        self._masks: list[int] = []
        self.size = 0

    def __iter__(self) -> Iterator[M]:
        for block in self._blocks:
            for entry in block:
                yield entry[3]

    def only(self) -> M:
        """Return the member of a ranking that has one."""
        return self._blocks[0][0][3]

    def first(self, wanted: int) -> M:
        """Return the first member with a bit in `wanted`; there must be one."""
        for at, mask in enumerate(self._masks):
            if mask & wanted:
                for entry in self._blocks[at]:
                    if entry[3].mask & wanted:
                        return entry[3]
        raise InvariantViolated("nobody that is ranked is wanted")

    def add(self, member: M) -> None:
        """Rank a new member by its key."""
        self.size += 1
        self._insert(member)

    def remove(self, member: M) -> None:
        """Drop a member."""
        self.size -= 1
        self._delete(member)

    def move(self, member: M, key: Key) -> None:
        """Give a member another key."""
        blocks, lasts = self._blocks, self._lasts
        if self.size == 1:
            member.key = key
            blocks[0][0] = lasts[0] = (*key, member)
            return
        first = blocks[0]
        if first[0][3] is member and len(first) > 1:
            # Whoever was given something came first, as a rule ...
            del first[0]
            self._masks[0] ^= member.mask
        else:
            self._delete(member)
        member.key = key
        last = blocks[-1]
        if key > lasts[-1] and len(last) < BLOCK_MAX:
            # ... and comes last now.
            entry = lasts[-1] = (*key, member)
            last.append(entry)
            self._masks[-1] |= member.mask
        else:
            self._insert(member)

    def remask(self, member: M, mask: int) -> None:
        """Give a member another mask."""
        at = bisect_left(self._lasts, member.key)
        self._masks[at] = self._masks[at] & ~member.mask | mask
        member.mask = mask

    def _insert(self, member: M) -> None:
        key, blocks = member.key, self._blocks
        if not blocks:
            entry = (*key, member)
            blocks.append([entry])
            self._lasts.append(entry)
            self._masks.append(member.mask)
            return
        at = min(bisect_left(self._lasts, key), len(blocks) - 1)
        self._put_in(at, bisect_left(blocks[at], key), member)

    def _put_in(self, at: int, place: int, member: M) -> None:
        block, entry = self._blocks[at], (*member.key, member)
        if place == len(block):
            self._lasts[at] = entry
        block.insert(place, entry)
        self._masks[at] |= member.mask
        if len(block) > BLOCK_MAX:
            self._split(at)

    def _split(self, at: int) -> None:
        block = self._blocks[at]
        half = len(block) // 2
        parts = [block[:half], block[half:]]
        masks = []
        for part in parts:
            mask = 0
            for entry in part:
                mask |= entry[3].mask
            masks.append(mask)
        self._blocks[at : at + 1] = parts
        self._lasts[at : at + 1] = [part[-1] for part in parts]
        self._masks[at : at + 1] = masks

    def _delete(self, member: M) -> None:
        at = bisect_left(self._lasts, member.key)
        self._take_out(at, bisect_left(self._blocks[at], member.key), member)

    def _take_out(self, at: int, place: int, member: M) -> None:
        block = self._blocks[at]
        assert block[place][3] is member, "a key changed behind the ranking's back"
        del block[place]
        if not block:
            del self._blocks[at], self._lasts[at], self._masks[at]
            return
        self._masks[at] ^= member.mask
        if place == len(block):
            self._lasts[at] = block[-1]
