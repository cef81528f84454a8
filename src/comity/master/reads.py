"""Which reads are big: how each is warmed, and what it is put together from."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, NamedTuple

from comity.core import splicing
from comity.core.splicing import Piece
from comity.master import documents, fragments, operator, views
from comity.master.documents import Page, Show
from comity.master.state import State
from comity.wire.mesos import operator as wire

Args = dict[str, str]
"""A request's query, the first value of each name."""


class ArgInvalid(ValueError):
    """A query that makes no sense; the text says why."""


class Read(NamedTuple):
    """One big read."""

    warm: Callable[[State], Iterator[None]]
    """Encodes what has changed, in slices."""
    build: Callable[[State, Args, Show], Any]
    """Puts the document together."""


def _whole(state: State) -> Iterator[None]:
    return chain(
        fragments.warm_agents(state, views.agent, documents.agent_keys),
        fragments.warm_frameworks(state, views.framework, documents.framework_key),
        fragments.warm_tasks(state, written=False),
    )


def _summary(state: State) -> Iterator[None]:
    key = documents.agent_summary_keys
    return chain(
        fragments.warm_agents(state, views.agent_in_summary, key),
        fragments.warm_frameworks(state, views.framework_in_summary, documents.framework_key),
    )


def _agents(state: State) -> Iterator[None]:
    return fragments.warm_agents(state, views.agent_full, documents.agent_keys)


def _frameworks(state: State) -> Iterator[None]:
    return chain(
        fragments.warm_frameworks(state, views.framework, documents.framework_key),
        fragments.warm_tasks(state, written=False),
    )


def _nothing(state: State) -> Iterator[None]:
    return iter(())


def _tasks(state: State, args: Args, show: Show) -> Any:
    return documents.tasks_document(state, page_of(args), show)


def page_of(args: Args) -> Page:
    """Return which tasks a query of /tasks asks for.

    Raises:
        ArgInvalid: a number is none.
    """
    try:
        limit, offset = int(args.get("limit") or 100), int(args.get("offset") or 0)
    except ValueError:
        raise ArgInvalid("'limit' and 'offset' must be numbers") from None
    return Page(
        framework_id=args.get("framework_id"),
        task_id=args.get("task_id"),
        limit=limit,
        offset=offset,
        is_ascending=args.get("order") == "asc",
    )


_STATE = Read(_whole, lambda state, args, show: documents.whole_state(state, show))

LEGACY: dict[str, Read] = {
    "/state": _STATE,
    "/state.json": _STATE,
    "/state-summary": Read(
        _summary, lambda state, args, show: documents.state_summary(state, show)
    ),
    "/slaves": Read(
        _agents,
        lambda state, args, show: documents.agents_document(state, args.get("slave_id"), show),
    ),
    "/frameworks": Read(
        _frameworks,
        lambda state, args, show: documents.frameworks_document(
            state, args.get("framework_id"), show
        ),
    ),
    "/tasks": Read(_nothing, _tasks),
}
"""Big reads of the old endpoints, by path."""


def _written(state: State) -> Iterator[None]:
    return fragments.warm_tasks(state, written=True)


def _agents_v1(state: State) -> Iterator[None]:
    return fragments.warm_agents(state, operator.agent, documents.agent_keys)


def _frameworks_v1(state: State) -> Iterator[None]:
    return fragments.warm_frameworks(state, operator.framework, documents.framework_key)


def whole_v1(state: State) -> Iterator[None]:
    """Encode what GET_STATE and the first event of a subscription hold, in slices."""
    return chain(_agents_v1(state), _frameworks_v1(state), _written(state))


V1: dict[type, Callable[[State], Iterator[None]]] = {
    wire.GetState: whole_v1,
    wire.GetTasks: _written,
    wire.GetAgents: _agents_v1,
    wire.GetFrameworks: _frameworks_v1,
    wire.GetExecutors: _nothing,
}
"""Big reads of the v1 operator API: how each is warmed."""


def assembled(document: Any, show: Show) -> list[Piece]:
    """Return a document's bytes in pieces."""
    return splicing.pieces(splicing.skeleton(document), show)
