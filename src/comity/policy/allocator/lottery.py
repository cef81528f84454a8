"""Who comes next by chance instead of by share: the `random` sorters.

What a role's own frameworks may hope for is their weight's part among the siblings that want
anything at all, times that of every role above; frameworks of one role are alike (Mesos:
src/master/allocator/mesos/sorter/random).
"""

import random
from collections.abc import Iterator

from comity.policy.allocator.tree import Client, Node, RoleTree


class Lottery:
    """Draws roles, or frameworks, or both; what is not drawn comes in the order of shares."""

    def __init__(
        self, tree: RoleTree, chance: random.Random, *, roles: bool, frameworks: bool
    ) -> None:
        self._tree = tree
        self._chance = chance
        self._draws_roles = roles
        self._draws_frameworks = frameworks
        self._parts: dict[Node, float] = {}
        self._members: dict[Node, list[Client]] = {}

    def begin(self, wanting: int) -> None:
        """Work out what everybody's chances are in a cycle; `wanting`: the clients that ask."""
        self._parts = dict(_parts(self._tree.root, wanting, 1.0))
        self._members = {}

    def pick(self, wanted: int) -> Client | None:
        """Return whose turn it is among the clients whose bits are in `wanted`."""
        if not wanted:
            return None
        leaf = self._drawn_leaf(wanted) if self._draws_roles else self._next_leaf(wanted)
        if self._draws_frameworks:
            return self._drawn_client(leaf, wanted)
        first = leaf.ranking.first(wanted)
        assert type(first) is Client
        return first

    def _drawn_leaf(self, wanted: int) -> Node:
        leaves = [leaf for leaf in self._parts if leaf.mask & wanted]
        return self._chance.choices(leaves, [self._parts[leaf] for leaf in leaves])[0]

    def _next_leaf(self, wanted: int) -> Node:
        node = self._tree.root
        while type(child := node.ranking.first(wanted)) is Node:
            node = child
        return node

    def _drawn_client(self, leaf: Node, wanted: int) -> Client:
        members = self._members.get(leaf)
        if members is None:
            members = [one for one in leaf.ranking if type(one) is Client]
            self._members[leaf] = members
        for _ in range(8):
            # Most of them want most agents: drawing again is cheaper than looking at all.
            one = self._chance.choice(members)
            if one.mask & wanted:
                return one
        return self._chance.choice([one for one in members if one.mask & wanted])


def _parts(node: Node, wanting: int, part: float) -> Iterator[tuple[Node, float]]:
    """Yield the nodes that hold frameworks, each with its chance of being drawn."""
    children = [one for one in node.ranking if type(one) is Node and one.mask & wanting]
    whole = sum(one.weight for one in children)
    for child in children:
        own = part * child.weight / whole
        if type(child.ranking.first(child.mask)) is Client:
            yield child, own
        else:
            yield from _parts(child, wanting, own)
