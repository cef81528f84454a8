"""A container's environment: services, envFrom, env with $(NAME) references, fields and resources.

As a kubelet does: `env` wins over `envFrom`, both win over the services' variables; references are
expanded in `env` values, command and arguments, from variables defined before; `$$` is a dollar.
"""

import base64
import re
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from comity.core.errors import ComityError
from comity.kube.node import addresses
from comity.kube.node.state import Json, NodeFacts, Pod, Resolved
from comity.resources import quantities

_REFERENCE = re.compile(r"\$(\$|\(([^()]*)\))")
_FIELD_KEY = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
_MIB = 1 << 20


class ConfigError(ComityError):
    """The container cannot be configured as its spec says: CreateContainerConfigError."""


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by the variable's value and `$$` by a dollar; unknown names stay."""

    def value(found: re.Match[str]) -> str:
        if found[1] == "$":
            return "$"
        return variables.get(found[2], found[0])

    return _REFERENCE.sub(value, text)


def build(container: Json, pod: Pod, resolved: Resolved, facts: NodeFacts) -> dict[str, str]:
    """Return the container's environment.

    Raises:
        ConfigError: something that is not optional does not exist, or cannot be used.
    """
    services = service_variables(resolved.services, pod)
    given: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        given.update(_from_source(source, resolved))
    for variable in container.get("env") or ():
        value = _value(variable, container, (pod, resolved, facts), {**services, **given})
        if value is not None:
            given[variable["name"]] = value
    return {**services, **given}


def _from_source(source: Json, resolved: Resolved) -> dict[str, str]:
    prefix = source.get("prefix") or ""
    if reference := source.get("configMapRef"):
        found = _object("configmap", reference, resolved.configmaps)
        values = (found or {}).get("data") or {}
    elif reference := source.get("secretRef"):
        found = _object("secret", reference, resolved.secrets)
        values = secret_texts(found or {})
    else:
        raise ConfigError("envFrom needs a configMapRef or a secretRef")
    return {prefix + key: value for key, value in values.items()}


def _object(kind: str, reference: Json, objects: Mapping[str, Json | None]) -> Json | None:
    found = objects.get(reference["name"])
    if found is None and not reference.get("optional"):
        raise ConfigError(f'{kind} "{reference["name"]}" not found')
    return found


def _value(
    variable: Json,
    container: Json,
    context: tuple[Pod, Resolved, NodeFacts],
    known: Mapping[str, str],
) -> str | None:
    """Return a variable's value; None leaves it out (an optional key that does not exist)."""
    pod, resolved, facts = context
    source = variable.get("valueFrom")
    if not source:
        return expand(variable.get("value") or "", known)
    if reference := source.get("configMapKeyRef"):
        found = _object("configmap", reference, resolved.configmaps)
        return _key("ConfigMap", reference, (found or {}).get("data") or {}, found)
    if reference := source.get("secretKeyRef"):
        found = _object("secret", reference, resolved.secrets)
        return _key("Secret", reference, secret_texts(found or {}), found)
    if reference := source.get("fieldRef"):
        return field_value(reference["fieldPath"], pod, facts)
    if reference := source.get("resourceFieldRef"):
        return resource_value(reference, container, facts)
    raise ConfigError(f"environment variable {variable['name']}: unsupported valueFrom")


def _key(kind: str, reference: Json, values: Mapping[str, str], found: Json | None) -> str | None:
    value = values.get(reference["key"])
    if value is None and not reference.get("optional"):
        namespace = (found or {}).get("metadata", {}).get("namespace", "")
        name = f"{namespace}/{reference['name']}"
        raise ConfigError(f"couldn't find key {reference['key']} in {kind} {name}")
    return value


def secret_texts(secret: Json) -> dict[str, str]:
    """Return a secret's values as text; what is no UTF-8 becomes replacement characters."""
    return {key: value.decode("utf-8", "replace") for key, value in secret_bytes(secret).items()}


def secret_bytes(secret: Json) -> dict[str, bytes]:
    """Return a secret's values, decoded.

    Raises:
        ConfigError: a value is no base64.
    """
    return {key: decode(value, key) for key, value in (secret.get("data") or {}).items()}


def decode(value: str, key: str) -> bytes:
    """Decode the base64 `value` of `key`.

    Raises:
        ConfigError: it is none.
    """
    try:
        return base64.b64decode(value, validate=True)
    except ValueError as error:
        raise ConfigError(f"the value of key {key} is no base64: {error}") from error


# fields


