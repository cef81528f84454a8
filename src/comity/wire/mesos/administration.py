"""Calls of the v1 operator API that change a cluster, and their reads (master.proto)."""

from typing import Annotated

from comity.wire.mesos.base import Duration, DurationInfo, Id, MachineID, Wire, emitted
from comity.wire.mesos.maintenance import Schedule
from comity.wire.mesos.quota import QuotaConfig, QuotaRequest, WeightInfo


class SetLoggingLevelBody(Wire, frozen=True, kw_only=True):
    """`master.Call.SetLoggingLevel`."""

    level: Annotated[int, 1]
    duration: Annotated[DurationInfo, 2]


class SetLoggingLevel(Wire, frozen=True, kw_only=True, tag_field="type", tag="SET_LOGGING_LEVEL"):
    """Log more or less for a while."""

    set_logging_level: Annotated[SetLoggingLevelBody, 3]


class UpdateWeightsBody(Wire, frozen=True, kw_only=True):
    """`master.Call.UpdateWeights`."""

    weight_infos: Annotated[tuple[WeightInfo, ...], 1] = ()


class UpdateWeights(Wire, frozen=True, kw_only=True, tag_field="type", tag="UPDATE_WEIGHTS"):
    """Change the weights of roles."""

    update_weights: Annotated[UpdateWeightsBody, 6]


class UpdateQuotaBody(Wire, frozen=True, kw_only=True):
    """`master.Call.UpdateQuota`."""

    force: Annotated[bool | None, 1] = None
    quota_configs: Annotated[tuple[QuotaConfig, ...], 2] = ()


class UpdateQuota(Wire, frozen=True, kw_only=True, tag_field="type", tag="UPDATE_QUOTA"):
    """Change the quota of roles, all or none."""

    update_quota: Annotated[UpdateQuotaBody, 20]


class SetQuotaBody(Wire, frozen=True, kw_only=True):
    """`master.Call.SetQuota`."""

    quota_request: Annotated[QuotaRequest, 1]


class SetQuota(Wire, frozen=True, kw_only=True, tag_field="type", tag="SET_QUOTA"):
    """Set the guarantee of a role (deprecated)."""

    set_quota: Annotated[SetQuotaBody, 14]


class RemoveQuotaBody(Wire, frozen=True, kw_only=True):
    """`master.Call.RemoveQuota`."""

    role: Annotated[str, 1]


class RemoveQuota(Wire, frozen=True, kw_only=True, tag_field="type", tag="REMOVE_QUOTA"):
    """Remove the quota of a role (deprecated)."""

    remove_quota: Annotated[RemoveQuotaBody, 15]


class UpdateMaintenanceScheduleBody(Wire, frozen=True, kw_only=True):
    """`master.Call.UpdateMaintenanceSchedule`."""

    schedule: Annotated[Schedule, 1]


class UpdateMaintenanceSchedule(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="UPDATE_MAINTENANCE_SCHEDULE"
):
    """Plan the maintenance of machines."""

    update_maintenance_schedule: Annotated[UpdateMaintenanceScheduleBody, 11]


class StartMaintenanceBody(Wire, frozen=True, kw_only=True):
    """`master.Call.StartMaintenance`."""

    machines: Annotated[tuple[MachineID, ...], 1] = ()


class StartMaintenance(Wire, frozen=True, kw_only=True, tag_field="type", tag="START_MAINTENANCE"):
    """Take machines down."""

    start_maintenance: Annotated[StartMaintenanceBody, 12]


class StopMaintenanceBody(Wire, frozen=True, kw_only=True):
    """`master.Call.StopMaintenance`."""

    machines: Annotated[tuple[MachineID, ...], 1] = ()


class StopMaintenance(Wire, frozen=True, kw_only=True, tag_field="type", tag="STOP_MAINTENANCE"):
    """Bring machines back up."""

    stop_maintenance: Annotated[StopMaintenanceBody, 13]


class DrainAgentBody(Wire, frozen=True, kw_only=True):
    """`master.Call.DrainAgent`."""

    agent_id: Annotated[Id, 1]
    max_grace_period: Annotated[Duration | None, 2] = None
    mark_gone: Annotated[bool, 3] = emitted(False)


class DrainAgent(Wire, frozen=True, kw_only=True, tag_field="type", tag="DRAIN_AGENT"):
    """Kill what runs on an agent, and offer it no more."""

    drain_agent: Annotated[DrainAgentBody, 21]


class AgentBody(Wire, frozen=True, kw_only=True):
    """`master.Call.DeactivateAgent`."""

    agent_id: Annotated[Id, 1]


class DeactivateAgent(Wire, frozen=True, kw_only=True, tag_field="type", tag="DEACTIVATE_AGENT"):
    """Offer an agent no more."""

    deactivate_agent: Annotated[AgentBody, 22]


class ReactivateAgent(Wire, frozen=True, kw_only=True, tag_field="type", tag="REACTIVATE_AGENT"):
    """Offer an agent again."""

    reactivate_agent: Annotated[AgentBody, 23]


class GetLoggingLevel(Wire, frozen=True, kw_only=True, tag_field="type", tag="GET_LOGGING_LEVEL"):
    """Read what the name says."""


class GetWeights(Wire, frozen=True, kw_only=True, tag_field="type", tag="GET_WEIGHTS"):
    """Read what the name says."""


class GetQuota(Wire, frozen=True, kw_only=True, tag_field="type", tag="GET_QUOTA"):
    """Read what the name says."""


class GetMaintenanceStatus(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="GET_MAINTENANCE_STATUS"
):
    """Read what the name says."""


class GetMaintenanceSchedule(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="GET_MAINTENANCE_SCHEDULE"
):
    """Read what the name says."""
