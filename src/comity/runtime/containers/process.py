"""Plain processes: own session, own sandbox, limits by cgroups where we may make them."""

import os
import pwd
import shutil
from collections.abc import Iterable, Mapping
from typing import Any

from comity.core.containers import Spec
from comity.runtime.cgroups import CgroupError, Cgroups, Limits
from comity.runtime.containers import bundles, capabilities, shown
from comity.runtime.containers.errors import ContainerRefused
from comity.runtime.containers.pods import Sandbox

_JOIN = 'for p in $COMITY_JOIN; do echo 0 > "$p" || exit 126; done; unset COMITY_JOIN; exec "$@"'


def command_line(spec: Spec) -> tuple[list[str], list[str]]:
    """Return the program with its arguments, and what it sees as argv.

    Raises:
        ContainerRefused: there is nothing to run.
    """
    if spec.shell:
        argv = ["/bin/sh", "-c", spec.command or ""]
        return argv, argv
    if spec.command:
        seen = list(spec.arguments) or [spec.command]
        return [spec.command, *seen[1:]], seen
    if spec.arguments:
        return list(spec.arguments), list(spec.arguments)
    raise ContainerRefused("no command: set 'command.value' or 'command.arguments'")


def order(spec: Spec, cgroups: Cgroups | None, pod: Sandbox | None = None) -> dict[str, Any]:
    """Return the launcher's order for a plain process, in its pod's namespaces if it has a pod.

    Raises:
        ContainerRefused: the user is unknown, or the cgroups cannot be made.
    """
    argv, seen = command_line(spec)
    environment = {"PATH": bundles.DEFAULT_PATH, **spec.environment}
    _check_program(argv[0], spec)
    namespaces, files = (pod.namespaces, pod.files) if pod is not None else ({}, {})
    around = [*_entering(namespaces), *shown.prefix(spec, files if "network" in namespaces else {})]
    prefix = [*around, *_restricted(spec), *_as(spec)]
    if cgroups is not None and (spec.inside is None or spec.cgroup is not None):
        try:
            own = Limits(spec.cpus, spec.mem_bytes, spec.cpu_quota, spec.isolation.pids_max)
            limits = own if spec.inside is None else None
            join = cgroups.create(spec.id, limits, shared=spec.cgroup)
        except CgroupError as error:
            raise ContainerRefused(f"cannot limit the container: {error}") from error
        environment["COMITY_JOIN"] = " ".join(join)
        prefix = ["/bin/sh", "-c", _JOIN, "sh", *prefix]
    attached = {"io": spec.io, "window": list(spec.window)} if spec.io else {}
    return {
        "op": "spawn",
        "id": spec.id,
        **attached,
        "argv": [*prefix, *argv],
        "args": [*prefix, *argv] if prefix else seen,
        "env": environment,
        "cwd": spec.working_directory or str(spec.sandbox),
        "stdout": str(spec.sandbox / "stdout"),
        "stderr": str(spec.sandbox / "stderr"),
    }


def _check_program(name: str, spec: Spec) -> None:
    """Refuse a program that is not there: once prefixes run, only an exit status would tell.

    Raises:
        ContainerRefused: naming it.
    """
    place = os.path.join(spec.working_directory or str(spec.sandbox), name)
    path = spec.environment.get("PATH", bundles.DEFAULT_PATH)
    if not (os.path.exists(place) if "/" in name else shutil.which(name, path=path)):
        raise ContainerRefused(f"cannot start the command: No such file or directory: {name}")


def _entering(namespaces: Mapping[str, str]) -> list[str]:
    """Return the prefix that joins a network and its host name; the rest stays the machine's."""
    words = {"network": "--net", "uts": "--uts"}
    found = [f"{words[kind]}={path}" for kind, path in namespaces.items() if kind in words]
    return ["nsenter", *found, "--"] if found else []


def _restricted(spec: Spec) -> list[str]:
    """Return the prefix that sets limits on each process, and who dies first without memory."""
    own = spec.isolation
    found: list[str] = []
    if own.oom_score_adj is not None:
        found += ["choom", "-n", str(bundles.oom_score(own.oom_score_adj)), "--"]
    if own.rlimits:
        found.append("prlimit")
    for one in own.rlimits:
        shown = bundles.rlimit(one)  # refuses what we may not give
        soft, hard = ("unlimited" if each is None else str(each) for each in (one.soft, one.hard))
        found.append(f"--{shown['type'].removeprefix('RLIMIT_').lower()}={soft}:{hard}")
    return found


def _as(spec: Spec) -> list[str]:
    """Return the prefix that changes to the container's user, and takes privileges away."""
    own = spec.isolation
    if os.geteuid() != 0:
        _check_powerless(spec)
    words = as_user(spec)
    bundles.check_user(own, os.geteuid() if not words else 1)
    if own.groups and os.geteuid() == 0:
        words = [word for word in words if word not in ("--init-groups", "--clear-groups")]
        words.append(f"--groups={','.join(str(group) for group in own.groups)}")
    if own.no_new_privileges:
        words.append("--no-new-privs")
    if os.geteuid() == 0 and own.restricts_capabilities:
        bound = capabilities.bounding(own, capabilities.available())
        words.append(f"--bounding-set={_only(bound)}")
        if own.effective is not None:
            kept = _only([name for name in bound if name in own.effective])
            words += [f"--inh-caps={kept}", f"--ambient-caps={kept}"]
    return ["setpriv", *words] if words else []


def _check_powerless(spec: Spec) -> None:
    """Refuse what only root can give; to have less than root has is no wish that fails.

    Raises:
        ContainerRefused: naming it.
    """
    own = spec.isolation
    name = (spec.user or "").partition(":")[0]
    # Frameworks of root leave the choice to the agent: they say so without thinking.
    if name not in ("", "root", str(os.geteuid())) and _uid(name) != os.geteuid():
        raise ContainerRefused(f"user '{name}' cannot be had: {_NO_ROOT}")
    given = {*own.added, *(own.effective or ()), *(own.capabilities or ())}
    if given and own.effective != ():
        raise ContainerRefused(f"capability {min(given)} cannot be given: {_NO_ROOT}")
    if lacking := sorted(set(own.groups) - {os.getegid(), *os.getgroups()}):
        raise ContainerRefused(f"group {lacking[0]} cannot be given: {_NO_ROOT}")


_NO_ROOT = "the agent does not run as root"


def _only(names: Iterable[str]) -> str:
    return ",".join(["-all", *(f"+{name.lower()}" for name in names)])


def as_user(spec: Spec) -> list[str]:
    """Return setpriv's words for the container's user, and give them the sandbox."""
    if not spec.user or os.geteuid() != 0:
        return []
    name, _, group = spec.user.partition(":")
    uid = _uid(name)
    if uid == 0:
        return []
    try:
        gid = pwd.getpwuid(uid).pw_gid if not group else int(group)
        groups = "--init-groups"
    except KeyError:
        gid, groups = uid, "--clear-groups"
    shutil.chown(spec.sandbox, uid, gid)
    for volume in spec.volumes:
        if os.stat(volume.source).st_uid == 0:  # new: nobody's so far
            shutil.chown(volume.source, uid, gid)
    if group or groups == "--clear-groups":
        groups = "--clear-groups"
    return [f"--reuid={uid}", f"--regid={gid}", groups]


def _uid(name: str) -> int:
    """Return the number of a user of this machine.

    Raises:
        ContainerRefused: there is none of that name.
    """
    try:
        return int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid
    except KeyError:
        raise ContainerRefused(f"user '{name}' does not exist on this machine") from None
