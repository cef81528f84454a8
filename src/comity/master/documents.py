"""Whole answers of the legacy endpoints, put together from the documents of single objects.

Lists of tasks, agents and frameworks are left to a `Show`, which knows what the caller may see;
that of `fragments` takes objects as they were encoded before. An answer is taken at one instant.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, NamedTuple

from comity.core import release
from comity.core.ids import FrameworkId
from comity.master import offer_views, settings, views
from comity.master.config import VERSION
from comity.master.holdings import Holding
from comity.master.state import Agent, Executor, Framework, State, Task

Document = dict[str, Any]

Tasks = Holding[Any, Task] | Iterable[Task]

AgentView = Callable[[State, Agent], Document]
AgentKeys = Callable[[State, Iterable[Agent]], list[tuple[Any, ...]]]
FrameworkView = Callable[[State, Framework, "Show"], Document]
FrameworkKey = Callable[[State, Framework], tuple[Any, ...]]


class Show:
    """Makes the lists of big documents for one caller: here plainly, each item anew."""

    def may_see_framework(self, framework: Framework) -> bool:
        """Whether the caller may see a framework at all."""
        return True

    def may_see_task(self, framework: Framework, one: Task) -> bool:
        """Whether the caller may see a task of a framework that it may see."""
        return True

    def may_see_executor(self, framework: Framework, one: Executor) -> bool:
        """Whether the caller may see an executor of a framework that it may see."""
        return True

    key: tuple[Any, ...] = ()
    """Callers of whom this is equal see the same."""

    def may_see_flags(self) -> bool:
        """Whether the caller may see the master's settings."""
        return True

    sees_all_tasks = True
    """Whether `may_see_task` is always true."""

    def seen(self, framework: Framework, tasks: Tasks) -> Iterable[Task]:
        """Return those tasks that the caller may see."""
        held = tasks.values() if isinstance(tasks, Holding) else tasks
        if self.sees_all_tasks:
            return held
        return [one for one in held if self.may_see_task(framework, one)]

    def sees_any(self, framework: Framework, tasks: Tasks) -> bool:
        """Whether the caller may see one of these tasks at least."""
        return any(True for _ in self.seen(framework, tasks))

    def tasks(self, framework: Framework, tasks: Tasks) -> Any:
        """Return legacy tasks."""
        return [views.task(framework, one) for one in self.seen(framework, tasks)]

    def each_task(self, tasks: Iterable[tuple[Framework, Task]]) -> Any:
        """Return legacy tasks of several frameworks."""
        return [views.task(framework, one) for framework, one in tasks]

    def executors(self, one: Framework) -> Any:
        """Return a framework's executors."""
        return [
            views.executor(one, agent_id, each)
            for (agent_id, _), each in one.executors.items()
            if self.may_see_executor(one, each)
        ]

    def offers(self, one: Framework) -> Any:
        """Return a framework's offers."""
        return [views.offer(each) for each in one.offers.values()]

    def written_offers(self, state: State, one: Framework) -> Any:
        """Return a framework's offers as v1 messages."""
        return [offer_views.read_offer(state, one, each) for each in one.offers.values()]

    def agents(
        self, state: State, agents: Iterable[Agent], build: AgentView, keys: AgentKeys
    ) -> Any:
        """Return agents."""
        return [build(state, one) for one in agents]

    def frameworks(
        self,
        state: State,
        frameworks: Iterable[Framework],
        build: FrameworkView,
        key: FrameworkKey,
    ) -> Any:
        """Return frameworks."""
        return [build(state, one, self) for one in frameworks if self.may_see_framework(one)]

    def written_tasks(self, held: Iterable[tuple[Framework, Tasks]]) -> Any:
        """Return tasks as v1 messages."""
        return [
            views.written(one) for framework, tasks in held for one in self.seen(framework, tasks)
        ]


def agent_keys(state: State, agents: Iterable[Agent]) -> list[tuple[Any, ...]]:
    """Return what the documents of agents depend on, beside their own fields (`state.Agent`).

    Every big read does this for all agents at one instant.
    """
    if not state.deactivated and not state.draining:
        return [(tuple(one.offers), False, None) for one in agents]
    deactivated, draining = state.deactivated, state.draining
    return [(tuple(one.offers), one.id in deactivated, draining.get(one.id)) for one in agents]


def agent_summary_keys(state: State, agents: Iterable[Agent]) -> list[tuple[Any, ...]]:
    """Return what the summaries of agents depend on."""
    seen = list(agents)
    return [
        (key, one.tasks.version, tuple(one.executors))
        for key, one in zip(agent_keys(state, seen), seen, strict=True)
    ]


