"""What a pod's volumes hold, as plans; the shell writes them below the pod's directory.

emptyDir, hostPath, configMap, secret, downwardAPI and projections of the latter three. The files of
one volume change together (see `shell/disk.py`). An emptyDir of medium Memory is mounted by the
agent with the pod's sandbox. Any other type keeps the pod waiting, with an event.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from msgspec.structs import replace

from comity.kube.node import environment
from comity.kube.node.environment import ConfigError
from comity.kube.node.outbox import VolumeFile, VolumePlan
from comity.kube.node.state import Json, NodeFacts, Pod, Resolved

_DEFAULT_MODE = 0o644
_SUPPORTED = "use emptyDir, hostPath, configMap, secret, downwardAPI or projected"


def plan(pod: Pod, resolved: Resolved, facts: NodeFacts) -> tuple[VolumePlan, ...]:
    """Return what each volume of the pod should be.

    Raises:
        ConfigError: a volume needs something that does not exist, or is of a type that we lack.
    """
    group = (pod.spec.get("securityContext") or {}).get("fsGroup")
    plans = (_plan(volume, pod, resolved, facts) for volume in pod.spec.get("volumes") or ())
    return tuple(each if each.host_path else replace(each, group=group) for each in plans)


def digest(plans: Iterable[VolumePlan]) -> bytes:
    """Return a digest of what the plans would write."""
    hashed = hashlib.blake2b(digest_size=16)
    for each in plans:
        hashed.update(f"{each.name}\0{each.host_path}\0{len(each.files or ())}\0".encode())
        for file in each.files or ():
            hashed.update(f"{file.path}\0{file.mode}\0{len(file.content)}\0".encode())
            hashed.update(file.content)
    return hashed.digest()


def references(spec: Json) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the config maps and of the secrets that a pod's spec refers to."""
    configmaps: dict[str, None] = {}
    secrets: dict[str, None] = {}
    for kind, name in _references(spec):
        (configmaps if kind == "configmap" else secrets)[name] = None
    return tuple(configmaps), tuple(secrets)


def has_content(spec: Json) -> bool:
    """Whether a volume's contents may change while the pod runs."""
    kinds = ("configMap", "secret", "downwardAPI", "projected")
    return any(kind in volume for volume in spec.get("volumes") or () for kind in kinds)


def _references(spec: Json) -> Iterator[tuple[str, str]]:
    for one in spec.get("imagePullSecrets") or ():
        if name := one.get("name"):
            yield "secret", name
    for volume in spec.get("volumes") or ():
        for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            if (found := source.get("configMap")) is not None:
                yield "configmap", found.get("name", "")
            if (found := source.get("secret")) is not None:
                yield "secret", found.get("secretName") or found.get("name", "")
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for source in container.get("envFrom") or ():
            if found := source.get("configMapRef"):
                yield "configmap", found["name"]
            if found := source.get("secretRef"):
                yield "secret", found["name"]
        for variable in container.get("env") or ():
            source = variable.get("valueFrom") or {}
            if found := source.get("configMapKeyRef"):
                yield "configmap", found["name"]
            if found := source.get("secretKeyRef"):
                yield "secret", found["name"]


def _plan(volume: Json, pod: Pod, resolved: Resolved, facts: NodeFacts) -> VolumePlan:
    name = volume["name"]
    if (source := volume.get("hostPath")) is not None:
        return VolumePlan(
            name=name, host_path=source["path"], host_path_type=source.get("type") or ""
        )
    content = ("configMap", "secret", "downwardAPI")
    if any(kind in volume for kind in content):
        mode = next(volume[kind].get("defaultMode") for kind in content if kind in volume)
        return VolumePlan(name=name, files=tuple(_source(volume, mode, pod, resolved, facts)))
    if (source := volume.get("projected")) is not None:
        files: dict[str, VolumeFile] = {}
        for part in source.get("sources") or ():
            for file in _source(part, source.get("defaultMode"), pod, resolved, facts):
                files[file.path] = file
        return VolumePlan(name=name, files=tuple(files.values()))
    kinds = [kind for kind in volume if kind != "name"]
    if kinds in ([], ["emptyDir"]):
        return VolumePlan(name=name)
    raise ConfigError(f'volume "{name}": type {kinds[0]} is not supported; {_SUPPORTED}')


def _source(
    source: Json, mode: int | None, pod: Pod, resolved: Resolved, facts: NodeFacts
) -> Iterator[VolumeFile]:
    mode = _DEFAULT_MODE if mode is None else mode
    if (given := source.get("configMap")) is not None:
        yield from _of_configmap(given, mode, resolved)
    elif (given := source.get("secret")) is not None:
        yield from _of_secret(given, mode, resolved)
    elif (given := source.get("downwardAPI")) is not None:
        yield from _of_fields(given, mode, pod, facts)
    else:
        kind = next(iter(source), "")
        raise ConfigError(f"projected source {kind} is not supported; {_SUPPORTED}")


def _of_configmap(given: Json, mode: int, resolved: Resolved) -> Iterator[VolumeFile]:
    name = given.get("name", "")
    found = resolved.configmaps.get(name)
    if found is None and not given.get("optional"):
        raise ConfigError(f'configmap "{name}" not found')
    values = {key: text.encode() for key, text in ((found or {}).get("data") or {}).items()}
    for key, value in ((found or {}).get("binaryData") or {}).items():
        values[key] = environment.decode(value, key)
    yield from _selected(given, mode, values, f'configmap "{name}"')


def _of_secret(given: Json, mode: int, resolved: Resolved) -> Iterator[VolumeFile]:
    name = given.get("secretName") or given.get("name", "")
    found = resolved.secrets.get(name)
    if found is None and not given.get("optional"):
        raise ConfigError(f'secret "{name}" not found')
    yield from _selected(given, mode, environment.secret_bytes(found or {}), f'secret "{name}"')


def _selected(
    given: Json, mode: int, values: Mapping[str, bytes], what: str
) -> Iterator[VolumeFile]:
    """Yield all the values under their keys, or those that `items` names under its paths."""
    items = given.get("items")
    if not items:
        for key, value in values.items():
            yield VolumeFile(_safe(key), value, mode)
        return
    for item in items:
        if item["key"] in values:
            own = item.get("mode")
            chosen = mode if own is None else own
            yield VolumeFile(_safe(item["path"]), values[item["key"]], chosen)
        elif not given.get("optional"):
            raise ConfigError(f"{what} has no key {item['key']}")


def _of_fields(given: Json, mode: int, pod: Pod, facts: NodeFacts) -> Iterator[VolumeFile]:
    for item in given.get("items") or ():
        if reference := item.get("fieldRef"):
            text = environment.field_value(reference["fieldPath"], pod, facts)
        else:
            reference = item.get("resourceFieldRef") or {}
            text = environment.resource_value(reference, _named(pod, reference), facts)
        own = item.get("mode")
        yield VolumeFile(_safe(item["path"]), text.encode(), mode if own is None else own)


def _named(pod: Pod, reference: Json) -> Json:
    container = pod.container(reference.get("containerName", ""))
    if container is None:
        raise ConfigError("resourceFieldRef in a volume needs a containerName of this pod")
    return container.spec


def _safe(path: str) -> str:
    """Return a relative path that stays inside its volume.

    Raises:
        ConfigError: it would not.
    """
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or parts[0].startswith(".."):
        raise ConfigError(f"a volume's file cannot be called {path!r}")
    return path
