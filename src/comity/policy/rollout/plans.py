"""Deployment plans: which apps are stopped, started, scaled and restarted, in which steps.

Steps in order: stop what is gone, all at once; declare what is new (nothing runs yet); then layer
by layer along the dependencies, what an app depends on before the app. The actions of a step run
side by side, and a step must be done before the next.
"""

import enum
from collections.abc import Mapping, Sequence

from msgspec import Struct


class Kind(enum.Enum):
    """What an action does to its app; the values are the names on the wire."""

    START = "StartApplication"
    STOP = "StopApplication"
    SCALE = "ScaleApplication"
    RESTART = "RestartApplication"


class AppChange(Struct, frozen=True):
    """One app before and after; `None` instances mean that it is not there."""

    app_id: str
    before: int | None
    after: int | None
    config_changed: bool = False
    """Whether anything but the number of instances differs."""
    dependencies: tuple[str, ...] = ()
    kill: tuple[str, ...] = ()
    """Tasks that must be among those that a scale-down ends."""


class Action(Struct, frozen=True, kw_only=True):
    """One thing to do to one app."""

    kind: Kind
    app_id: str
    scale_to: int = 0
    await_healthy: bool = False
    """Whether the app must reach `scale_to` healthy instances, not only lose the surplus."""
    kill: tuple[str, ...] = ()


def plan_steps(changes: Sequence[AppChange]) -> list[list[Action]]:
    """Return the steps that lead from before to after; none when nothing differs."""
    gone = [one for one in changes if one.before is not None and one.after is None]
    new = [one for one in changes if one.before is None and one.after is not None]
    steps = [
        [Action(kind=Kind.STOP, app_id=one.app_id) for one in gone],
        [Action(kind=Kind.START, app_id=one.app_id) for one in new],
    ]
    for layer in _layers([one for one in changes if one.after is not None]):
        actions = [action for one in layer if (action := _action(one)) is not None]
        steps.append(actions)
    return [step for step in steps if step]


def _action(change: AppChange) -> Action | None:
    after = change.after or 0
    if change.before is None:
        return Action(kind=Kind.SCALE, app_id=change.app_id, scale_to=after, await_healthy=True)
    if change.config_changed and after > 0:
        return Action(kind=Kind.RESTART, app_id=change.app_id, scale_to=after, kill=change.kill)
    if change.config_changed or after != change.before or change.kill:
        return Action(
            kind=Kind.SCALE,
            app_id=change.app_id,
            scale_to=after,
            await_healthy=after > change.before,
            kill=change.kill,
        )
    return None


def _layers(changes: Sequence[AppChange]) -> list[list[AppChange]]:
    """Group changes by the longest path of dependencies below them."""
    by_id = {one.app_id: one for one in changes}
    depths: dict[str, int] = {}

    def depth(app_id: str) -> int:
        if app_id not in depths:
            depths[app_id] = 0  # a cycle was refused long before; this only ends the recursion
            below = [one for one in by_id[app_id].dependencies if one in by_id]
            depths[app_id] = 1 + max((depth(one) for one in below), default=-1)
        return depths[app_id]

    layers: dict[int, list[AppChange]] = {}
    for one in changes:
        layers.setdefault(depth(one.app_id), []).append(one)
    return [layers[level] for level in sorted(layers)]


def has_cycle(dependencies: Mapping[str, Sequence[str]]) -> bool:
    """Whether apps depend on themselves, directly or through others."""
    state: dict[str, bool] = {}  # False while its dependencies are walked, True when done

    for root in dependencies:
        stack: list[tuple[str, bool]] = [(root, False)]
        while stack:
            app_id, leaving = stack.pop()
            if leaving:
                state[app_id] = True
                continue
            if app_id in state:
                continue
            state[app_id] = False
            stack.append((app_id, True))
            for below in dependencies.get(app_id, ()):
                if state.get(below) is False:
                    return True
                if below not in state:
                    stack.append((below, False))
    return False
