"""From options to components: which processes, with which command lines, listening where."""

import sys
from pathlib import Path
from typing import Any, NamedTuple

from comity.cli.cluster import addresses
from comity.cli.cluster.addresses import Address
from comity.cli.cluster.workdir import WorkDir

PORTS = {"master": 5050, "agent": 5051, "marathon": 8080, "cosmos": 7070, "gateway": 8000}
LOCAL = "127.0.0.1"
SINGLES = ("master", "marathon", "cosmos", "gateway")


class Options(NamedTuple):
    """What a person may choose; remembered in the work directory for the next `up`.

    Attributes:
        agents: How many agents share the machine.
        cpus: Cores to share, "" for all of the machine's.
        mem: Megabytes of memory to share, "" for what the machine can spare.
        disk: Megabytes of disk to share, "" for what the work directory's disk can spare.
        name: The cluster's name, as `/state` and the CLI show it.
        first_agent_ip: The first agent's loopback address; the others follow it.
        auth: Whether the gateway asks for a login.
        docker_registry: A directory of OCI layouts or a registry's URL, "" for none.
        forbid_host_image: Whether agents refuse the image name `host`.
        secrets_dir: A directory of the secrets that apps and tasks name, "" for none.
    """

    agents: int = 2
    cpus: str = ""
    mem: str = ""
    disk: str = ""
    name: str = "comity"
    first_agent_ip: str = "127.0.0.11"
    auth: bool = False
    docker_registry: str = ""
    forbid_host_image: bool = False
    secrets_dir: str = ""


FIXED = ("agents", "cpus", "mem", "disk")
"""Options that are settled when the work directory is made: agents may not change their size."""


class Component(NamedTuple):
    """One process to supervise.

    Attributes:
        name: Its name in logs and in the record, such as `agent2`.
        kind: Which program it is; decides when it is stopped.
        address: Where it listens.
        argv: Its command line.
        cleanup: A command to run after it was stopped for good; empty for none.
    """

    name: str
    kind: str
    address: Address
    argv: list[str]
    cleanup: list[str]


def kind_of(name: str) -> str:
    """Return the program of a component: `agent` of `agent2`."""
    return "agent" if name.startswith("agent") else name


def settle_addresses(
    options: Options, ports: dict[str, int], known: dict[str, Address]
) -> dict[str, Address]:
    """Choose every component's address, by name.

    A port that is asked for comes first, then the one this cluster had before (so that a resumed
    cluster is where its clients look for it), then the default. Port 0 means any free one.
    """
    homes = dict.fromkeys(SINGLES, (LOCAL, 0))
    for index in range(options.agents):
        homes[f"agent{index + 1}"] = (addresses.next_ip(options.first_agent_ip, index), index)
    return {name: _settle(name, *homes[name], ports, known) for name in homes}


def _settle(
    name: str, ip: str, offset: int, ports: dict[str, int], known: dict[str, Address]
) -> Address:
    kind = kind_of(name)
    asked = ports.get(kind)
    if name in known and not asked:
        return Address(ip, known[name].port)
    port = PORTS[kind] if asked is None else asked
    return addresses.settle(ip, port + offset if port else 0)


def check_addresses(chosen: dict[str, Address]) -> None:
    """Refuse a plan of which some address cannot be used."""
    for name, address in chosen.items():
        kind = kind_of(name)
        addresses.check_free(address, f"the {name}" if kind == name else name, f"--{kind}-port")


def components(
    options: Options, chosen: dict[str, Address], resources: list[str], work_dir: WorkDir
) -> list[Component]:
    """Return the components in the order in which they are started."""
    master, marathon = chosen["master"].url, chosen["marathon"].url
    services = str(work_dir.directory("services"))
    auth = ["--auth"] if options.auth else []
    own = {
        "master": ["--cluster", options.name, *_log(work_dir, "master")],
        "marathon": ["--master", master],
        "cosmos": ["--master", master, "--marathon", marathon, "--service-data-dir", services],
        "gateway": ["--master", master, "--marathon", marathon, "--cosmos", chosen["cosmos"].url],
    }
    own["gateway"] += auth
    for index, mine in enumerate(resources, 1):
        log = _log(work_dir, f"agent{index}")
        own[f"agent{index}"] = [*log, *_agent_arguments(options, master, mine)]
    names = ["master", *(name for name in chosen if kind_of(name) == "agent"), *SINGLES[1:]]
    return [_component(name, chosen[name], own[name], work_dir.directory(name)) for name in names]


def _log(work_dir: WorkDir, name: str) -> list[str]:
    """Let a component show the log that the supervisor writes for it."""
    return ["--log-file", str(work_dir.logs / f"{name}.log")]


def _python(kind: str) -> list[str]:
    # -P keeps the current directory, which may hold anything, out of the import path.
    return [sys.executable, "-P", "-m", f"comity.{kind}"]


def _component(name: str, address: Address, own: list[str], directory: Path) -> Component:
    kind = kind_of(name)
    listen = ["--ip", address.ip, "--port", str(address.port), "--work-dir", str(directory)]
    cleanup: list[str] = []
    if kind == "agent":
        listen += ["--hostname", address.ip]
        cleanup = stop_tasks_argv(directory)
    return Component(name, kind, address, [*_python(kind), *listen, *own], cleanup)


def _agent_arguments(options: Options, master: str, resources: str) -> list[str]:
    arguments = ["--master", master, "--resources", resources]
    # One machine starts everything again at once: let executors take their time to come back.
    arguments += ["--executor-reregistration-timeout", "15"]
    if options.docker_registry:
        arguments += ["--docker-registry", options.docker_registry]
    if options.forbid_host_image:
        arguments.append("--forbid-host-image")
    if options.secrets_dir:
        arguments += ["--secrets-dir", options.secrets_dir]
    return arguments


def stop_tasks_argv(directory: Path) -> list[str]:
    """Return the command that ends an agent's launcher with all its tasks."""
    return [*_python("agent"), "--work-dir", str(directory), "--recover=cleanup"]


def remembered(options: dict[str, Any]) -> Options:
    """Read the options that an earlier `up` wrote, whatever version it was."""
    return Options(**{key: value for key, value in options.items() if key in Options._fields})
