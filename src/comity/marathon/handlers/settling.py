"""Convergence: after anything changed, look at the apps concerned and do what they lack.

Level-triggered. A handler that changes an app or its instances calls `touch`; all touched apps are
looked at once per batch, when the `Settle` timer fires. Kills are told at once; launches become a
number in `wanted`, which offers then fill. After a restart every app is touched.
"""

from collections.abc import Sequence

from comity.core.effects import Outbox
from comity.core.ids import TaskId
from comity.core.instants import Instant
from comity.marathon import views
from comity.marathon.handlers import deploying, table
from comity.marathon.handlers.events import emit
from comity.marathon.handlers.killing import kill
from comity.marathon.inputs import DelayEnded, Settle
from comity.marathon.outbox import Revive, Suppress
from comity.marathon.placing import constraints_of
from comity.marathon.state import Attempts, Deployment, Instance, State
from comity.policy.rollout import (
    Action,
    Candidate,
    KillSelection,
    Kind,
    Member,
    Phase,
    bounds,
    next_move,
    scale_down,
)
from comity.policy.rollout.restarting import Move
from comity.policy.rollout.scaling import kill_order
from comity.wire.marathon.pods import Spec

_PHASES = {
    "Unreachable": Phase.UNREACHABLE,
    "Staging": Phase.STAGING,
    "Starting": Phase.STARTING,
    "Running": Phase.RUNNING,
    "Killing": Phase.RUNNING,
}


@table.on(Settle)
def on_settle(state: State, item: Settle, now: Instant, out: Outbox) -> None:
    """Bring every touched app forward, then the deployments, then ask for offers or for none."""
    grown = False
    while state.dirty:
        app_ids = list(state.dirty)
        state.dirty.clear()
        for app_id in app_ids:
            grown |= _converge(state, app_id, now, out)
        for deployment_id in dict.fromkeys(
            state.locks[one] for one in app_ids if one in state.locks
        ):
            _advance(state, state.deployments[deployment_id], now, out)
    state.settling = False
    ask_for_offers(state, now, out, grown=grown)


@table.on(DelayEnded)
def on_delay_ended(state: State, item: DelayEnded, now: Instant, out: Outbox) -> None:
    """Ask for offers again for an app that may now launch; one that needs nothing is ignored."""
    if item.app_id in state.wanted:
        ask_for_offers(state, now, out, grown=True)


def launch_spec(state: State, app_id: str) -> Spec | None:
    """Return the definition that new instances are launched from at this moment."""
    deployment = state.lock_of(app_id)
    if deployment is not None and not deployment.action_of(app_id) and deployment.is_ahead(app_id):
        return deployment.original_of(app_id)
    return state.spec(app_id)


# one app


def _converge(state: State, app_id: str, now: Instant, out: Outbox) -> bool:
    """Kill what is too much and count what is missing; whether more is missing than before."""
    before = state.wanted.get(app_id, 0)
    spec = launch_spec(state, app_id)
    deployment = state.lock_of(app_id)
    action = deployment.action_of(app_id) if deployment else None
    if spec is None:
        missing = 0
        _kill_all(state, app_id, list(state.of_app(app_id)), now, out)
    elif action is None:
        missing = _hold(state, app_id, spec.instances, (), now, out)
    elif action.kind is Kind.RESTART:
        missing = _restart(state, spec, action, now, out)
    elif action.kind is Kind.SCALE:
        missing = _hold(state, app_id, action.scale_to, action.kill, now, out)
    else:
        missing = 0
    _want(state, app_id, missing, now)
    return missing > before


def _hold(
    state: State, app_id: str, count: int, sentenced: Sequence[str], now: Instant, out: Outbox
) -> int:
    """Kill down to `count` active instances; return how many are missing to it."""
    active = [one for one in state.of_app(app_id).values() if one.is_active]
    if len(active) <= count and not sentenced:
        return count - len(active)
    app = state.spec(app_id)
    victims = scale_down(
        [_candidate(one) for one in active],
        max(0, len(active) - count),
        KillSelection(app.kill_selection) if app else KillSelection.YOUNGEST_FIRST,
        sentenced=sentenced,
        constraints=constraints_of(app) if app else (),
    )
    _kill_all(state, app_id, victims, now, out)
    return max(0, count - (len(active) - len(victims)))


