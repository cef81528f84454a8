"""Killing tasks on request (with or without scaling the app down), and the launch queue's delay."""

from collections.abc import Mapping, Sequence

from comity.core.effects import CancelTimer, Outbox
from comity.core.instants import Instant
from comity.marathon import views
from comity.marathon.handlers import table
from comity.marathon.handlers.answering import answer, answer_deployment, answer_empty, refuse
from comity.marathon.handlers.deploying import Wish, deploy
from comity.marathon.handlers.killing import kill
from comity.marathon.handlers.settling import ask_for_offers
from comity.marathon.inputs import AppTasksKilled, DelayEnded, DelayReset, TasksKilled
from comity.marathon.state import NEVER, Deployment, Instance, State
from comity.wire.marathon import ids
from comity.wire.marathon.errors import Refused, plain, unknown_app, unknown_task


@table.on(AppTasksKilled)
def on_app_tasks_killed(state: State, item: AppTasksKilled, now: Instant, out: Outbox) -> None:
    """Kill an app's tasks: all of them, those on a host, or one."""
    try:
        _check_flags(item)
        if item.app_id not in state.apps:
            raise unknown_app(item.app_id)
        chosen = _chosen(state, item)
        if item.scale:
            deployment = _scale_down(state, {item.app_id: chosen}, item, now, out)
            answer_deployment(out, item.to, deployment)
            return
        if item.task_id is not None and not chosen:
            raise unknown_task(item.task_id)
    except Refused as error:
        refuse(out, item.to, error)
        return
    killed = [views.task_json(state, one) for one in chosen]
    for one in chosen:
        kill(state, one, now, out)
    answer(out, item.to, {"tasks": killed} if item.task_id is None else {"task": killed[0]})


@table.on(TasksKilled)
def on_tasks_killed(state: State, item: TasksKilled, now: Instant, out: Outbox) -> None:
    """Kill tasks of any apps by id; ids of tasks that are gone are passed over."""
    try:
        _check_flags(item)
        chosen = [one for one in (_find(state, task_id) for task_id in item.task_ids) if one]
        if item.scale:
            by_app: dict[str, list[Instance]] = {}
            for one in chosen:
                by_app.setdefault(one.app_id, []).append(one)
            answer_deployment(out, item.to, _scale_down(state, by_app, item, now, out))
            return
    except Refused as error:
        refuse(out, item.to, error)
        return
    killed = [views.task_json(state, one) for one in chosen if not one.parts]
    for one in chosen:
        kill(state, one, now, out)
    answer(out, item.to, {"tasks": killed})


@table.on(DelayReset)
def on_delay_reset(state: State, item: DelayReset, now: Instant, out: Outbox) -> None:
    """Let an app that waits in the queue launch at once."""
    attempts = state.queue.get(item.app_id)
    if attempts is None or item.app_id not in state.wanted:
        text = f"Application {item.app_id} not found in tasks queue."
        refuse(out, item.to, plain(404, text))
        return
    attempts.delay_s = 0.0
    attempts.delayed_until = NEVER
    out.timers.append(CancelTimer(DelayEnded(item.app_id)))
    ask_for_offers(state, now, out, grown=True)
    answer_empty(out, item.to, 204)


def _check_flags(item: AppTasksKilled | TasksKilled) -> None:
    if item.scale and item.wipe:
        raise plain(400, "You cannot use scale and wipe at the same time.")


def _chosen(state: State, item: AppTasksKilled) -> list[Instance]:
    present = list(state.of_app(item.app_id).values())
    if item.task_id is not None:
        wanted = ids.instance_of(item.task_id)
        return [one for one in present if wanted is not None and one.instance_id == wanted]
    if item.host is not None and item.host != "*":
        return [one for one in present if one.host == item.host]
    return present


def _find(state: State, task_id: str) -> Instance | None:
    wanted, app_id = ids.instance_of(task_id), ids.app_of(task_id)
    if wanted is None or app_id is None:
        raise plain(400, f"Invalid task id '{task_id}'.")
    present = state.of_app(app_id).values()
    return next((one for one in present if one.instance_id == wanted), None)


def _scale_down(
    state: State,
    chosen: Mapping[str, Sequence[Instance]],
    item: AppTasksKilled | TasksKilled,
    now: Instant,
    out: Outbox,
) -> Deployment:
    wishes = {}
    for app_id, instances in chosen.items():
        spec = state.spec(app_id)
        if spec is not None:
            smaller = spec.scaled(max(0, spec.instances - len(instances)))
            wishes[app_id] = Wish(smaller, kill=tuple(one.task_id for one in instances))
    return deploy(state, wishes, now, out, force=item.force)