def field_value(path: str, pod: Pod, facts: NodeFacts) -> str:
    """Return the value of a downward-API field.

    Raises:
        ConfigError: it is none of those that exist.
    """
    if keyed := _FIELD_KEY.fullmatch(path):
        return str((pod.object["metadata"].get(keyed[1]) or {}).get(keyed[2], ""))
    reader = _FIELDS.get(path)
    if reader is None:
        raise ConfigError(f"unsupported fieldPath: {path}")
    return reader(pod, facts)


_FIELDS: dict[str, Callable[[Pod, NodeFacts], str]] = {
    "metadata.name": lambda pod, facts: pod.name,
    "metadata.namespace": lambda pod, facts: pod.namespace,
    "metadata.uid": lambda pod, facts: pod.uid,
    "metadata.labels": lambda pod, facts: _lines(pod.object["metadata"].get("labels")),
    "metadata.annotations": lambda pod, facts: _lines(pod.object["metadata"].get("annotations")),
    "spec.nodeName": lambda pod, facts: facts.name,
    "spec.serviceAccountName": lambda pod, facts: str(
        pod.spec.get("serviceAccountName") or "default"
    ),
    "status.hostIP": lambda pod, facts: facts.ip,
    "status.hostIPs": lambda pod, facts: facts.ip,
    "status.podIP": addresses.in_payload,
    "status.podIPs": addresses.in_payload,
}


def _lines(values: Mapping[str, str] | None) -> str:
    """Write labels or annotations as the downward API does: sorted, quoted, one a line."""
    return "\n".join(f"{key}={_quoted(value)}" for key, value in sorted((values or {}).items()))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped.replace(chr(10), chr(92) + "n").replace(chr(9), chr(92) + "t")}"'


def resource_value(reference: Json, container: Json, facts: NodeFacts) -> str:
    """Return `limits.cpu` and the like in units of the divisor, rounded up.

    Raises:
        ConfigError: the resource is none of those that exist.
    """
    kind, _, name = str(reference["resource"]).partition(".")
    if kind not in ("limits", "requests") or name not in ("cpu", "memory", "ephemeral-storage"):
        raise ConfigError(f"unsupported resource: {reference['resource']}")
    divisor = quantities.parse(reference.get("divisor") or "1") or Decimal(1)
    amount = _amount(container, kind, name)
    if amount is None and kind == "limits":
        amount = {
            "cpu": Decimal(str(facts.cpus)),
            "memory": Decimal(str(facts.mem_mb)) * _MIB,
        }.get(name)
    return str(int(((amount or Decimal(0)) / divisor).to_integral_value(ROUND_CEILING)))


def _amount(container: Json, kind: str, name: str) -> Decimal | None:
    text = ((container.get("resources") or {}).get(kind) or {}).get(name)
    return None if text is None else quantities.parse(text)


# services


def service_variables(services: list[Json], pod: Pod) -> dict[str, str]:
    """Return NAME_SERVICE_HOST and its kin for the services that the pod may see.

    The API's own service is always there; the namespace's only with `enableServiceLinks`.
    """
    variables: dict[str, str] = {}
    links = pod.spec.get("enableServiceLinks", True)
    for service in services:
        metadata, spec = service["metadata"], service.get("spec") or {}
        address = spec.get("clusterIP")
        is_api = (metadata.get("namespace"), metadata["name"]) == ("default", "kubernetes")
        is_linked = links and metadata.get("namespace") == pod.namespace
        if address and address != "None" and spec.get("ports") and (is_api or is_linked):
            variables.update(_variables_of(metadata["name"], address, spec["ports"]))
    return variables


def _variables_of(name: str, address: str, ports: list[Any]) -> dict[str, str]:
    prefix = name.upper().replace("-", "_")
    first = ports[0]
    url = f"{(first.get('protocol') or 'TCP').lower()}://{address}:{first['port']}"
    variables = {
        f"{prefix}_SERVICE_HOST": address,
        f"{prefix}_SERVICE_PORT": str(first["port"]),
        f"{prefix}_PORT": url,
    }
    for port in ports:
        protocol = port.get("protocol") or "TCP"
        if port.get("name"):
            suffix = port["name"].upper().replace("-", "_")
            variables[f"{prefix}_SERVICE_PORT_{suffix}"] = str(port["port"])
        stem = f"{prefix}_PORT_{port['port']}_{protocol.upper()}"
        variables[stem] = f"{protocol.lower()}://{address}:{port['port']}"
        variables[f"{stem}_PROTO"] = protocol.lower()
        variables[f"{stem}_PORT"] = str(port["port"])
        variables[f"{stem}_ADDR"] = address
    return variables