def framework_key(state: State, one: Framework) -> tuple[Any, ...]:
    """Return what the documents of a framework depend on, but for its lists of tasks."""
    return (
        one.info,
        one.roles,
        one.capabilities,
        one.tasks.version,
        one.unreachable_tasks.version,
        one.executors.version,
        tuple(one.offers),
        one.stream is None,
        one.recovered,
        one.registered_at,
        one.reregistered_at,
        one.unregistered_at,
        one.offer_constraints,
        tuple(each.id for each in offer_views.inverse_offers_of(state, one)),
    )


def _header(state: State) -> Document:
    config = state.config
    return {
        "hostname": state.info.hostname,
        "cluster": config.cluster,
    }


def state_summary(state: State, show: Show) -> Document:
    """Return /state-summary."""
    return {
        **_header(state),
        "slaves": show.agents(
            state, state.agents.values(), views.agent_in_summary, agent_summary_keys
        ),
        "frameworks": show.frameworks(
            state, state.frameworks.values(), views.framework_in_summary, framework_key
        ),
    }


def whole_state(state: State, show: Show) -> Document:
    """Return /state."""
    active = views.active_agents(state)
    log_file = str(state.config.log_file) if state.config.log_file is not None else None
    return {
        **_header(state),
        "version": VERSION,
        **release.shown(),
        "id": state.id,
        "pid": state.info.pid,
        "leader": state.info.pid,
        "leader_info": views.leader(state.info),
        "start_time": state.started_at,
        "elected_time": state.started_at,
        "capabilities": [one.type for one in state.info.capabilities],
        "activated_slaves": float(active),
        "deactivated_slaves": float(len(state.agents) - active),
        "unreachable_slaves": float(len(state.unreachable_agents)),
        **views.optional(domain=state.info.domain, external_log_file=log_file),
        **({"flags": settings.flags(state)} if show.may_see_flags() else {}),
        "slaves": show.agents(state, state.agents.values(), views.agent, agent_keys),
        "recovered_slaves": [
            views.recovered_agent(info) for info in state.recovered_agents.values()
        ],
        "frameworks": show.frameworks(
            state, state.frameworks.values(), views.framework, framework_key
        ),
        "completed_frameworks": show.frameworks(
            state, state.completed_frameworks.values(), views.framework, framework_key
        ),
        "orphan_tasks": [],
        "unregistered_frameworks": [],
    }


def agents_document(state: State, agent_id: str | None, show: Show) -> Document:
    """Return /slaves."""
    chosen = [one for one in state.agents.values() if agent_id in (None, one.id)]
    return {
        "slaves": show.agents(state, chosen, views.agent_full, agent_keys),
        "recovered_slaves": [
            views.recovered_agent(info)
            for one, info in state.recovered_agents.items()
            if agent_id in (None, one)
        ],
    }


def frameworks_document(state: State, framework_id: str | None, show: Show) -> Document:
    """Return /frameworks."""

    def shown(held: Iterable[Framework]) -> Any:
        chosen = [one for one in held if framework_id in (None, one.id)]
        return show.frameworks(state, chosen, views.framework, framework_key)

    return {
        "frameworks": shown(state.frameworks.values()),
        "completed_frameworks": shown(state.completed_frameworks.values()),
        "unregistered_frameworks": [],
    }


class Page(NamedTuple):
    """Which tasks /tasks is asked for."""

    framework_id: str | None = None
    task_id: str | None = None
    limit: int = 100
    """Negative: no limit."""
    offset: int = 0
    is_ascending: bool = False


def tasks_document(state: State, page: Page, show: Show) -> Document:
    """Return /tasks: those of all frameworks, live and completed, that are asked for."""
    found: list[Task] = []
    for one in (*state.frameworks.values(), *state.completed_frameworks.values()):
        if page.framework_id in (None, one.id) and show.may_see_framework(one):
            found += _asked(page, one, show)
    # Tasks alone, nearly in order: pairs would cost ten times as much in garbage collections.
    found.sort(key=attrgetter("first_at"), reverse=not page.is_ascending)
    start = max(0, page.offset)
    chosen = found[start : None if page.limit < 0 else start + page.limit]
    return {"tasks": show.each_task([(_framework_of(state, one), one) for one in chosen])}


def _asked(page: Page, one: Framework, show: Show) -> Iterable[Task]:
    tasks = show.seen(one, views.all_tasks(one))
    if page.task_id is None:
        return tasks
    return (each for each in tasks if each.info.task_id.value == page.task_id)


def _framework_of(state: State, one: Task) -> Framework:
    framework_id = FrameworkId(one.info.framework_id.value)
    held = state.frameworks.get(framework_id)
    return held if held is not None else state.completed_frameworks[framework_id]
