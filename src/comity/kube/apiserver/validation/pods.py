"""Pods and pod templates."""

from comity.kube.apiserver.validation import metadata
from comity.resources import quantities
from comity.wire.kubernetes import Json
from comity.wire.kubernetes.status import FieldError

Errors = list[FieldError]

_CHANGEABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
    "(only additions "
    "to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if "
    "it was "
    "previously negative)"
)


def pod(obj: Json, old: Json | None) -> Errors:
    """Return what is wrong with a pod."""
    errors = spec(obj.get("spec") or {}, "spec")
    if old is not None and _fixed(obj["spec"]) != _fixed(old["spec"]):
        errors.append(FieldError.forbidden("spec", _CHANGEABLE))
    return errors


def _fixed(given: Json) -> Json:
    """Return the part of a pod's spec that may not change."""
    out = {
        key: each
        for key, each in given.items()
        if key not in ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")
    }
    for part in ("containers", "initContainers"):
        if part in out:
            out[part] = [each | {"image": ""} for each in out[part]]
    return out


def template(obj: Json, field: str, *, policies: tuple[str, ...] = ("Always",)) -> Errors:
    """Return what is wrong with the template of a workload."""
    given = obj.get("spec") or {}
    errors = metadata.labels(
        (obj.get("metadata") or {}).get("labels") or {}, f"{field}.metadata.labels"
    )
    errors += spec(given, f"{field}.spec")
    if given.get("restartPolicy") not in policies:
        errors.append(
            FieldError.unsupported(
                f"{field}.spec.restartPolicy", given.get("restartPolicy"), policies
            )
        )
    return errors


def spec(given: Json, field: str) -> Errors:
    """Return what is wrong with a pod's spec."""
    errors: Errors = []
    containers = given.get("containers") or []
    if not containers and "containers" in given:
        errors.append(FieldError.required(f"{field}.containers"))
    volumes = _volumes(given.get("volumes") or [], f"{field}.volumes", errors)
    names: set[str] = set()
    for part in ("initContainers", "containers"):
        for i, each in enumerate(given.get(part) or []):
            at = f"{field}.{part}[{i}]"
            _name(each.get("name", ""), at, names, errors)
            errors += _container(each, at, volumes)
    errors += _choice(given, "restartPolicy", ("Always", "OnFailure", "Never"), field)
    errors += _choice(
        given, "dnsPolicy", ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"), field
    )
    if given.get("terminationGracePeriodSeconds", 0) < 0:
        errors.append(
            FieldError.invalid(
                f"{field}.terminationGracePeriodSeconds",
                given["terminationGracePeriodSeconds"],
                "must be greater than or equal to 0",
            )
        )
    if given.get("activeDeadlineSeconds", 1) < 1:
        at = f"{field}.activeDeadlineSeconds"
        text = "must be between 1 and 2147483647, inclusive"
        errors.append(FieldError.invalid(at, given["activeDeadlineSeconds"], text))
    return errors + metadata.labels(given.get("nodeSelector") or {}, f"{field}.nodeSelector")


def _choice(given: Json, name: str, known: tuple[str, ...], field: str) -> Errors:
    value = given.get(name, known[0])
    return [] if value in known else [FieldError.unsupported(f"{field}.{name}", value, known)]


def _name(name: str, at: str, names: set[str], errors: Errors) -> None:
    if not name:
        return  # the schema has said that it is required
    if not metadata.is_label(name):
        fault = metadata.name_fault("Namespace", name)
        errors.append(FieldError.invalid(f"{at}.name", name, fault))
    elif name in names:
        errors.append(FieldError.duplicate(f"{at}.name", name))
    names.add(name)


def _volumes(given: list[Json], field: str, errors: Errors) -> set[str]:
    names: set[str] = set()
    for i, each in enumerate(given):
        _name(each.get("name", ""), f"{field}[{i}]", names, errors)
        if len(each) > 2:
            errors.append(
                FieldError.forbidden(f"{field}[{i}]", "may not specify more than 1 volume type")
            )
    return names


