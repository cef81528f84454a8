"""Networks and ports of drafts: old fields translated, defaults filled in, and their rules.

Before Marathon 1.5 a container's network was in `container.docker.network` and `ipAddress`, and its
port mappings in `container.docker`; callers still write them so.
"""

from typing import Any

from comity.wire.marathon.reads import Errors, note

Draft = dict[str, Any]

_HOST, _BRIDGED, _CONTAINER = "host", "container/bridge", "container"
_DEFAULT_PORTS = [{"port": 0, "name": "default", "protocol": "tcp"}]
_DEFAULT_MAPPINGS = [{"containerPort": 0, "servicePort": 0, "protocol": "tcp", "name": "default"}]
_OLD = {"HOST": _HOST, "BRIDGE": _BRIDGED, "USER": _CONTAINER}


def migrate(found: Draft) -> None:
    """Translate the fields of before to `networks` and `container.portMappings`, in place."""
    docker = (found.get("container") or {}).get("docker") or {}
    kind, mappings = docker.pop("network", None), docker.pop("portMappings", None)
    address = found.pop("ipAddress", None)
    if mappings is not None and found["container"].get("portMappings") is None:
        found["container"]["portMappings"] = mappings
    if kind is None and address is None:
        return
    if found.get("networks"):
        found["bothNetworks"] = True
        return
    if kind == "NONE":
        found["noNetwork"] = True
        return
    found["networks"] = [_translated(kind, address)]
    _move_discovery(found, address or {})


def _translated(kind: str | None, address: Draft | None) -> Draft:
    mode = _OLD[kind] if kind is not None else _CONTAINER
    if mode != _CONTAINER or address is None:
        return {"mode": mode}
    found = {"mode": mode, "name": address.get("networkName"), "labels": address.get("labels")}
    return {name: value for name, value in found.items() if value}


def _move_discovery(found: Draft, address: Draft) -> None:
    if address.get("groups"):
        found["networkGroups"] = True
    ports = (address.get("discovery") or {}).get("ports")
    container = found.get("container")
    if not ports or (container or {}).get("portMappings") is not None:
        return
    mappings = [
        {
            **{name: value for name, value in one.items() if name != "number"},
            "containerPort": one["number"],
            "servicePort": 0,
        }
        for one in ports
    ]
    found["container"] = {**(container or _plain()), "portMappings": mappings}


def make_way(draft: Draft, update: Draft) -> None:
    """Take from an app's draft what an update that changes the network replaces, in place."""
    docker = (update.get("container") or {}).get("docker") or {}
    is_old = docker.get("network") is not None or update.get("ipAddress") is not None
    if is_old and "networks" not in update:
        draft.pop("networks", None)
    modes = {one["mode"] for one in update.get("networks") or ()}
    leaves_host = modes - {_HOST} or docker.get("network") in ("BRIDGE", "USER")
    if leaves_host or update.get("ipAddress") is not None:
        draft.pop("portDefinitions", None)


def named(networks: list[Draft], default: str) -> list[Draft]:
    """Return networks with the default one's name where a container network has none."""
    return [
        {**one, "name": default}
        if one["mode"] == _CONTAINER and not one.get("name") and default
        else one
        for one in networks
    ]


def complete(full: Draft, default_network: str = "") -> None:
    """Fill in the defaults, in place."""
    full["networks"] = named(full.get("networks") or [{"mode": _HOST}], default_network)
    if _is_on_host(full):
        full.setdefault("portDefinitions", [dict(one) for one in _DEFAULT_PORTS])
        return
    full.setdefault("portDefinitions", [])
    container = full.get("container")
    if container is None and (full.get("cmd") or full.get("args")):
        container = _plain()
    if container is None:
        return
    is_bridged = any(one["mode"] == _BRIDGED for one in full["networks"])
    mappings = container.get("portMappings")
    if mappings is None:
        mappings = [dict(one) for one in _DEFAULT_MAPPINGS] if is_bridged else []
    if is_bridged:
        mappings = [{**one, "hostPort": one.get("hostPort") or 0} for one in mappings]
    full["container"] = {**container, "portMappings": mappings}


def _plain() -> Draft:
    return {"type": "MESOS", "volumes": []}


def _is_on_host(full: Draft) -> bool:
    return all(one["mode"] == _HOST for one in full["networks"])


def count_ports(app: Draft) -> int:
    """Return how many ports an app has, for what points at them."""
    if _is_on_host(app):
        return len(app["portDefinitions"])
    return len((app.get("container") or {}).get("portMappings") or ())


def check(app: Draft, errors: Errors) -> None:
    """Note what is wrong with the networks and port mappings of a complete draft."""
    _check_old(app, errors)
    modes = {one["mode"] for one in app["networks"]}
    if len(modes) > 1:
        note(errors, "/networks", "the modes host, container/bridge and container exclude another")
    if modes != {_CONTAINER} and len(app["networks"]) > 1:
        note(errors, "/networks", "an app has one network, unless all are of mode container")
    container = app.get("container") or {}
    if len(app["networks"]) > 1 and container.get("type") == "DOCKER":
        note(errors, "/networks", "a container of type DOCKER is on one network; use type MESOS")
    _check_names(app, errors)
    if _is_on_host(app):
        container.pop("portMappings", None)  # as Marathon does in host mode
        return
    if app["portDefinitions"]:
        text = "only apps on the host's network have port definitions; use container.portMappings"
        note(errors, "/portDefinitions", text)
    _check_mappings(container.get("portMappings") or [], app["networks"], errors)


def _check_old(app: Draft, errors: Errors) -> None:
    if app.pop("bothNetworks", False):
        text = "may not be set in conjunction with ipAddress or container.docker.network"
        note(errors, "/networks", text)
    if app.pop("noNetwork", False):
        text = "network NONE is not supported; use networks with mode host or container/bridge"
        note(errors, "/container/docker/network", text)
    if app.pop("networkGroups", False):
        text = "groups of networks are not supported; use labels of the network"
        note(errors, "/ipAddress/groups", text)


def _check_names(app: Draft, errors: Errors) -> None:
    names = []
    for index, one in enumerate(app["networks"]):
        path, name = f"/networks({index})/name", one.get("name")
        if one["mode"] == _CONTAINER and not name:
            note(errors, path, "not defined")
        elif one["mode"] != _CONTAINER and name:
            note(errors, path, "only networks of mode container have a name")
        elif name in names:
            note(errors, path, "names of networks must be unique")
        names.append(name)


def _check_mappings(mappings: list[Draft], networks: list[Draft], errors: Errors) -> None:
    path = "/container/portMappings"
    names = [one["name"] for one in mappings if one.get("name")]
    fixed = [one["hostPort"] for one in mappings if one.get("hostPort")]
    if len(set(names)) < len(names):
        note(errors, path, "Port names must be unique.")
    if len(set(fixed)) < len(fixed):
        note(errors, path, "Host ports must be unique.")
    known = {one.get("name") for one in networks}
    for index, one in enumerate(mappings):
        where, on = f"{path}({index})", one.get("networkNames") or []
        if not one["containerPort"] and one.get("hostPort") is None:
            note(errors, f"{where}/containerPort", "must be set where there is no hostPort")
        if set(on) - known:
            note(errors, f"{where}/networkNames", "must be names of the app's networks")
        if len(networks) > 1 and one.get("hostPort") is not None and len(on) != 1:
            text = "must be one name where the app has several networks and the port a hostPort"
            note(errors, f"{where}/networkNames", text)
