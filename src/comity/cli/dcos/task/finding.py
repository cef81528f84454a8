"""Tasks out of the master's state, and which of them a word means."""

import fnmatch
from collections.abc import Iterable
from typing import Any, NamedTuple

from comity.core.errors import UserError

Json = dict[str, Any]


class Found(NamedTuple):
    """A task with the framework and the agent that it belongs to."""

    task: Json
    framework: Json
    agent: Json | None
    is_completed: bool

    @property
    def name(self) -> str:
        """The task's name."""
        return str(self.task.get("name") or self.task["id"])

    @property
    def id(self) -> str:
        """The task's id."""
        return str(self.task["id"])

    @property
    def host(self) -> str:
        """Where it runs; empty when the agent is gone."""
        return str(self.agent["hostname"]) if self.agent else ""

    @property
    def user(self) -> str:
        """Which user it runs as."""
        return str(self.task.get("user") or self.framework.get("user") or "")


def tasks(state: Json) -> list[Found]:
    """Return all tasks in the master's state, running ones first, by name."""
    agents = {agent["id"]: agent for agent in state.get("slaves", [])}
    found: list[Found] = []
    for framework in [*state.get("frameworks", []), *state.get("completed_frameworks", [])]:
        for field, is_completed in (
            ("tasks", False),
            ("unreachable_tasks", False),
            ("completed_tasks", True),
        ):
            found += [
                Found(task, framework, agents.get(task.get("slave_id")), is_completed)
                for task in framework.get(field) or []
            ]
    found.sort(key=lambda each: (each.is_completed, each.name, each.id))
    return found


def chosen(
    found: Iterable[Found], word: str = "", *, completed: bool = False, every: bool = False
) -> list[Found]:
    """Pick running tasks, completed ones or all, and of them those that `word` means.

    A word is a task's id or name, a part of them, or a pattern with `*`.
    """
    kept = [each for each in found if every or each.is_completed is completed]
    if not word:
        return kept
    exact = [each for each in kept if word in (each.id, each.name)]
    if exact:
        return exact
    return [each for each in kept if _matches(word, each.id) or _matches(word, each.name)]


def _matches(word: str, text: str) -> bool:
    return fnmatch.fnmatchcase(text, word) if "*" in word else word in text


def newest_of_one_name(found: list[Found]) -> Found | None:
    """Return the last to end of ended tasks that all have one name: attempts at the same thing."""
    names = {each.name for each in found}
    if len(names) != 1 or not all(each.is_completed for each in found):
        return None
    return max(found, key=_ended_at)


def _ended_at(found: Found) -> float:
    times = [status.get("timestamp", 0.0) for status in found.task.get("statuses") or []]
    return float(max(times, default=0.0))


def one(found: list[Found], word: str) -> Found:
    """Return the only task that `word` means.

    Raises:
        UserError: there is none, or more than one.
    """
    if not found:
        raise UserError(
            f"no task is called {word!r}; `dcos task` lists those that run, `--all` adds those "
            "that have ended"
        )
    if len(found) > 1:
        lines = "\n".join(f"  {each.id}" for each in found[:20])
        raise UserError(f"several tasks match {word!r}; give one of these ids:\n{lines}")
    return found[0]
