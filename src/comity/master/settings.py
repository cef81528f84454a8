"""A master's settings as Mesos shows flags: names and strings."""

from comity.core import durations
from comity.master.config import MasterConfig
from comity.master.state import State
from comity.wire.mesos import codec


def _required(config: MasterConfig, given: bool | None) -> str:
    """Return whether callers must prove who they are, as a flag."""
    return str(config.credentials is not None and given is not False).lower()


def flags(state: State) -> dict[str, str]:
    """Return the settings as Mesos shows flags: names and strings."""
    config = state.config
    return {
        "allocation_interval": durations.text(config.allocation_interval_s),
        "agent_ping_timeout": durations.text(config.ping_interval_s),
        "agent_reregister_timeout": durations.text(config.agent_reregister_timeout_s),
        "authenticate_frameworks": _required(config, config.authenticate_http_frameworks),
        "authenticate_http_frameworks": _required(config, config.authenticate_http_frameworks),
        "authenticate_http_readonly": _required(config, config.authenticate_http_readonly),
        "authenticate_http_readwrite": _required(config, config.authenticate_http_readwrite),
        "cluster": config.cluster,
        "framework_sorter": config.framework_sorter,
        "ip": config.ip,
        "max_agent_ping_timeouts": str(config.pings_missed_max),
        "max_completed_frameworks": str(config.max_completed_frameworks),
        "max_completed_tasks_per_framework": str(config.max_completed_tasks_per_framework),
        "max_unreachable_tasks_per_framework": str(config.max_unreachable_tasks_per_framework),
        "registry_gc_interval": durations.text(config.registry_gc_interval_s),
        "registry_max_agent_age": durations.text(config.registry_max_agent_age_s),
        "registry_max_agent_count": str(config.registry_max_agent_count),
        "port": str(state.info.port),
        "require_agent_domain": str(config.require_agent_domain).lower(),
        "role_sorter": config.role_sorter,
        "work_dir": str(config.work_dir),
        "max_operator_event_stream_subscribers": str(config.max_operator_event_stream_subscribers),
        "publish_per_framework_metrics": str(config.publish_per_framework_metrics).lower(),
        "min_allocatable_resources": config.min_allocatable_resources,
        "filter_gpu_resources": str(config.filter_gpu_resources).lower(),
        **_optional_flags(config),
    }


def _optional_flags(config: MasterConfig) -> dict[str, str]:
    """Return the flags that are shown when they were set."""
    found: dict[str, str] = {}
    if config.hostname:
        found["hostname"] = config.hostname
    if config.offer_timeout_s is not None:
        found["offer_timeout"] = durations.text(config.offer_timeout_s)
    if config.agent_removal_interval_s:
        found["agent_removal_rate_limit"] = f"1/{durations.text(config.agent_removal_interval_s)}"
    if config.fair_sharing_excluded_resource_names:
        names = ",".join(config.fair_sharing_excluded_resource_names)
        found["fair_sharing_excluded_resource_names"] = names
    if config.domain is not None:
        found["domain"] = codec.encode(config.domain).decode()
    if config.log_file is not None:
        found["external_log_file"] = str(config.log_file)
    return found
