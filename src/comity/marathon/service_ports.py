"""Service ports: a number per port of an app, unique in the cluster, for load balancers."""

from collections.abc import Iterable, Iterator, Set

import msgspec

from comity.wire.marathon.apps import App
from comity.wire.marathon.errors import plain

FIRST = 10000
LAST = 20000


def taken(apps: Iterable[App]) -> set[int]:
    """Return the ports that apps already have."""
    return {one.port for app in apps for one in app.port_definitions if one.port}


def assign(app: App, previous: App | None, in_use: Set[int]) -> App:
    """Return the app with a number in place of each zero; with `requirePorts` zeros stay.

    The numbers that the app had before are used again first.

    Raises:
        Refused: 422, when none is left.
    """
    if app.require_ports or all(one.port for one in app.port_definitions):
        return app
    own = {one.port for one in app.port_definitions}
    before = [one.port for one in previous.port_definitions if one.port] if previous else []
    free = _free([port for port in before if port not in own], in_use | own)
    definitions = tuple(
        one if one.port else msgspec.structs.replace(one, port=_next(free))
        for one in app.port_definitions
    )
    return msgspec.structs.replace(app, port_definitions=definitions)


def _free(first: list[int], used: Set[int]) -> Iterator[int]:
    yield from first
    skipped = set(first)
    for port in range(FIRST, LAST + 1):
        if port not in used and port not in skipped:
            yield port


def _next(free: Iterator[int]) -> int:
    port = next(free, None)
    if port is None:
        raise plain(422, f"no service port between {FIRST} and {LAST} is free")
    return port
