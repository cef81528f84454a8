"""`comity agent`: run an agent."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from comity.agent import reconfiguring
from comity.agent.config import REREGISTRATION_MAX_S, AgentConfig
from comity.agent.shell import running
from comity.core.errors import UserError
from comity.runtime import access_flags, flags, logs, process, tls
from comity.wire.mesos import domains

_REALMS = {
    "readonly": "ask for credentials for reads (if there is --credentials)",
    "readwrite": "ask for credentials for the operator API (if there is --credentials)",
    "executors": "ask executors for their tokens (if there is --credentials or a key)",
}

_EXAMPLES = """examples:
  comity agent --master http://127.0.0.1:5050 --work-dir /var/lib/comity/agent
  comity agent --master http://10.0.0.5:5050 --resources 'cpus:4;mem:8192' --attributes 'rack:r1'
  comity agent --work-dir /var/lib/comity/agent --recover=cleanup
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="comity agent",
        description="Run an agent: it offers this machine's resources and runs tasks on it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = AgentConfig()
    add = parser.add_argument
    add("--master", default=default.master, help="URL of the master (%(default)s)")
    add("--ip", default=default.ip, help="address to listen on (%(default)s)")
    add("--port", type=int, default=default.port, help="port (%(default)s)")
    add("--hostname", default="", help="name that others are told (the address)")
    add("--work-dir", type=Path, default=default.work_dir, help="sandboxes and checkpoints")
    add(
        "--resources",
        default="",
        help="what to offer (short, JSON or file:///FILE); the rest is detected",
    )
    add("--attributes", default="", help="properties for placement rules")
    add("--domain", type=domains.parse, metavar="JSON", help="the agent's fault domain")
    add("--docker-registry", default="", help="registry URL, or directory of OCI layouts")
    add("--docker-config", default="", metavar="JSON|FILE", help="credentials for registries")
    add("--secrets-dir", type=Path, metavar="DIR", help="files that are the secrets of containers")
    add("--registries", type=Path, metavar="FILE", help="TOML: mirrors, insecure, ca of registries")
    add(
        "--image-gc-headroom",
        type=float,
        default=default.image_gc_headroom,
        help="with less of the disk free, images that nothing uses go (%(default)g)",
    )
    add(
        "--image-gc-interval",
        type=flags.duration,
        default=default.image_gc_interval_s,
        metavar="DURATION",
        help="time between looks at that (%(default)gsecs)",
    )
    add("--image-gc-excluded", default="", metavar="NAME,NAME", help="images that always stay")
    add("--no-images", action="store_true", help="run no image containers")
    add("--forbid-host-image", action="store_true", help="forbid the image name 'host'")
    _add_access(parser)
    add("--credential", type=Path, help="file of the agent's own credential for the master")
    add("--journal", type=Path, help="file for all inputs: comity debug replay")
    add("--log-file", type=Path, help="file that /files shows as /slave/log")
    _add_networks(parser, default)
    _add_timeouts(parser, default)
    _add_upkeep(parser, default)
    add(
        "--executor-environment-variables",
        type=_variables,
        default={},
        metavar="JSON",
        help="variables of executors, as an object or file:///FILE of one",
    )
    add(
        "--recover",
        choices=("reconnect", "cleanup"),
        default="reconnect",
        help="cleanup: end all tasks of the work directory, and exit (%(default)s)",
    )
    return parser


def _variables(written: str) -> dict[str, str]:
    try:
        if written.startswith("file://"):
            written = Path(written.removeprefix("file://")).read_text()
        return msgspec.json.decode(written.encode(), type=dict[str, str])
    except (OSError, msgspec.DecodeError) as error:
        raise argparse.ArgumentTypeError(f"no JSON object of strings: {error}") from error


def _add_access(parser: argparse.ArgumentParser) -> None:
    access_flags.add(parser, _REALMS)
    parser.add_argument(
        "--jwt-secret-key", type=Path, metavar="FILE", help="key of executors' tokens (made here)"
    )


