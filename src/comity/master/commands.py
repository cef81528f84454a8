"""What operators command, by v1 calls and by the forms of the old endpoints, as inputs."""

from collections.abc import Callable
from typing import Any

from comity.core.ids import AgentId, FrameworkId
from comity.master.inputs import (
    AgentDeactivated,
    AgentDrained,
    AgentMarkedGone,
    AgentReactivated,
    MaintenanceScheduled,
    MaintenanceStarted,
    MaintenanceStopped,
    OperationRequested,
    QuotaRemoved,
    QuotaSet,
    QuotaUpdated,
    TeardownRequested,
    WeightsUpdated,
)
from comity.wire.mesos import administration, codec, v1
from comity.wire.mesos import operator as wire
from comity.wire.mesos.maintenance import DrainConfig, Schedule
from comity.wire.mesos.quota import QuotaRequest, WeightInfo

Ask = Callable[[int], Any]
"""Makes the input, given the token under which it is answered."""


class FormInvalid(ValueError):
    """A form without what it must have; the text says what."""


def of_call(call: wire.MasterCall, principal: str | None) -> Ask | None:
    """Return what a call commands; None for one that only reads."""
    match call:
        case wire.MarkAgentGone():
            agent_id = AgentId(call.mark_agent_gone.agent_id.value)
            return lambda to: AgentMarkedGone(to, agent_id)
        case wire.Teardown():
            framework_id = FrameworkId(call.teardown.framework_id.value)
            return lambda to: TeardownRequested(to, framework_id)
        case administration.UpdateWeights():
            infos = call.update_weights.weight_infos
            return lambda to: WeightsUpdated(to, infos)
        case administration.UpdateQuota():
            body = call.update_quota
            return lambda to: QuotaUpdated(to, body.quota_configs, force=bool(body.force))
        case administration.SetQuota():
            request = call.set_quota.quota_request
            return lambda to: QuotaSet(to, request)
        case administration.RemoveQuota():
            role = call.remove_quota.role
            return lambda to: QuotaRemoved(to, role)
        case administration.DrainAgent():
            return _drain(call.drain_agent)
        case administration.DeactivateAgent():
            agent_id = AgentId(call.deactivate_agent.agent_id.value)
            return lambda to: AgentDeactivated(to, agent_id)
        case administration.ReactivateAgent():
            agent_id = AgentId(call.reactivate_agent.agent_id.value)
            return lambda to: AgentReactivated(to, agent_id)
        case administration.UpdateMaintenanceSchedule():
            schedule = call.update_maintenance_schedule.schedule
            return lambda to: MaintenanceScheduled(to, schedule)
        case administration.StartMaintenance():
            downed = call.start_maintenance.machines
            return lambda to: MaintenanceStarted(to, downed)
        case administration.StopMaintenance():
            raised = call.stop_maintenance.machines
            return lambda to: MaintenanceStopped(to, raised)
        case wire.ReserveResources():
            reserving = call.reserve_resources
            reserve = v1.Reserve(resources=reserving.resources, source=reserving.source)
            operation = v1.Operation(type="RESERVE", reserve=reserve)
            return _operation(reserving.agent_id.value, operation, principal)
        case wire.UnreserveResources():
            held = call.unreserve_resources
            unreserve = v1.Unreserve(resources=held.resources)
            operation = v1.Operation(type="UNRESERVE", unreserve=unreserve)
            return _operation(held.agent_id.value, operation, principal)
        case wire.CreateVolumes():
            creating = call.create_volumes
            create = v1.Create(volumes=creating.volumes)
            operation = v1.Operation(type="CREATE", create=create)
            return _operation(creating.agent_id.value, operation, principal)
        case wire.DestroyVolumes():
            destroying = call.destroy_volumes
            destroy = v1.Destroy(volumes=destroying.volumes)
            operation = v1.Operation(type="DESTROY", destroy=destroy)
            return _operation(destroying.agent_id.value, operation, principal)
        case wire.GrowVolume():
            growing = call.grow_volume
            grow = v1.GrowVolume(volume=growing.volume, addition=growing.addition)
            operation = v1.Operation(type="GROW_VOLUME", grow_volume=grow)
            return _operation(_local(growing.agent_id), operation, principal)
        case wire.ShrinkVolume():
            shrinking = call.shrink_volume
            shrink = v1.ShrinkVolume(volume=shrinking.volume, subtract=shrinking.subtract)
            operation = v1.Operation(type="SHRINK_VOLUME", shrink_volume=shrink)
            return _operation(_local(shrinking.agent_id), operation, principal)
        case _:
            return None