def _container(given: Json, at: str, volumes: set[str]) -> Errors:
    errors: Errors = []
    if not given.get("image"):
        errors.append(FieldError.required(f"{at}.image"))
    errors += _choice(given, "imagePullPolicy", ("Always", "IfNotPresent", "Never"), at)
    errors += _ports(given.get("ports") or [], f"{at}.ports")
    errors += _mounts(given.get("volumeMounts") or [], f"{at}.volumeMounts", volumes)
    errors += _resources(given.get("resources") or {}, f"{at}.resources")
    for i, variable in enumerate(given.get("env") or []):
        if variable.get("name") == "" or "=" in variable.get("name", ""):
            text = "a valid environment variable name must be non-empty and without '='"
            errors.append(FieldError.invalid(f"{at}.env[{i}].name", variable["name"], text))
        if "value" in variable and variable.get("valueFrom") and variable["value"]:
            text = "may not be specified when `value` is not empty"
            errors.append(FieldError.invalid(f"{at}.env[{i}].valueFrom", "", text))
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe in given:
            errors += _probe(given[probe], f"{at}.{probe}", probe)
    return errors


def _ports(given: list[Json], field: str) -> Errors:
    errors: Errors = []
    names: set[str] = set()
    for i, each in enumerate(given):
        at = f"{field}[{i}]"
        for name in ("containerPort", "hostPort"):
            if name in each and not (0 if name == "hostPort" else 1) <= each[name] <= 65535:
                text = "must be between 1 and 65535, inclusive"
                errors.append(FieldError.invalid(f"{at}.{name}", each[name], text))
        errors += _choice(each, "protocol", ("TCP", "SCTP", "UDP"), at)
        if name := each.get("name", ""):
            if name in names:
                errors.append(FieldError.duplicate(f"{at}.name", name))
            elif not metadata.is_label(name) or len(name) > 15:
                text = "must be a lower-case port name of at most 15 characters"
                errors.append(FieldError.invalid(f"{at}.name", name, text))
            names.add(name)
    return errors


def _mounts(given: list[Json], field: str, volumes: set[str]) -> Errors:
    errors: Errors = []
    paths: set[str] = set()
    for i, each in enumerate(given):
        if (name := each.get("name", "")) not in volumes and name:
            text = f'Not found: "{name}"'
            errors.append(FieldError("FieldValueNotFound", f"{field}[{i}].name", text))
        path = each.get("mountPath", "")
        if path and path in paths:
            errors.append(FieldError.invalid(f"{field}[{i}].mountPath", path, "must be unique"))
        paths.add(path)
    return errors


def _resources(given: Json, field: str) -> Errors:
    errors: Errors = []
    limits = given.get("limits") or {}
    for part in ("limits", "requests"):
        for name, amount in (given.get(part) or {}).items():
            at = f"{field}.{part}[{name}]"
            if quantities.parse(amount) < 0:
                errors.append(FieldError.invalid(at, amount, "must be greater than or equal to 0"))
    for name, amount in (given.get("requests") or {}).items():
        if name in limits and quantities.parse(amount) > quantities.parse(limits[name]):
            text = f"must be less than or equal to {name} limit of {limits[name]}"
            errors.append(FieldError.invalid(f"{field}.requests", amount, text))
    return errors


def _probe(given: Json, at: str, name: str) -> Errors:
    errors: Errors = []
    handlers = [each for each in ("exec", "httpGet", "tcpSocket", "grpc") if each in given]
    if not handlers:
        errors.append(FieldError.required(at, "must specify a handler type"))
    for extra in handlers[1:]:
        text = "may not specify more than 1 handler type"
        errors.append(FieldError.forbidden(f"{at}.{extra}", text))
    if name != "readinessProbe" and given.get("successThreshold", 1) != 1:
        errors.append(
            FieldError.invalid(f"{at}.successThreshold", given["successThreshold"], "must be 1")
        )
    return errors