def _add_networks(parser: argparse.ArgumentParser, default: AgentConfig) -> None:
    for name, metavar, value, text in (
        (
            "bridge",
            "NAME",
            default.network_bridge,
            "bridge of containers' own networks, '' for none",
        ),
        ("bridge-subnet", "CIDR", default.network_bridge_subnet, "addresses on it"),
        ("bridge-subnet6", "CIDR", default.network_bridge_subnet6, "the same of IPv6, '' for none"),
        ("cni-plugins-dir", "DIRS", default.network_cni_plugins_dir, "CNI plugins"),
    ):
        text = f"{text} (%(default)s)"
        parser.add_argument(f"--network-{name}", metavar=metavar, default=value, help=text)
    parser.add_argument(
        "--network-cni-config-dir", type=Path, metavar="DIR", help="CNI configurations, by name"
    )


def _add_timeouts(parser: argparse.ArgumentParser, default: AgentConfig) -> None:
    for name, value, text in (
        ("registration-timeout", default.executor_registration_timeout_s, "to subscribe at first"),
        (
            "reregistration-timeout",
            default.executor_reregistration_timeout_s,
            "to come back after a restart of the agent, at most 15",
        ),
        ("shutdown-grace-period", default.executor_shutdown_grace_s, "to end when told to"),
    ):
        parser.add_argument(
            f"--executor-{name}",
            type=flags.duration,
            default=value,
            metavar="DURATION",
            help=f"time that executors have {text} (%(default)gsecs)",
        )
    parser.add_argument(
        "--recovery-timeout",
        type=flags.duration,
        default=default.recovery_timeout_s,
        metavar="DURATION",
        help="time that executors wait for an agent that is away (%(default)gsecs)",
    )
    parser.add_argument(
        "--http-executor-domain-sockets",
        action=argparse.BooleanOptionalAction,
        default=default.http_executor_domain_sockets,
        help="serve executors on a socket of the file system, too",
    )
    parser.add_argument(
        "--domain-socket-location",
        type=_socket,
        metavar="FILE",
        help="that socket (agent.sock in the work directory)",
    )


def _socket(given: str) -> Path:
    if given.startswith("systemd:"):
        raise argparse.ArgumentTypeError("sockets of systemd are not taken; name a file")
    return Path(given)


