"""Big documents made of encoded fragments: one per task, executor, offer, agent and framework.

A fragment is kept with its object until that changes, so a document costs what changed since the
last one, and copying. `warm` encodes what is missing in slices, between which a shell lets others
run; the document itself is then taken at one instant, and so never mixes two moments.

What an agent's or a framework's fragment depends on is in its key: equal keys, equal fragments. Who
adds a field to their documents that depends on something new adds that to the key (`views`); the
property test of fragments compares them with documents made from scratch.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from comity.core import splicing
from comity.core.ascii import escaped
from comity.core.splicing import Skeleton, Spliced
from comity.master import documents, offer_views, views
from comity.master.holdings import Holding
from comity.master.state import Agent, Framework, Offer, State, Task
from comity.wire.mesos import codec

SLICE = 150
"""Objects that are encoded between two yields: about 2 ms."""

_SCAN = 10_000
"""Tasks that are looked at between two yields when all are encoded."""


class Cached(documents.Show):
    """Makes lists of fragments."""

    def tasks(self, framework: Framework, tasks: documents.Tasks) -> Any:
        """Return legacy tasks."""
        return Spliced(lambda show: show.task_fragments(framework, tasks))

    def task_fragments(self, framework: Framework, tasks: documents.Tasks) -> list[bytes]:
        """Return legacy tasks, encoded."""
        if self.sees_all_tasks and isinstance(tasks, Holding):
            return _all_shown(framework, tasks)
        return [one.shown or _show(framework, one) for one in self.seen(framework, tasks)]

    def written_tasks(self, held: Iterable[tuple[Framework, documents.Tasks]]) -> Any:
        """Return tasks as v1 messages."""

        def fill(show: Cached) -> list[bytes]:
            found: list[bytes] = []
            for framework, tasks in held:
                if show.sees_all_tasks and isinstance(tasks, Holding):
                    found += _all_written(tasks)
                else:
                    found += [one.written or _write(one) for one in show.seen(framework, tasks)]
            return found

        return Spliced(fill)

    def each_task(self, tasks: Iterable[tuple[Framework, Task]]) -> Any:
        """Return legacy tasks of several frameworks."""
        return Spliced(lambda show: [one.shown or _show(fw, one) for fw, one in tasks])

    def executors(self, one: Framework) -> Any:
        """Return a framework's executors."""
        return Spliced(lambda show: show.executor_fragments(one))

    def executor_fragments(self, framework: Framework) -> list[bytes]:
        """Return a framework's executors, encoded."""
        found = []
        for (agent_id, _), one in framework.executors.items():
            if not self.may_see_executor(framework, one):
                continue
            if one.shown is None:
                one.shown = _encoded(views.executor(framework, agent_id, one))
            found.append(one.shown)
        return found

    def offers(self, one: Framework) -> Any:
        """Return a framework's offers."""

        def fill(show: Cached) -> list[bytes]:
            found = []
            for offer in one.offers.values():
                if offer.shown is None:
                    offer.shown = _encoded(views.offer(offer))
                found.append(offer.shown)
            return found

        return Spliced(fill)

    def written_offers(self, state: State, one: Framework) -> Any:
        """Return a framework's offers as v1 messages."""

        def fill(show: Cached) -> list[bytes]:
            return [each.written or _write_offer(state, one, each) for each in one.offers.values()]

        return Spliced(fill)

    def agents(
        self,
        state: State,
        agents: Iterable[Agent],
        build: documents.AgentView,
        keys: documents.AgentKeys,
    ) -> Any:
        """Return agents."""

        def fill(show: Cached) -> list[bytes]:
            seen = list(agents)
            found = []
            for key, one in zip(keys(state, seen), seen, strict=True):
                held = one.shown.get(build) if one.shown is not None else None
                if held is not None and held[0] == key:
                    found.append(held[1])
                else:
                    found.append(_agent(state, one, build, key))
            return found

        return Spliced(fill)

    def frameworks(
        self,
        state: State,
        frameworks: Iterable[Framework],
        build: documents.FrameworkView,
        key: documents.FrameworkKey,
    ) -> Any:
        """Return frameworks; their lists of tasks are filled anew each time."""

        def fill(show: Cached) -> list[Skeleton]:
            seen = [one for one in frameworks if show.may_see_framework(one)]
            return [_framework(state, one, build, key) for one in seen]

        return Spliced(fill)


