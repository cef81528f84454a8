"""Offers: filled with what waits in the launch queue, or given back.

Instances of an app are dealt out one by one over the offers at hand, so that they spread; each
offer that got something becomes one ACCEPT, the others one DECLINE. An instance is in the store
before the master hears of it: a crash in between leaves a task that reconciliation finds missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from comity.core.effects import Outbox, SetTimer, Write
from comity.core.instants import Instant
from comity.marathon import abilities, launching, offered, placing, pod_launching
from comity.marathon.handlers import table
from comity.marathon.handlers.settling import launch_spec
from comity.marathon.handlers.touching import touch
from comity.marathon.inputs import OffersReceived, StagingExpired
from comity.marathon.outbox import Accept, Decline
from comity.marathon.state import (
    NEVER,
    Attempts,
    Held,
    Instance,
    State,
    encode,
    instance_key,
)
from comity.policy.placement import Fit, Reason, fit
from comity.wire.marathon import ids
from comity.wire.marathon.pods import Pod, Spec
from comity.wire.mesos import v1


@dataclass(slots=True)
class Filled:
    """What an offer is to be accepted for."""

    tasks: list[v1.TaskInfo] = field(default_factory=list)
    groups: list[v1.LaunchGroup] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many tasks it starts."""
        return len(self.tasks) + sum(len(one.task_group.tasks) for one in self.groups)


@table.on(OffersReceived)
def on_offers_received(state: State, item: OffersReceived, now: Instant, out: Outbox) -> None:
    """Use what fits, give back the rest."""
    helds = [offered.held(one, now, state.config.draining_s) for one in item.offers]
    filled = {one.offer_id: Filled() for one in helds}
    for one in helds:
        for name, value in one.node.values.items():
            state.seen_values.setdefault(name, {})[value] = None
    for app_id in list(state.wanted):
        _fill(state, app_id, helds, filled, now, out)
    _answer(state, filled, out)


def _fill(
    state: State,
    app_id: str,
    helds: Sequence[Held],
    filled: dict[str, Filled],
    now: Instant,
    out: Outbox,
) -> None:
    """Deal the missing instances of one app or pod out over the offers."""
    app, attempts = launch_spec(state, app_id), state.queue[app_id]
    if app is None or attempts.delayed_until > now:
        return
    demand = placing.demand_of(app)
    placed = placing.placed(state.of_app(app_id).values())
    known = {name: len(values) for name, values in state.seen_values.items()}
    circle = [one for one in helds if _is_able(app, attempts, one, now)]
    while circle and app_id in state.wanted:
        for one in list(circle):
            if app_id not in state.wanted:
                break
            full = filled[one.offer_id].count >= state.config.tasks_per_accept_max
            found = None if full else fit(demand, one.node, placed, known, state.rng)
            if not isinstance(found, Fit):
                circle.remove(one)
                _unused(attempts, one, found, now)
                continue
            _used(attempts, now)
            placed.nodes.append(one.node.values)
            instance = _instance(state, app, one, found, now, out)
            if isinstance(app, Pod):
                group = pod_launching.launch_group(app, instance, state.framework_id)
                filled[one.offer_id].groups.append(group)
            else:
                at = (one.agent_id, one.host)
                task = launching.task_info(app, instance.task_id, at, found)
                filled[one.offer_id].tasks.append(task)


def _is_able(app: Spec, attempts: Attempts, held: Held, now: Instant) -> bool:
    """Whether an agent can run this at all; if not, note the offer as of no use, and why."""
    why = abilities.why_not(app, held.node.values)
    if why:
        _unused(attempts, held, Reason.UNFULFILLED_CONSTRAINT, now)
        attempts.inabilities[held.agent_id] = why
    else:
        attempts.inabilities.pop(held.agent_id, None)
    return not why


def _instance(
    state: State, app: Spec, held: Held, taken: Fit, now: Instant, out: Outbox
) -> Instance:
    """Make a new instance, of a pod with a part for each container."""
    instance_id = ids.instance_id(app.id, ids.uuid_text(state.rng.getrandbits(128)))
    parts = pod_launching.parts(app, instance_id, taken) if isinstance(app, Pod) else {}
    instance = Instance(
        task_id=next(iter(parts), ids.task_id(instance_id)),
        instance_id=instance_id,
        app_id=app.id,
        version=app.version,
        config_version=app.config_version,
        agent_id=held.agent_id,
        host=held.host,
        node=dict(held.node.values),
        ports=taken.ports,
        staged_at=now,
        role=taken.role,
        parts=parts,
        since=now if parts else NEVER,
    )
    state.add_instance(instance)
    state.wanted[app.id] -= 1
    if not state.wanted[app.id]:
        del state.wanted[app.id]
    out.writes.append(Write(instance_key(instance.task_id), encode(instance)))
    expiry = Instant(now + state.config.staging_timeout_s)
    out.timers.append(SetTimer(StagingExpired(instance.task_id), expiry))
    touch(state, app.id, now, out)
    return instance


def _used(attempts: Attempts, now: Instant) -> None:
    attempts.processed += 1
    attempts.last_used_at = now


def _unused(attempts: Attempts, held: Held, reason: Reason | None, now: Instant) -> None:
    """Count an offer that was not (or no longer) of use; a full one is no refusal."""
    if reason is None:
        return
    attempts.processed += 1
    attempts.unused += 1
    attempts.last_unused_at = now
    attempts.reasons[reason] = attempts.reasons.get(reason, 0) + 1
    attempts.last_reasons[held.agent_id] = (now, reason)


def _answer(state: State, filled: dict[str, Filled], out: Outbox) -> None:
    config = state.config
    refuse_s = config.decline_waiting_s if state.wanted else config.decline_s
    unused = tuple(offer_id for offer_id, one in filled.items() if not one.count)
    for offer_id, one in filled.items():
        if one.count:
            full = one.count >= config.tasks_per_accept_max and state.wanted
            accept = Accept(
                offer_id, tuple(one.tasks), 0.0 if full else refuse_s, tuple(one.groups)
            )
            out.launches.append(accept)
    if unused:
        out.launches.append(Decline(unused, refuse_s))
