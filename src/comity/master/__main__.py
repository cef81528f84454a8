"""`comity master`: run a master."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from comity.core import durations
from comity.master import shell
from comity.master.config import MasterConfig
from comity.policy.allocator import minimum_of
from comity.runtime import access_flags, flags, logs, process
from comity.wire.mesos import domains

REREGISTER_MIN_S = 600.0
"""Mesos's least time for an agent to come back: its own patience goes by it."""

_REALMS = {
    "readonly": "ask for credentials for reads (if there is --credentials)",
    "readwrite": "ask for credentials for the operator API and writes (if there is --credentials)",
    "frameworks": "ask for credentials for schedulers (if there is --credentials)",
}

_EXAMPLES = """examples:
  comity master --work-dir /var/lib/comity/master
  comity master --ip 10.0.0.5 --credentials /etc/comity/credentials.json
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="comity master",
        description="Run a master: it admits agents, offers their resources, and passes on tasks.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = MasterConfig()
    parser.add_argument("--ip", default=default.ip, help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=default.port, help="port (%(default)s)")
    parser.add_argument("--hostname", default="", help="name that others are told (the address)")
    parser.add_argument(
        "--work-dir", type=Path, default=default.work_dir, help="directory of the registry"
    )
    parser.add_argument("--cluster", default=default.cluster, help="the cluster's name")
    parser.add_argument(
        "--max-operator-event-stream-subscribers",
        type=int,
        default=default.max_operator_event_stream_subscribers,
        help="operators that may watch at a time (%(default)s)",
    )
    access_flags.add(parser, _REALMS)
    _add_registry_flags(parser, default)
    _add_silence_flags(parser, default)
    parser.add_argument(
        "--publish-per-framework-metrics",
        action=argparse.BooleanOptionalAction,
        default=default.publish_per_framework_metrics,
        help="show metrics of each framework (%(default)s)",
    )
    _add_allocation(parser, default)
    parser.add_argument("--journal", type=Path, help="file for all inputs: comity debug replay")
    parser.add_argument("--log-file", type=Path, help="file that /files shows as /master/log")
    return parser


def _add_registry_flags(parser: argparse.ArgumentParser, default: MasterConfig) -> None:
    """Add the flags about what is remembered, and for how long."""
    parser.add_argument(
        "--agent-removal-rate-limit",
        type=_removal_interval,
        default=default.agent_removal_interval_s,
        metavar="AGENTS/DURATION",
        help="silent agents that may be given up in a time, as 1/20mins (no limit)",
    )
    for name, shown in (("registry-gc-interval", "15mins"), ("registry-max-agent-age", "2weeks")):
        parser.add_argument(
            f"--{name}",
            type=_duration,
            default=getattr(default, f"{name.replace('-', '_')}_s"),
            metavar="DURATION",
            help=f"see docs/reference/config.md ({shown})",
        )
    for name in (
        "registry-max-agent-count",
        "max-completed-frameworks",
        "max-completed-tasks-per-framework",
        "max-unreachable-tasks-per-framework",
    ):
        parser.add_argument(
            f"--{name}",
            type=_count,
            default=getattr(default, name.replace("-", "_")),
            help="see docs/reference/config.md (%(default)s)",
        )


def _add_silence_flags(parser: argparse.ArgumentParser, default: MasterConfig) -> None:
    """Add the flags of when a silent agent counts as unreachable."""
    for name, value, text in (
        ("agent-ping-timeout", default.ping_interval_s, "time between pings of an agent (15secs)"),
        (
            "agent-reregister-timeout",
            default.agent_reregister_timeout_s,
            "time that a disconnected agent has to come back, 10mins or more (10mins)",
        ),
    ):
        parser.add_argument(
            f"--{name}", type=_duration, default=value, metavar="DURATION", help=text
        )
    parser.add_argument(
        "--max-agent-ping-timeouts",
        type=_count,
        default=default.pings_missed_max,
        help="pings that an agent may leave unanswered (%(default)s)",
    )


def _duration(given: str) -> float:
    try:
        return durations.parse(given)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _count(given: str) -> int:
    if not given.isdigit():
        raise argparse.ArgumentTypeError(f"{given!r} is no number, zero or more")
    return int(given)


def _removal_interval(given: str) -> float:
    agents, slash, duration = given.partition("/")
    if not slash or not agents.isdigit() or int(agents) == 0:
        raise argparse.ArgumentTypeError(
            f"{given!r} is no rate: write AGENTS/DURATION, as 1/20mins"
        )
    return _duration(duration) / int(agents)


def _add_allocation(parser: argparse.ArgumentParser, default: MasterConfig) -> None:
    """Add the flags of who is offered what."""
    add = parser.add_argument
    add(
        "--min-allocatable-resources",
        type=_minimum,
        default=default.min_allocatable_resources,
        metavar="QUANTITIES",
        help="what an offer must at least have, one of these (%(default)s)",
    )
    add(
        "--filter-gpu-resources",
        action=argparse.BooleanOptionalAction,
        default=default.filter_gpu_resources,
        help="keep agents with GPUs for frameworks that are GPU_RESOURCES capable",
    )
    add(
        "--fair-sharing-excluded-resource-names",
        type=_names,
        default=default.fair_sharing_excluded_resource_names,
        metavar="NAMES",
        help="scalars that shares are not counted in, such as gpus,disk",
    )
    add(
        "--allocation-interval",
        type=_duration,
        default=default.allocation_interval_s,
        metavar="DURATION",
        help="time between full allocation cycles (1secs)",
    )
    for name, among in (("role", "roles"), ("framework", "the frameworks of a role")):
        add(
            f"--{name}-sorter",
            choices=("drf", "random"),
            default=getattr(default, f"{name}_sorter"),
            help=f"whose turn it is among {among}: the lowest share's, or by chance (%(default)s)",
        )
    add(
        "--offer-timeout",
        type=_duration,
        metavar="DURATION",
        help="rescind offers not used by then",
    )
    add("--domain", type=domains.parse, metavar="JSON", help="the master's fault domain")
    add(
        "--require-agent-domain",
        action=argparse.BooleanOptionalAction,
        default=default.require_agent_domain,
        help="keep out agents without one",
    )


def _minimum(written: str) -> str:
    minimum_of(written)  # raises ValueError, which argparse shows
    return written


def _names(written: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in written.split(",") if part.strip())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    args = _parser().parse_args(flags.our_spelling(sys.argv[1:] if argv is None else argv))
    logs.configure("master")
    config = MasterConfig(
        ip=args.ip,
        port=args.port,
        hostname=args.hostname,
        work_dir=args.work_dir,
        cluster=args.cluster,
        **access_flags.settings(args),
        log_file=args.log_file,
        journal=args.journal,
        allocation_interval_s=args.allocation_interval,
        ping_interval_s=args.agent_ping_timeout,
        pings_missed_max=args.max_agent_ping_timeouts,
        agent_reregister_timeout_s=args.agent_reregister_timeout,
        role_sorter=args.role_sorter,
        framework_sorter=args.framework_sorter,
        require_agent_domain=args.require_agent_domain,
        agent_removal_interval_s=args.agent_removal_rate_limit,
        registry_gc_interval_s=args.registry_gc_interval,
        registry_max_agent_age_s=args.registry_max_agent_age,
        registry_max_agent_count=args.registry_max_agent_count,
        max_completed_frameworks=args.max_completed_frameworks,
        max_completed_tasks_per_framework=args.max_completed_tasks_per_framework,
        max_unreachable_tasks_per_framework=args.max_unreachable_tasks_per_framework,
        publish_per_framework_metrics=args.publish_per_framework_metrics,
        min_allocatable_resources=args.min_allocatable_resources,
        filter_gpu_resources=args.filter_gpu_resources,
        fair_sharing_excluded_resource_names=args.fair_sharing_excluded_resource_names,
        offer_timeout_s=args.offer_timeout,
        domain=args.domain,
        max_operator_event_stream_subscribers=args.max_operator_event_stream_subscribers,
    )
    fault = _fault(config)
    if fault is not None:
        sys.stderr.write(f"comity master: {fault}\n")
        return 2
    return process.run(lambda stop: shell.run(config, stop))


def _fault(config: MasterConfig) -> str | None:
    """Return what is wrong with settings, each of which alone is well written."""
    if config.agent_reregister_timeout_s < REREGISTER_MIN_S:
        return "--agent-reregister-timeout must be 10mins or more"
    if not config.ping_interval_s or not config.pings_missed_max:
        return "--agent-ping-timeout and --max-agent-ping-timeouts must be more than zero"
    if not config.allocation_interval_s:
        return "--allocation-interval must be more than zero"
    return None


if __name__ == "__main__":
    sys.exit(main())
