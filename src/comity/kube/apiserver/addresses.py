"""Cluster addresses and node ports of Services.

An address belongs to its Service until that is deleted or becomes an ExternalName. New ones are
drawn at random, so that an address is rarely used again soon after its release.
"""

from typing import TypeVar

from comity.kube.apiserver.state import NODE_PORTS, Key, State, Stored
from comity.wire.kubernetes import Json
from comity.wire.kubernetes.resources import Resource
from comity.wire.kubernetes.status import ApiError, FieldError, invalid

_RESERVED = 16
"""The lowest addresses of the network are given only to those who ask for one by name."""


def note(
    state: State, resource: Resource, key: Key, old: Stored | None, new: Stored | None
) -> None:
    """Keep the ledger of addresses and ports true to a change of a Service."""
    if resource.kind != "Service":
        return
    for stored, is_given in ((old, False), (new, True)):
        if stored is None:
            continue
        spec = stored.obj.get("spec") or {}
        _book(state.addresses, _real(spec.get("clusterIP")), key, is_given)
        for port in spec.get("ports", ()):
            _book(state.node_ports, port.get("nodePort"), key, is_given)


def _real(address: str | None) -> str | None:
    return None if address in (None, "", "None") else address


_T = TypeVar("_T", str, int)


def _book(ledger: dict[_T, Key], what: _T | None, key: Key, is_given: bool) -> None:
    if what is None:
        return
    if is_given:
        ledger[what] = key
    elif ledger.get(what) == key:
        del ledger[what]


def allocate(state: State, key: Key, obj: Json, old: Json | None) -> None:
    """Give a Service the addresses and ports that its type calls for.

    Raises:
        ApiError: 422, what it asks for is taken or out of range; 500, none is left.
    """
    spec = obj["spec"]
    before = (old or {}).get("spec") or {}
    errors: list[FieldError] = []
    if spec["type"] == "ExternalName":
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            spec.pop(name, None)
    else:
        errors += _address(state, key, spec, before)
    errors += _node_ports(state, key, spec, before)
    if errors:
        raise invalid("Service", "", key[1], errors)


def _address(state: State, key: Key, spec: Json, before: Json) -> list[FieldError]:
    wanted = spec.get("clusterIP") or (spec.get("clusterIPs") or [""])[0] or before.get("clusterIP")
    errors = []
    if not wanted:
        wanted = _draw_address(state)
    elif wanted != "None":
        errors = _check_address(state, key, wanted)
    spec |= {"clusterIP": wanted, "clusterIPs": [wanted]}
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    return errors


def _check_address(state: State, key: Key, wanted: str) -> list[FieldError]:
    network = state.network
    prefix = str(network.network_address).rsplit(".", 2)[0] + "."
    parts = wanted.split(".")
    is_address = len(parts) == 4 and all(each.isdigit() and int(each) < 256 for each in parts)
    if not is_address or not wanted.startswith(prefix):
        text = (
            f"failed to allocate IP {wanted}: the provided IP is not in the valid range {network}"
        )
        return [FieldError.invalid("spec.clusterIPs", [wanted], text)]
    if state.addresses.get(wanted, key) != key:
        text = f"failed to allocate IP {wanted}: provided IP is already allocated"
        return [FieldError.invalid("spec.clusterIPs", [wanted], text)]
    return []


def _draw_address(state: State) -> str:
    size = state.network.num_addresses
    start = state.rng.randrange(_RESERVED, size - 1)
    for step in range(size - _RESERVED - 1):
        at = _RESERVED + (start + step) % (size - _RESERVED - 1)
        address = str(state.network[at])
        if address not in state.addresses:
            return address
    raise ApiError(500, "InternalError", "failed to allocate a serviceIP: range is full")


def _node_ports(state: State, key: Key, spec: Json, before: Json) -> list[FieldError]:
    is_wanted = spec["type"] == "NodePort" or (
        spec["type"] == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts", True)
    )
    held = {_port_key(each): each.get("nodePort") for each in before.get("ports", ())}
    errors, drawn = [], set[int]()
    for i, port in enumerate(spec.get("ports", ())):
        if spec["type"] not in ("NodePort", "LoadBalancer"):
            port.pop("nodePort", None)
        elif port.get("nodePort"):
            errors += _check_node_port(state, key, port["nodePort"], i)
        elif is_wanted:
            port["nodePort"] = held.get(_port_key(port)) or _draw_node_port(state, drawn)
        drawn.add(port.get("nodePort", 0))
    return errors


def _port_key(port: Json) -> tuple[object, object]:
    return port.get("port"), port.get("protocol", "TCP")


def _check_node_port(state: State, key: Key, wanted: int, i: int) -> list[FieldError]:
    field = f"spec.ports[{i}].nodePort"
    if wanted not in NODE_PORTS:
        valid = f"{NODE_PORTS[0]}-{NODE_PORTS[-1]}"
        text = f"provided port is not in the valid range. The range of valid ports is {valid}"
        return [FieldError.invalid(field, wanted, text)]
    if state.node_ports.get(wanted, key) != key:
        return [FieldError.invalid(field, wanted, "provided port is already allocated")]
    return []


def _draw_node_port(state: State, drawn: set[int]) -> int:
    free = [each for each in NODE_PORTS if each not in state.node_ports and each not in drawn]
    if not free:
        raise ApiError(500, "InternalError", "failed to allocate a nodePort: range is full")
    return free[state.rng.randrange(len(free))]