def _add_upkeep(parser: argparse.ArgumentParser, default: AgentConfig) -> None:
    for name, value, text in (
        ("gc-delay", default.gc_delay_s, "time that sandboxes are kept"),
        ("disk-watch-interval", default.disk_watch_interval_s, "time between looks at the disk"),
        (
            "container-disk-watch-interval",
            default.container_disk_watch_interval_s,
            "time between measurements of sandboxes",
        ),
    ):
        parser.add_argument(
            f"--{name}",
            type=flags.duration,
            default=value,
            metavar="DURATION",
            help=f"{text} (%(default)gsecs)",
        )
    parser.add_argument(
        "--gc-disk-headroom",
        type=float,
        default=default.gc_disk_headroom,
        help="share of the disk to keep free (%(default)g)",
    )
    parser.add_argument(
        "--reconfiguration-policy",
        choices=reconfiguring.POLICIES,
        default=default.reconfiguration_policy,
        help="what may differ from the last run (%(default)s)",
    )
    parser.add_argument(
        "--fetcher-cache-size",
        type=flags.size,
        default=default.fetcher_cache_bytes,
        metavar="SIZE",
        help="size of the cache for URIs that ask for it (2GB)",
    )
    for name, number, text in (
        ("size", default.container_log_max_size, "bytes of stdout after which it becomes stdout.1"),
        ("files", default.container_log_max_files, "old ones of each that are kept"),
    ):
        text = f"{text} (%(default)d{'; 0 never' if name == 'size' else ''})"
        parser.add_argument(f"--container-log-max-{name}", type=int, default=number, help=text)
    parser.add_argument(
        "--enforce-container-disk-quota",
        action="store_true",
        help="kill tasks whose sandbox holds more than their disk resource",
    )
    parser.add_argument(
        "--cgroups-enable-cfs",
        action="store_true",
        help="make cpus a hard limit, not only a share",
    )
    parser.add_argument(
        "--container-pids-max",
        type=int,
        default=default.container_pids_max,
        metavar="N",
        help="processes that a container may have (default: no limit)",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    args = _parser().parse_args(flags.our_spelling(sys.argv[1:] if argv is None else argv))
    logs.configure("agent")
    config = AgentConfig(
        master=args.master,
        ip=args.ip,
        port=args.port,
        hostname=args.hostname,
        work_dir=args.work_dir,
        resources=args.resources,
        attributes=args.attributes,
        domain=args.domain,
        docker_registry=args.docker_registry,
        docker_config=args.docker_config,
        registries=args.registries,
        secrets_dir=args.secrets_dir,
        image_gc_headroom=args.image_gc_headroom,
        image_gc_interval_s=args.image_gc_interval,
        image_gc_excluded=tuple(filter(None, args.image_gc_excluded.split(","))),
        allow_images=not args.no_images,
        allow_host_image=not args.forbid_host_image,
        **access_flags.settings(args),
        credential=args.credential,
        jwt_secret_key=args.jwt_secret_key,
        journal=args.journal,
        log_file=args.log_file,
        network_bridge=args.network_bridge,
        network_bridge_subnet=args.network_bridge_subnet,
        network_bridge_subnet6=args.network_bridge_subnet6,
        network_cni_config_dir=args.network_cni_config_dir,
        network_cni_plugins_dir=args.network_cni_plugins_dir,
        executor_registration_timeout_s=args.executor_registration_timeout,
        executor_reregistration_timeout_s=args.executor_reregistration_timeout,
        executor_shutdown_grace_s=args.executor_shutdown_grace_period,
        recovery_timeout_s=args.recovery_timeout,
        http_executor_domain_sockets=args.http_executor_domain_sockets,
        domain_socket_location=args.domain_socket_location,
        executor_environment=tls.handed_on(os.environ, args.executor_environment_variables),
        reconfiguration_policy=args.reconfiguration_policy,
        gc_delay_s=args.gc_delay,
        gc_disk_headroom=args.gc_disk_headroom,
        disk_watch_interval_s=args.disk_watch_interval,
        fetcher_cache_bytes=args.fetcher_cache_size,
        container_log_max_size=max(args.container_log_max_size, 0),
        container_log_max_files=max(args.container_log_max_files, 1),
        enforce_disk_quota=args.enforce_container_disk_quota,
        cgroups_enable_cfs=args.cgroups_enable_cfs,
        container_pids_max=args.container_pids_max,
        container_disk_watch_interval_s=args.container_disk_watch_interval,
    )
    if not 0 <= config.executor_reregistration_timeout_s <= REREGISTRATION_MAX_S:
        sys.stderr.write(
            "comity agent: --executor-reregistration-timeout must be from 0 to "
            f"{REREGISTRATION_MAX_S:g} seconds\n"
        )
        return 2
    if not 0 <= config.gc_disk_headroom <= 1:
        sys.stderr.write("comity agent: --gc-disk-headroom must be from 0 to 1\n")
        return 2
    if args.recover == "cleanup":
        asyncio.run(running.stop_tasks(config))
        return 0
    try:
        running.check_work_dir(config.work_dir)
    except UserError as error:
        sys.stderr.write(f"comity agent: {error}\n")
        return error.exit_code
    if tls.locks_executors_out(tls.settings(), config.executor_environment):
        sys.stderr.write(
            f"comity agent: warning: {tls.PREFIX}REQUIRE_CLIENT_CERT keeps executors out that have "
            f"no certificate: give them {tls.PREFIX}CERT_FILE and _KEY_FILE by "
            "--executor-environment-variables\n"
        )
    return process.run(lambda stop: running.run(config, stop))


if __name__ == "__main__":
    sys.exit(main())
