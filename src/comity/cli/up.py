"""`comity up`: start a whole cluster on this machine and keep it running.

The process stays as the supervisor (see `comity.cli.cluster`). With --detach the same program is
started again in a session of its own, and this one returns when that one is ready.
"""

import argparse
import errno
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comity.cli.cluster import banner, leftovers, machine, plan, record, strays, workdir
from comity.cli.cluster.addresses import Address
from comity.cli.cluster.plan import Options
from comity.cli.cluster.supervisor import Contents, Supervisor
from comity.cli.cluster.workdir import WorkDir
from comity.core.errors import UserError
from comity.runtime import tls

AGENTS_MAX = 100

_EXAMPLES = """\
examples:
  comity up                                  two agents; Ctrl-C stops it all
  comity up --agents 3 --detach              in the background; see `comity status`
  comity up --work-dir ./lab --free-ports    a second cluster beside the first
      (give it --first-agent-ip 127.0.1.11 too, so that the agents do not meet)

A second `up` with the same work directory resumes what was running there.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = parser().parse_args(words)
    path = Path(arguments.work_dir).expanduser().absolute()
    if arguments.detach:
        return _detach(words)
    claimed = workdir.claim(path)
    try:
        return _supervise(claimed, arguments)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise workdir.unwritable(path, error) from error
        raise
    finally:
        claimed.release()


def parser() -> argparse.ArgumentParser:
    """Describe the command line. What is not given is absent, so that it can be remembered."""
    made = argparse.ArgumentParser(
        prog="comity up",
        description="Start a whole cluster on this machine.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    made.add_argument("--agents", type=int, help="agents that share the machine (default 2)")
    made.add_argument(
        "--work-dir", default=workdir.DEFAULT, help=f"state and logs (default {workdir.DEFAULT})"
    )
    made.add_argument("--detach", action="store_true", default=False, help="return when ready")
    made.add_argument("--detached", type=int, default=-1, help=argparse.SUPPRESS)
    made.add_argument("--name", help="the cluster's name (default comity)")
    made.add_argument("--auth", action="store_true", help="the gateway asks for a login")
    made.add_argument(
        "--docker-registry",
        metavar="DIR|URL",
        help="where images come from: OCI layouts or a registry",
    )
    made.add_argument(
        "--forbid-host-image", action="store_true", help="refuse the image name `host`"
    )
    made.add_argument(
        "--secrets-dir", metavar="DIR", help="files that are the secrets which apps and tasks name"
    )
    _add_sizes(made)
    return made


def _add_sizes(made: argparse.ArgumentParser) -> None:
    sizes = made.add_argument_group("what the agents share (settled when the directory is made)")
    sizes.add_argument("--cpus", help="cores (default: this machine's)")
    sizes.add_argument("--mem", help="megabytes of memory (default: what can be spared)")
    sizes.add_argument("--disk", help="megabytes of disk (default: what can be spared)")
    listen = made.add_argument_group("addresses (port 0: any free one)")
    for kind, port in plan.PORTS.items():
        text = f"default {port}" if kind != "agent" else f"the first agent's, default {port}"
        listen.add_argument(f"--{kind}-port", type=int, help=text, metavar="PORT")
    listen.add_argument(
        "--free-ports", action="store_true", default=False, help="0 for every port not given"
    )
    listen.add_argument("--first-agent-ip", help="default 127.0.0.11; the next agent has .12, …")


def _detach(words: list[str]) -> int:
    """Start this command again without --detach, and wait until it is ready or has failed."""
    told, tell = os.pipe()
    os.set_inheritable(tell, True)
    kept = [word for word in words if word != "--detach"]
    argv = [sys.executable, "-P", "-m", "comity", "up", *kept, "--detached", str(tell)]
    pid = os.posix_spawn(argv[0], argv, os.environ, setsid=True)
    os.close(tell)
    try:
        if os.read(told, 1):
            return 0
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except KeyboardInterrupt:
        # It is in a session of its own, where Ctrl-C does not reach it.
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        raise


def _supervise(claimed: WorkDir, arguments: argparse.Namespace) -> int:
    if arguments.detached >= 0:
        os.set_inheritable(arguments.detached, False)
    earlier = record.load(claimed.path)
    _replace_strays(claimed.path, earlier)
    supervisor, chosen = _prepare(claimed, arguments, earlier)
    supervisor.catch_signals()
    try:
        if supervisor.start():
            print(banner.ready(chosen, claimed.path, detached=arguments.detached >= 0), flush=True)
            _let_go(claimed, arguments.detached)
            supervisor.run()
        print("stopping the cluster, its tasks too", flush=True)
    finally:
        is_stopped = supervisor.stop(lambda problem: print(problem, file=sys.stderr))
        if not is_stopped:
            text = f"not all is stopped; try `comity down --work-dir {claimed.path}`"
            print(text, file=sys.stderr)
    return 0 if is_stopped else 1


def _replace_strays(path: Path, earlier: record.Record | None) -> None:
    """End the components that an `up` without a chance to stop them left; tasks stay."""
    recorded = [entry.process for entry in earlier.entries] if earlier is not None else []
    ended = strays.end({*recorded, *leftovers.components(path)})
    if ended:
        print(f"took over from an earlier `up` that was killed; replaced {len(ended)} processes")


def _prepare(
    claimed: WorkDir, arguments: argparse.Namespace, earlier: record.Record | None
) -> tuple[Supervisor, dict[str, Address]]:
    given = vars(arguments)
    options = choose(given, plan.remembered(earlier.options) if earlier else None)
    known = {e.name: Address.of_url(e.url) for e in earlier.entries} if earlier else {}
    chosen = plan.settle_addresses(options, asked_ports(given), known)
    plan.check_addresses(chosen)
    resources = (
        earlier.agents
        if earlier
        else machine.share(_capacity(options, claimed.path), options.agents)
    )
    components = plan.components(options, chosen, resources, claimed)
    return Supervisor(components, claimed, Contents(options._asdict(), resources)), chosen


def choose(given: dict[str, Any], earlier: Options | None) -> Options:
    """Return the options: those given, else those remembered, else the defaults."""
    mine = {name: given[name] for name in Options._fields if name in given}
    if earlier is not None:
        for name in plan.FIXED:
            if name in mine and mine[name] != getattr(earlier, name):
                raise UserError(
                    f"this work directory was made with {name} = {getattr(earlier, name) or 'all'};"
                    f" --{name} cannot change that: use another --work-dir"
                )
    if tls.settings().is_enabled:
        raise UserError(
            "`comity up` keeps to loopback and plain HTTP: unset LIBPROCESS_SSL_ENABLED, or "
            "start each component by itself (docs/howto/encrypt-with-tls.md)"
        )
    options = (earlier or Options())._replace(**mine)
    if not 1 <= options.agents <= AGENTS_MAX:
        raise UserError(f"--agents takes 1 to {AGENTS_MAX}, not {options.agents}")
    return options._replace(
        docker_registry=_registry(options.docker_registry),
        secrets_dir=_secrets(options.secrets_dir),
    )


def _registry(text: str) -> str:
    if not text or "://" in text:
        return text
    path = Path(text).expanduser().absolute()
    if not path.is_dir():
        raise UserError(
            f"--docker-registry {text} is neither a directory of images nor a URL (http://…)"
        )
    return str(path)


def _secrets(text: str) -> str:
    if not text:
        return text
    path = Path(text).expanduser().absolute()
    if not path.is_dir():
        raise UserError(f"--secrets-dir {text} is no directory: make it, with a file per secret")
    return str(path)


def asked_ports(given: dict[str, Any]) -> dict[str, int]:
    """Return the ports that were asked for, by kind."""
    asked = {kind: 0 for kind in plan.PORTS if given["free_ports"]}
    asked |= {kind: given[f"{kind}_port"] for kind in plan.PORTS if f"{kind}_port" in given}
    for kind, port in asked.items():
        if not 0 <= port <= 65535:
            raise UserError(f"--{kind}-port takes 0 to 65535, not {port}")
    return asked


def _capacity(options: Options, path: Path) -> machine.Capacity:
    measured = machine.measure(path)
    return machine.Capacity(
        cpus=_number(options.cpus, "cpus") or measured.cpus,
        mem_mb=int(_number(options.mem, "mem")) or measured.mem_mb,
        disk_mb=int(_number(options.disk, "disk")) or measured.disk_mb,
    )


def _number(text: str, name: str) -> float:
    try:
        number = float(text or 0)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e9:
        raise UserError(f"--{name} takes a positive number, not {text!r}")
    return number


def _let_go(claimed: WorkDir, tell: int) -> None:
    """When detached: tell the command that waits for us, and leave its terminal."""
    if tell < 0:
        return
    sys.stdout.flush()
    log = os.open(claimed.logs / "up.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.close(nothing)
    os.write(tell, b"1")
    os.close(tell)
