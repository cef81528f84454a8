"""Security contexts, of pods and containers, as the agent's `isolation` and the command's user.

What an agent cannot do is a ConfigError, so that the container waits with the reason; what has no
meaning on this machine whatever it says (SELinux labels, Windows) is told by `ignored`.
"""

from typing import Any

from comity.kube.node.environment import ConfigError
from comity.kube.node.state import Json, Pod
from comity.resources import quantities

_WITHOUT_MEANING = ("seLinuxOptions", "windowsOptions", "seLinuxChangePolicy")


def user(pod_spec: Json, spec: Json) -> str:
    """Return `uid[:gid]`; empty for the image's own user."""
    context = _merged(pod_spec, spec)
    uid, gid = context.get("runAsUser"), context.get("runAsGroup")
    if context.get("runAsNonRoot") and uid == 0:
        raise ConfigError("runAsNonRoot and a runAsUser of 0 contradict each other")
    if gid is not None:
        return f"{0 if uid is None else uid}:{gid}"
    return "" if uid is None else str(uid)


def isolation(pod: Pod, spec: Json, *, has_image: bool) -> Json:
    """Return how a container is kept apart.

    Raises:
        ConfigError: it asks for what this node cannot do.
    """
    context = _merged(pod.spec, spec)
    found: Json = {"no_new_privileges": context.get("allowPrivilegeEscalation") is False}
    groups = list(context.get("supplementalGroups") or ())
    if context.get("fsGroup") is not None:
        groups.append(context["fsGroup"])
    flags = {
        "privileged": context.get("privileged"),
        "read_only": context.get("readOnlyRootFilesystem"),
        "non_root": context.get("runAsNonRoot"),
        "unmasked": context.get("procMount") == "Unmasked",
        "groups": groups,
        "share_pid": pod.spec.get("hostPID"),
    }
    capabilities = context.get("capabilities") or {}
    for ours, theirs in (("added", "add"), ("dropped", "drop")):
        flags[ours] = [_capability(name) for name in capabilities.get(theirs) or ()]
    flags["seccomp"] = _seccomp(context.get("seccompProfile") or {})
    _check_apparmor(context.get("appArmorProfile") or {})
    if not has_image:
        # A process of the machine's sees its namespaces and files anyway.
        for name in ("share_pid", "unmasked", "seccomp"):
            flags.pop(name)
    return found | {name: value for name, value in flags.items() if value}


def sandbox(pod: Pod) -> Json:
    """Return the isolation that the containers of a pod share."""
    spec = pod.spec
    context = spec.get("securityContext") or {}
    found: Json = {}
    if not spec.get("hostNetwork"):
        found["hostname"] = (spec.get("hostname") or pod.name)[:63].rstrip("-.")
    if spec.get("shareProcessNamespace"):
        found["share_pid"] = True
    if spec.get("hostIPC"):
        found["share_ipc"] = True
    if sysctls := context.get("sysctls"):
        found["sysctls"] = {one["name"]: str(one.get("value", "")) for one in sysctls}
    if aliases := spec.get("hostAliases"):
        found["hosts"] = [
            f"{one['ip']} {' '.join(one.get('hostnames') or ())}".rstrip() for one in aliases
        ]
    return found


def memory_volumes(pod: Pod) -> dict[str, int]:
    """Return the names of volumes in memory with their sizes; 0 is no limit of its own."""
    found = {}
    for volume in pod.spec.get("volumes") or ():
        source = volume.get("emptyDir") or {}
        if source.get("medium") == "Memory":
            limit = source.get("sizeLimit")
            found[volume["name"]] = int(quantities.parse(limit)) if limit else 0
    return found


def ignored(pod: Pod) -> list[str]:
    """Return the fields that have no meaning on this machine."""
    parts = (pod.spec, *(each.spec for each in pod.containers))
    return sorted(
        {
            f"securityContext.{name}"
            for part in parts
            for name in _WITHOUT_MEANING
            if (part.get("securityContext") or {}).get(name)
        }
    )


def _merged(pod_spec: Json, spec: Json) -> dict[str, Any]:
    """Return the container's context over the pod's, field by field, as Kubernetes has it."""
    return {**(pod_spec.get("securityContext") or {}), **(spec.get("securityContext") or {})}


def _capability(name: str) -> str:
    return str(name).upper().removeprefix("CAP_")


def _seccomp(profile: Json) -> str:
    kind = profile.get("type")
    if kind == "Localhost":
        raise ConfigError(
            "seccompProfile of type Localhost: this node has no profiles of its own; use "
            "RuntimeDefault or Unconfined"
        )
    return "unconfined" if kind == "Unconfined" else ""


def _check_apparmor(profile: Json) -> None:
    if profile.get("type") == "Localhost":
        raise ConfigError(
            "appArmorProfile of type Localhost: this node does not load profiles; use Unconfined"
        )