def _restart(state: State, spec: Spec, action: Action, now: Instant, out: Outbox) -> int:
    """Make the next move of a rolling restart; return how many instances it starts."""
    _kill_all(state, spec.id, action.kill, now, out)
    move = _next_move(state, spec, action)
    _kill_all(state, spec.id, move.kill, now, out)
    return move.start


def _next_move(state: State, spec: Spec, action: Action) -> Move:
    strategy = spec.upgrade_strategy
    limits = bounds(
        action.scale_to, strategy.maximum_over_capacity, strategy.minimum_health_capacity
    )
    present = {one.task_id: one for one in state.of_app(spec.id).values() if not one.expunged}
    ordered = kill_order(
        [_candidate(one) for one in present.values()], KillSelection(spec.kill_selection)
    )
    members = []
    for candidate in ordered:
        one = present[TaskId(candidate.task_id)]
        members.append(
            Member(
                one.task_id,
                is_new=one.config_version == spec.config_version,
                is_healthy=views.is_healthy(state, one),
                is_leaving=one.leaving,
            )
        )
    return next_move(action.scale_to, limits, members)


def _candidate(instance: Instance) -> Candidate:
    since = instance.started_at or instance.staged_at
    return Candidate(instance.task_id, _PHASES[instance.condition], since, instance.node)


def _kill_all(
    state: State, app_id: str, task_ids: Sequence[str], now: Instant, out: Outbox
) -> None:
    wanted = set(task_ids)
    for instance in list(state.of_app(app_id).values()):
        if instance.task_id in wanted and not instance.leaving:
            kill(state, instance, now, out)


def _want(state: State, app_id: str, missing: int, now: Instant) -> None:
    if missing <= 0:
        state.wanted.pop(app_id, None)
        return
    state.wanted[app_id] = missing
    if app_id not in state.queue:
        state.queue[app_id] = Attempts(since=now)


# deployments


def _advance(state: State, deployment: Deployment, now: Instant, out: Outbox) -> None:
    """Go on to the next step as soon as every action of this one is done."""
    step = deployment.steps[deployment.current]
    if all(_is_done(state, action) for action in step):
        for action in step:
            if action.kind is Kind.STOP:  # said of pods too, as Marathon does
                emit(state, now, out, "app_terminated_event", appId=action.app_id)
        deploying.step_succeeded(state, deployment, now, out)


def _is_done(state: State, action: Action) -> bool:
    present = state.of_app(action.app_id)
    match action.kind:
        case Kind.START:
            return True
        case Kind.STOP:
            return not present
        case Kind.RESTART:
            spec = state.spec(action.app_id)
            return spec is not None and _next_move(state, spec, action).done
        case Kind.SCALE:
            return _is_scaled(state, action)


def _is_scaled(state: State, action: Action) -> bool:
    present = state.of_app(action.app_id).values()
    if any(one.leaving for one in present):
        return False
    active = [one for one in present if one.is_active]
    if not action.await_healthy:
        return len(active) <= action.scale_to
    return sum(1 for one in active if views.is_healthy(state, one)) == action.scale_to


# offers


def ask_for_offers(state: State, now: Instant, out: Outbox, *, grown: bool) -> None:
    """REVIVE when something new can be launched, SUPPRESS once nothing is wanted."""
    if not state.subscribed:
        return
    launchable = any(state.queue[app_id].delayed_until <= now for app_id in state.wanted)
    if launchable and (grown or not state.reviving):
        state.reviving = True
        out.launches.append(Revive())
    elif not state.wanted and state.reviving:
        state.reviving = False
        out.launches.append(Suppress())
