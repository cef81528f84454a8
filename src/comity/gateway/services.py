"""Which service a path means, and where it runs: Marathon's labels first, then frameworks."""

from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import unquote

Json = dict[str, Any]

NAME = "DCOS_SERVICE_NAME"
SCHEME = "DCOS_SERVICE_SCHEME"
PORT_INDEX = "DCOS_SERVICE_PORT_INDEX"
REWRITE = "DCOS_SERVICE_REWRITE_REQUEST_URLS"

SEGMENTS_MAX = 10
"""Path segments that a service name may have."""


class Service(NamedTuple):
    """Where a service answers."""

    name: str
    url: str
    """Scheme, host, port, and maybe a path; no slash at the end."""
    strips_prefix: bool = True
    """Whether it is asked for `/x` when the client asked for `/service/<name>/x`."""


def from_apps(apps: Iterable[Json]) -> dict[str, Service]:
    """Return the services that Marathon apps declare and that have a running task."""
    found: dict[str, Service] = {}
    for app in apps:
        service = _from_app(app)
        if service is not None:
            found.setdefault(service.name, service)
    return found


def _from_app(app: Json) -> Service | None:
    labels = app.get("labels") or {}
    name = str(labels.get(NAME, "")).strip("/")
    scheme = str(labels.get(SCHEME, "")).lower()
    index = str(labels.get(PORT_INDEX, ""))
    if not name or scheme not in ("http", "https") or not index.isdigit():
        return None
    task = _best_task(app.get("tasks") or [])
    ports = (task or {}).get("ports") or []
    if task is None or int(index) >= len(ports):
        return None
    strips = str(labels.get(REWRITE, "true")).lower() not in ("false", "0")
    return Service(name, f"{scheme}://{task['host']}:{ports[int(index)]}", strips)


def _best_task(tasks: list[Json]) -> Json | None:
    """Return a running task, a healthy one if there is one."""
    running = [task for task in tasks if task.get("state") == "TASK_RUNNING"]
    for task in running:
        results = task.get("healthCheckResults") or []
        if results and all(result.get("alive") for result in results):
            return task
    return running[0] if running else None


def from_frameworks(frameworks: Iterable[Json]) -> dict[str, Service]:
    """Return the frameworks that have a page of their own, by id and by name."""
    found: dict[str, Service] = {}
    for framework in frameworks:
        url = str(framework.get("webui_url") or "").rstrip("/")
        if framework.get("active") is False or not url.startswith(("http://", "https://")):
            continue
        for key in (framework["id"], framework.get("name")):
            if key:
                found.setdefault(str(key), Service(str(key), url))
    return found


def names(path: str) -> list[tuple[str, str]]:
    """Return the readings of what follows `/service/`: (name, rest), longest name first.

    `path` is as it was sent; the rest stays so, percent-encoding included.
    """
    segments = path.split("/")
    most = min(len(segments), SEGMENTS_MAX)
    return [
        (unquote("/".join(segments[:count])), "/".join(["", *segments[count:]]))
        for count in range(most, 0, -1)
        if segments[count - 1]
    ]
