"""The tree of roles: what each holds, counted against its ancestors too, and whose turn it is.

At every level the child with the lowest dominant share, divided by its weight, comes first; ties go
to the one that was given something less often, then to the path. A role's own frameworks stand
beside its child roles as one child `.`, and among themselves in the order of their shares (Mesos:
src/master/allocator/mesos/sorter/drf).
"""

from collections import defaultdict

from comity.core.ids import FrameworkId
from comity.policy.allocator.portions import Portion, Quantities, add
from comity.policy.allocator.ranking import Key, Ranking

WEIGHT_DEFAULT = 1.0

Step = tuple[str, int, int]
"""A scalar's name, how much of it is given, and how much there is; 0: it counts for no share."""


class Holder:
    """What can hold resources: a role, the frameworks of a role, a framework in a role."""

    __slots__ = ("allocated", "given", "key", "mask", "name", "parent", "share", "weight")

    def __init__(self, name: str, parent: "Node | None", mask: int, weight: float) -> None:
        self.name = name
        self.parent = parent
        self.mask = mask
        self.weight = weight
        self.allocated: Quantities = defaultdict(int)
        self.given = 0
        self.share = 0.0
        self.key: Key = (0.0, 0, name)

    @property
    def holds_nothing(self) -> bool:
        """Whether all that it was given has been released."""
        return not any(self.allocated.values())


class Client(Holder):
    """A framework in a role. Its bit stands for it in every mask."""

    __slots__ = ("framework_id", "role")

    def __init__(self, framework_id: FrameworkId, leaf: "Node", role: "Node", bit: int) -> None:
        super().__init__(framework_id, leaf, bit, WEIGHT_DEFAULT)
        self.framework_id = framework_id
        self.role = role


class Node(Holder):
    """A role, or the child `.` of one that stands for its own frameworks."""

    __slots__ = ("chain", "children", "clients", "leaf", "ranking", "top", "unmetered")

    def __init__(self, path: str, parent: "Node | None", weight: float = WEIGHT_DEFAULT) -> None:
        super().__init__(path, parent, 0, weight)
        self.ranking: Ranking[Holder] = Ranking()
        self.children: dict[str, Node] = {}
        self.clients: dict[FrameworkId, Client] = {}
        self.leaf: Node | None = None
        self.unmetered: Quantities = {}
        """Of the allocated what does not count against quota; kept for top-level roles."""
        self.top: Node = self
        """The top-level role that it is, or is below; itself for the root."""
        self.chain: tuple[Node, ...] = ()
        """It and its ancestors below the root, from here upwards."""
        if parent is not None:
            self.chain = (self, *parent.chain)
            self.top = self.chain[-1]