def _local(agent_id: v1.Id | None) -> str:
    """Return whose volume it is: only volumes of resource providers have no agent."""
    return agent_id.value if agent_id is not None else ""


def _drain(body: administration.DrainAgentBody) -> Ask:
    grace = body.max_grace_period
    nanoseconds = grace.seconds * 1_000_000_000 + grace.nanos if grace is not None else None
    config = DrainConfig(
        max_grace_period=(
            v1.DurationInfo(nanoseconds=nanoseconds) if nanoseconds is not None else None
        ),
        mark_gone=body.mark_gone,
    )
    return lambda to: AgentDrained(to, AgentId(body.agent_id.value), config)


def _operation(agent_id: str, operation: v1.Operation, principal: str | None) -> Ask:
    return lambda to: OperationRequested(to, AgentId(agent_id), operation, principal)


FORMS = {
    "/reserve": ("RESERVE", "resources"),
    "/unreserve": ("UNRESERVE", "resources"),
    "/create-volumes": ("CREATE", "volumes"),
    "/destroy-volumes": ("DESTROY", "volumes"),
}
"""Paths of the old endpoints: the operation, and the form field with its resources."""


def of_form(path: str, form: dict[str, str], principal: str | None) -> Ask:
    """Return what a form posted to one of `FORMS` commands (Mesos: Master::Http::reserve …).

    Raises:
        FormInvalid: a field is missing, or is no JSON array of resources.
    """
    kind, field = FORMS[path]
    for name in ("slaveId", field):
        if not form.get(name):
            raise FormInvalid(f"Missing '{name}' query parameter in the request body")
    try:
        named: tuple[v1.Resource, ...] = codec.decode(tuple[v1.Resource, ...], form[field].encode())
    except codec.DecodeFailed as error:
        raise FormInvalid(f"Error in parsing '{field}' query parameter: {error}") from error
    body = {
        "RESERVE": v1.Operation(type="RESERVE", reserve=v1.Reserve(resources=named)),
        "UNRESERVE": v1.Operation(type="UNRESERVE", unreserve=v1.Unreserve(resources=named)),
        "CREATE": v1.Operation(type="CREATE", create=v1.Create(volumes=named)),
        "DESTROY": v1.Operation(type="DESTROY", destroy=v1.Destroy(volumes=named)),
    }[kind]
    return _operation(form["slaveId"], body, principal)


def of_json(route: tuple[str, str], body: bytes) -> Ask:
    """Return what JSON sent to one of `JSONS` commands (Mesos: Master::Http::machineDown …).

    Raises:
        FormInvalid: it is not what the path takes.
    """
    kind, make, what = JSONS[route]
    try:
        asked = codec.decode(kind, body)
    except codec.DecodeFailed as error:
        text = f"Failed to parse {what} request JSON '{body.decode(errors='replace')[:200]}'"
        raise FormInvalid(f"{text}: {error}") from error
    return lambda to: make(to, asked)


JSONS: dict[tuple[str, str], tuple[Any, Callable[[int, Any], Any], str]] = {
    ("PUT", "/weights"): (tuple[WeightInfo, ...], WeightsUpdated, "update weights"),
    ("POST", "/quota"): (QuotaRequest, QuotaSet, "set quota"),
    ("POST", "/maintenance/schedule"): (Schedule, MaintenanceScheduled, "maintenance schedule"),
    ("POST", "/machine/down"): (tuple[v1.MachineID, ...], MaintenanceStarted, "machine down"),
    ("POST", "/machine/up"): (tuple[v1.MachineID, ...], MaintenanceStopped, "machine up"),
}
"""Routes of the old endpoints that take JSON: the body's type, the input it makes, its name."""