_encoder = msgspec.json.Encoder()


def _encoded(document: Any) -> bytes:
    return escaped(_encoder.encode(document))


def _show(framework: Framework, one: Task) -> bytes:
    one.shown = _encoded(views.task(framework, one))
    return one.shown


def _write(one: Task) -> bytes:
    one.written = codec.encode(views.written(one))
    return one.written


def _write_offer(state: State, framework: Framework, one: Offer) -> bytes:
    one.written = codec.encode(offer_views.read_offer(state, framework, one))
    return one.written


def _agent(state: State, one: Agent, build: documents.AgentView, now: tuple[Any, ...]) -> bytes:
    shown = one.shown
    if shown is None:
        shown = one.shown = {}
    held = shown.get(build)
    if held is not None and held[0] == now:
        return held[1]
    made = _encoded(build(state, one))
    shown[build] = (now, made)
    return made


def _all_shown(framework: Framework, tasks: Holding[Any, Task]) -> list[bytes]:
    kept = tasks.lists.get("shown")
    if kept is None or kept[0] != tasks.version:
        made = [one.shown or _show(framework, one) for one in tasks.values()]
        kept = tasks.lists["shown"] = (tasks.version, made)
    return kept[1]


def _all_written(tasks: Holding[Any, Task]) -> list[bytes]:
    kept = tasks.lists.get("written")
    if kept is None or kept[0] != tasks.version:
        made = [one.written or _write(one) for one in tasks.values()]
        kept = tasks.lists["written"] = (tasks.version, made)
    return kept[1]


def _framework(
    state: State,
    one: Framework,
    build: documents.FrameworkView,
    key: documents.FrameworkKey,
) -> Skeleton:
    now = key(state, one)
    held = one.shown.get(build)
    if held is not None and held[0] == now:
        return held[1]
    made = splicing.skeleton(build(state, one, CACHED))
    one.shown[build] = (now, made)
    return made


CACHED = Cached()


# warming


def warm_tasks(state: State, *, written: bool) -> Iterator[None]:
    """Encode the tasks that changed, a slice between two yields, until few are left."""
    encoded = SLICE + 1
    while encoded > SLICE:
        encoded = work = 0
        for framework in (*state.frameworks.values(), *state.completed_frameworks.values()):
            for one in list(views.all_tasks(framework)):
                work += 1
                if (one.written if written else one.shown) is None:
                    encoded += 1
                    work += _SCAN // SLICE
                    if written:
                        _write(one)
                    else:
                        _show(framework, one)
                if work >= _SCAN:
                    work = 0
                    yield
            for tasks in (framework.tasks, framework.unreachable_tasks):
                yield
                if written:
                    _all_written(tasks)
                else:
                    _all_shown(framework, tasks)


def warm_agents(
    state: State, build: documents.AgentView, keys: documents.AgentKeys
) -> Iterator[None]:
    """Encode the agents that changed, a slice between two yields."""
    agents = list(state.agents.values())
    for start in range(0, len(agents), SLICE):
        yield
        some = agents[start : start + SLICE]
        for key, one in zip(keys(state, some), some, strict=True):
            _agent(state, one, build, key)


def warm_frameworks(
    state: State, build: documents.FrameworkView, key: documents.FrameworkKey
) -> Iterator[None]:
    """Encode the frameworks that changed, and their executors and offers, in slices."""
    frameworks = [*state.frameworks.values(), *state.completed_frameworks.values()]
    for start in range(0, len(frameworks), SLICE):
        yield
        for one in frameworks[start : start + SLICE]:
            _framework(state, one, build, key)
    yield from warm_offers(state)


def warm_offers(state: State) -> Iterator[None]:
    """Encode new offers and executors in slices."""
    offers = [one for one in state.offers.values() if one.shown is None]
    for start in range(0, len(offers), SLICE):
        yield
        for one in offers[start : start + SLICE]:
            one.shown = _encoded(views.offer(one))
    executors = [
        (framework, agent_id, one)
        for framework in state.frameworks.values()
        for (agent_id, _), one in framework.executors.items()
        if one.shown is None
    ]
    for start in range(0, len(executors), SLICE):
        yield
        for framework, agent_id, each in executors[start : start + SLICE]:
            each.shown = _encoded(views.executor(framework, agent_id, each))
