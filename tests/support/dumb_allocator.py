"""The textbook's allocator: everything is worked out anew, for every decision.

It shares no code with `comity.policy.allocator` but the values that go in (terms, traits). It says
what the next full cycle must give; the clever one has to give exactly that.
"""

from comity.resources.amounts import NOTHING, Resources


def scalars(resources):
    found = {}
    for kind, amount in resources:
        if isinstance(amount, int):
            found[kind.name] = found.get(kind.name, 0) + amount
    return found


def metered(resources):
    """Return unreserved scalars that are not revocable."""
    return resources.select(
        lambda kind: (
            not kind.reservations and not kind.revocable and isinstance(dict(resources)[kind], int)
        )
    )


def added(*many):
    total = {}
    for one in many:
        for name, amount in one.items():
            total[name] = total.get(name, 0) + amount
    return total


def missing(wanted, have):
    return {n: a - have.get(n, 0) for n, a in wanted.items() if a > have.get(n, 0)}


class DumbAllocator:
    """Agents, frameworks, what is held by whom, what was refused; and nothing that follows."""

    def __init__(self, settings):
        self.settings = settings
        self.agents = {}
        self.inactive = set()
        self.frameworks = {}
        self.away = set()
        self.held = []
        """(agent, framework, role, resources), one each time something was given."""
        self.refusals = []
        """(agent, framework, role, resources, expires)."""
        self.weights = {}
        self.quotas = {}
        self.given = {}
        """How often something was given to a path, `.`-path, or client (a pair)."""

    # who there is

    def clients(self):
        """Return (role, framework) of all that are subscribed, or still hold something."""
        found = {(role, name) for name, one in self.frameworks.items() for role in one["roles"]}
        for client in {(role, name) for _, name, role, _ in self.held}:
            if any(self.held_by(lambda r, n, client=client: (r, n) == client).values()):
                found.add(client)
        return found

    def forget(self):
        """Drop the counts of roles and clients that are no more."""
        clients = self.clients()
        known = set(clients)
        for role, _ in clients:
            known.add(role + "/.")
            parts = role.split("/")
            known |= {"/".join(parts[:n]) for n in range(1, len(parts) + 1)}
        self.given = {key: count for key, count in self.given.items() if key in known}

    def held_by(self, wanted):
        return added(*(scalars(res) for _, name, role, res in self.held if wanted(role, name)))

    def free(self, agent_id):
        left = self.agents[agent_id]["total"]
        for held_agent, _, _, resources in self.held:
            if held_agent == agent_id:
                left = left - resources
        return left

    # the order

    def key(self, name, wanted):
        total = added(*(scalars(one["total"]) for one in self.agents.values()))
        shares = [
            amount / total[kind]
            for kind, amount in self.held_by(wanted).items()
            if total.get(kind) and kind not in self.settings.unfair_names
        ]
        weight = self.weights.get(name, 1.0) if isinstance(name, str) else 1.0
        path = name if isinstance(name, str) else name[1]
        return (max(shares, default=0.0) / weight, self.given.get(name, 0), path)

    def order(self, path=""):
        """Return the clients of a role and of those below it, whose turn it is first."""
        clients = self.clients()
        prefix = path + "/" if path else ""
        own = [one for one in clients if one[0] == path]
        children = {
            prefix + role[len(prefix) :].split("/")[0]
            for role, _ in clients
            if role.startswith(prefix) and role != path
        }
        ranked = [
            (self.key(c, lambda role, _, c=c: role == c or role.startswith(c + "/")), c)
            for c in children
        ]
        if own:
            ranked.append((self.key(path + "/.", lambda role, _: role == path), None))
        found = []
        for _, child in sorted(ranked, key=lambda pair: pair[0]):
            if child is not None:
                found += self.order(child)
            else:
                found += sorted(
                    own, key=lambda one: self.key(one, lambda r, n, one=one: (r, n) == one)
                )
        return found

    # who may have what

    def wants(self, role, name):
        one = self.frameworks.get(name)
        return (
            one is not None
            and name not in self.away
            and role in one["roles"]
            and role not in one["suppressed"]
        )

    def seen(self, agent_id, role, name):
        """Return what of an agent a framework sees for a role; nothing when it may not."""
        agent, terms = self.agents[agent_id], self.frameworks[name]["terms"]
        can = terms.capabilities
        if agent["total"].milli_of("gpus") and "GPU_RESOURCES" not in can:
            return NOTHING
        traits = agent["traits"]
        if traits.region not in (None, self.settings.region) and "REGION_AWARE" not in can:
            return NOTHING
        groups = terms.constraints.get(role)
        if groups is not None and not self.met(groups, traits):
            return NOTHING
        return (
            self.free(agent_id)
            .usable_by(role)
            .select(
                lambda kind: (
                    ("REVOCABLE_RESOURCES" in can or not kind.revocable)
                    and ("RESERVATION_REFINEMENT" in can or len(kind.reservations) < 2)
                )
            )
        )

    def met(self, groups, traits):
        values = {}
        for name, text in traits.attributes:
            values.setdefault((name, False), text)
        values["HOSTNAME", True] = traits.hostname
        if traits.region is not None:
            values["REGION", True] = traits.region
        holds = []
        for group in groups:
            results = []
            for one in group:
                key = (one.selector.name, one.selector.is_pseudo)
                if key not in values:
                    results.append(not one.wants_presence)
                elif one.test is None:
                    results.append(one.wants_presence)
                else:
                    results.append(values[key] is None or one.test(values[key]))
            holds.append(all(results))
        return any(holds)

    def takes(self, agent_id, role, name, resources, now):
        """Whether a framework would be offered just this."""
        if not resources:
            return False
        minimum = self.frameworks[name]["terms"].minimums.get(role, self.settings.minimum)
        have = scalars(resources)
        if minimum and not any(all(have.get(n, 0) >= a for n, a in one) for one in minimum):
            return False
        return not any(
            key == (agent_id, name, role) and expires > now and refused.contains(resources)
            for *key_parts, refused, expires in self.refusals
            if (key := tuple(key_parts))
        )

    # quota

    def consumed(self, top):
        reserved = {}
        for agent in self.agents.values():
            for kind, amount in agent["total"]:
                if kind.reservations and kind.role.split("/")[0] == top:
                    reserved = added(reserved, scalars(Resources({kind: amount})))
        held = [scalars(metered(r)) for _, _, role, r in self.held if role.split("/")[0] == top]
        return {name: amount for name, amount in added(reserved, *held).items() if amount}

    def surplus(self):
        """Return what is free and unreserved beyond what guarantees lack."""
        free = [scalars(metered(self.free(one))) for one in self.agents]
        lacking = [missing(q[0], self.consumed(top)) for top, q in self.quotas.items()]
        required = added(*lacking)
        available = added(*free)
        return {name: available.get(name, 0) - amount for name, amount in required.items()}

    def cut(self, resources, ceiling):
        """Return as much of scalars as a ceiling allows; names that it does not have, whole."""
        left, kept = dict(ceiling), {}
        for kind, amount in resources:
            fits = min(amount, max(0, left[kind.name])) if kind.name in left else amount
            if fits != amount and kind.is_indivisible:
                fits = 0
            kept[kind] = fits
            if kind.name in left:
                left[kind.name] -= fits
        return Resources(kept)

    def allowed(self, top, resources, besides):
        """Return what limits and headroom leave of unreserved scalars."""
        limits = self.quotas.get(top, ({}, {}))[1]
        used = added(self.consumed(top), besides)
        room = {name: limit - used.get(name, 0) for name, limit in limits.items()}
        return self.cut(self.cut(resources, room), self.surplus())

    def fair(self, top, seen):
        mine = metered(seen)
        return seen - mine + self.allowed(top, mine, {})

    def guaranteed(self, top, seen):
        lacking = missing(self.quotas[top][0], self.consumed(top))
        mine = metered(seen)
        first = self.cut(mine.select(lambda kind: kind.name in lacking), lacking)
        if not first:
            return NOTHING
        return seen - mine + first + self.allowed(top, mine - first, scalars(first))

    # a cycle

    def cycle(self, now):
        """Return what a full cycle gives, agents in the order in which they were added."""
        result = []
        agents = [one for one in self.agents if one not in self.inactive]
        for agent_id in agents:
            while self.give(agent_id, now, result, by_guarantee=True):
                pass
        for agent_id in agents:
            while self.give(agent_id, now, result, by_guarantee=False):
                pass
        return result

    def give(self, agent_id, now, result, *, by_guarantee):
        for role, name in self.order():
            if not self.wants(role, name):
                continue
            top = role.split("/")[0]
            seen = self.seen(agent_id, role, name)
            if by_guarantee:
                if not missing(self.quotas.get(top, ({}, {}))[0], self.consumed(top)):
                    continue
                offered = self.guaranteed(top, seen)
            else:
                offered = self.fair(top, seen)
            if self.takes(agent_id, role, name, offered, now):
                self.hold(agent_id, name, role, offered)
                result.append((agent_id, name, role, offered))
                return True
        return False

    def hold(self, agent_id, name, role, resources):
        self.held.append((agent_id, name, role, resources))
        parts = role.split("/")
        for key in [(role, name), role + "/."] + [
            "/".join(parts[:n]) for n in range(1, len(parts) + 1)
        ]:
            self.given[key] = self.given.get(key, 0) + 1