class RoleTree:
    """All roles that have frameworks, or had some that still hold something."""

    def __init__(self, unfair_names: frozenset[str] = frozenset()) -> None:
        self.root = Node("", None)
        self.total: Quantities = {}
        self._counted: Quantities = {}
        """Of the total what shares are fractions of."""
        self._unfair_names = unfair_names
        self._weights: dict[str, float] = {}
        self._stale: dict[Holder, None] = {}
        self._all_stale = False

    # the shape

    def find(self, path: str) -> Node | None:
        """Return a role, if there is one."""
        node: Node | None = self.root
        for part in path.split("/"):
            node = node.children.get(part) if node is not None else None
        return node

    def join(self, path: str, framework_id: FrameworkId, bit: int) -> Client:
        """Add a framework to a role."""
        role = self._made(path)
        if role.leaf is None:
            role.leaf = Node(f"{path}/.", role)
            role.ranking.add(role.leaf)
        client = Client(framework_id, role.leaf, role, bit)
        role.clients[framework_id] = client
        role.leaf.ranking.add(client)
        for holder in role.leaf.chain:
            assert holder.parent is not None
            holder.parent.ranking.remask(holder, holder.mask | bit)
        return client

    def leave(self, client: Client) -> None:
        """Take a framework that holds nothing out of a role, and roles that nobody needs."""
        role, leaf = client.role, client.parent
        assert leaf is not None
        leaf.ranking.remove(client)
        self._stale.pop(client, None)
        del role.clients[client.framework_id]
        for holder in leaf.chain:
            assert holder.parent is not None
            holder.parent.ranking.remask(holder, holder.mask & ~client.mask)
        if not role.clients:
            role.ranking.remove(leaf)
            self._stale.pop(leaf, None)
            role.leaf = None
        self._prune(role)

    def _made(self, path: str) -> Node:
        node, walked = self.root, ""
        for part in path.split("/"):
            walked = f"{walked}/{part}" if walked else part
            child = node.children.get(part)
            if child is None:
                child = Node(walked, node, self._weights.get(walked, WEIGHT_DEFAULT))
                node.children[part] = child
                node.ranking.add(child)
            node = child
        return node

    def _prune(self, node: Node) -> None:
        while node.parent is not None and not node.clients and not node.children:
            parent = node.parent
            parent.ranking.remove(node)
            self._stale.pop(node, None)
            del parent.children[node.name.rpartition("/")[2]]
            node = parent

    # what is held

    def change(self, client: Client, portion: Portion, sign: int) -> None:
        """Count what a client got or gave back between two cycles."""
        add(client.allocated, portion.quantities, sign)
        self._stale[client] = None
        leaf = client.parent
        assert leaf is not None
        for node in leaf.chain:
            add(node.allocated, portion.quantities, sign)
            self._stale[node] = None
        if portion.unmetered:
            add(client.role.top.unmetered, portion.unmetered, sign)

    def give(self, client: Client, portion: Portion) -> None:
        """Count what a client gets, and let the order follow at once."""
        quantities = portion.quantities
        leaf = client.parent
        assert leaf is not None
        self._grow(client, leaf.ranking, quantities)
        for node in leaf.chain:
            assert node.parent is not None
            ranking = node.parent.ranking
            if ranking.size > 1:
                self._grow(node, ranking, quantities)
            else:
                self._count(node, quantities, 1)
        if portion.unmetered:
            add(client.role.top.unmetered, portion.unmetered)

    def only_leaf(self) -> Node | None:
        """Return where all clients are, if all are in one role; it is compared with nobody."""
        node = self.root
        while node.ranking.size:
            child = next(iter(node.ranking))
            if type(child) is not Node:
                return node
            if node.ranking.size > 1:
                return None
            node = child
        return None

    def steps_of(self, portion: Portion) -> list[Step]:
        """Return a portion's scalars, each with what it is a fraction of, for `give_in`."""
        return [(name, amount, self._counted.get(name, 0)) for name, amount in portion.quantities]

    def give_in(self, leaf: Node, client: Client, steps: list[Step]) -> None:
        """Count what a client of the only role gets, but for what `count_in` counts."""
        allocated, share = client.allocated, client.share
        for name, amount, whole in steps:
            allocated[name] = held = allocated[name] + amount
            if whole and (fraction := held / whole) > share:
                share = fraction
        client.share = share
        client.given = given = client.given + 1
        leaf.ranking.move(client, (share / client.weight, given, client.name))

    def count_in(self, leaf: Node, portion: Portion, times: int) -> None:
        """Count what the only role was given."""
        for node in leaf.chain:
            self._count(node, portion.quantities, times)
        if portion.unmetered:
            add(leaf.top.unmetered, portion.unmetered, times)

    def _count(self, node: Node, quantities: tuple[tuple[str, int], ...], times: int) -> None:
        """Count what a node got that nobody is to be compared with, until somebody joins."""
        add(node.allocated, quantities, times)
        node.given += times
        self._stale[node] = None

    def _grow(
        self, holder: Holder, ranking: Ranking[Holder], quantities: tuple[tuple[str, int], ...]
    ) -> None:
        counted, allocated, share = self._counted, holder.allocated, holder.share
        for name, amount in quantities:
            allocated[name] = held = allocated[name] + amount
            if name in counted:
                fraction = held / counted[name]
                if fraction > share:
                    share = fraction
        holder.share = share
        holder.given += 1
        ranking.move(holder, (share / holder.weight, holder.given, holder.name))

    # the order

    def set_weight(self, path: str, weight: float) -> None:
        """Let a role count for more, or less, among its siblings."""
        self._weights[path] = weight
        node = self.find(path)
        if node is not None:
            node.weight = weight
            self._stale[node] = None

    def grow(self, total: tuple[tuple[str, int], ...], sign: int) -> None:
        """Count an agent in, or out."""
        add(self.total, total, sign)
        self._counted = {
            name: whole
            for name, whole in self.total.items()
            if whole > 0 and name not in self._unfair_names
        }
        self._all_stale = True

    def settle(self) -> None:
        """Bring the order up to date before a cycle."""
        if self._all_stale:
            self._settle_below(self.root)
        else:
            for holder in self._stale:
                self._rank(holder)
        self._stale.clear()
        self._all_stale = False

    def _settle_below(self, node: Node) -> None:
        for holder in list(node.ranking):
            self._rank(holder)
            if isinstance(holder, Node):
                self._settle_below(holder)

    def _rank(self, holder: Holder) -> None:
        assert holder.parent is not None
        holder.share = self.share_of(holder)
        key = (holder.share / holder.weight, holder.given, holder.name)
        if key != holder.key:
            holder.parent.ranking.move(holder, key)

    def share_of(self, holder: Holder) -> float:
        """Return the largest fraction of a scalar's total that it holds, before weights."""
        counted = self._counted
        shares = [held / counted[n] for n, held in holder.allocated.items() if n in counted]
        return max(shares, default=0.0)

    def pick(self, wanted: int) -> Client | None:
        """Return whose turn it is among the clients whose bits are in `wanted`."""
        node: Holder = self.root
        while wanted and type(node) is Node:
            ranking = node.ranking
            # What is wanted is below this node: where there is one child, it is below that.
            node = ranking.only() if ranking.size == 1 else ranking.first(wanted)
        return node if type(node) is Client else None
