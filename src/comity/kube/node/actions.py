"""Probe and hook handlers of a spec, made concrete: whom to call, where, with what."""

from comity.kube.node.environment import ConfigError
from comity.kube.node.outbox import Action, Exec, HttpGet, Sleep, TcpConnect
from comity.kube.node.state import Json

_SUPPORTED = "use exec, httpGet or tcpSocket"


def resolve(handler: Json, container: Json, ip: str) -> Action:
    """Return what a probe or hook of `container` does; `ip` is the pod's.

    Raises:
        ConfigError: the handler is of a type that we lack, or names an unknown port.
    """
    if (given := handler.get("exec")) is not None:
        return Exec(tuple(given.get("command") or ()))
    if (given := handler.get("httpGet")) is not None:
        return _http_get(given, container, ip)
    if (given := handler.get("tcpSocket")) is not None:
        return TcpConnect(given.get("host") or ip, _port(given.get("port"), container))
    if (given := handler.get("sleep")) is not None:
        return Sleep(float(given.get("seconds") or 0))
    if "grpc" in handler:
        raise ConfigError(f"grpc probes are not supported; {_SUPPORTED}")
    raise ConfigError(f"a probe or hook needs a handler; {_SUPPORTED}")


def _http_get(given: Json, container: Json, ip: str) -> HttpGet:
    scheme = str(given.get("scheme") or "HTTP").lower()
    host = given.get("host") or ip
    path = str(given.get("path") or "/")
    port = _port(given.get("port"), container)
    headers = tuple(
        (str(each["name"]), str(each.get("value") or "")) for each in given.get("httpHeaders") or ()
    )
    if not path.startswith("/"):
        path = "/" + path
    if not any(name.lower() == "user-agent" for name, _ in headers):
        headers = (*headers, ("User-Agent", "kube-probe/1.32"))
    return HttpGet(f"{scheme}://{host}:{port}{path}", headers)


def _port(port: object, container: Json) -> int:
    """Return a port given as a number, as digits, or by the name of a container port."""
    if isinstance(port, int):
        return port
    if isinstance(port, str) and port.isdigit():
        return int(port)
    for each in container.get("ports") or ():
        if port is not None and each.get("name") == port:
            return int(each["containerPort"])
    raise ConfigError(f"couldn't find port: {port!r} in container {container['name']}")
