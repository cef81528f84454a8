"""Commands and containers: environments, volumes, Docker's parameters."""

from comity.master.handlers.validation.faults import Invalid, within
from comity.wire.mesos import v1
from comity.wire.mesos.base import Secret
from comity.wire.mesos.containers import SandboxPath


def check_command(command: v1.CommandInfo) -> None:
    """Refuse a command whose environment contradicts itself."""
    if command.environment is not None:
        for variable in command.environment.variables:
            _check_variable(variable)


def _check_variable(variable: v1.Variable) -> None:
    named = f"Environment variable '{variable.name}' of type '{variable.type or 'VALUE'}'"
    if variable.type not in (None, "VALUE", "SECRET"):
        raise Invalid("Environment variable of type 'UNKNOWN' is not allowed")
    if variable.type == "SECRET":
        value = _secret_of(variable, named)
    elif variable.secret is not None:
        raise Invalid(f"{named} must not have a secret set")
    elif variable.value is None:
        raise Invalid(f"{named} must have a value")
    else:
        value = variable.value.encode()
    if "\0" in variable.name or b"\0" in value or "=" in variable.name or not variable.name:
        raise Invalid(f"Environment variable {variable.name!r} cannot be put into an environment")


def _secret_of(variable: v1.Variable, named: str) -> bytes:
    """Return what a variable of type SECRET holds; nothing is known of one that is only named."""
    if variable.secret is None:
        raise Invalid(f"{named} must have a secret set")
    if variable.value is not None:
        raise Invalid(f"{named} must not have a value set")
    _check_secret(variable.secret, named)
    return variable.secret.value.data if variable.secret.value is not None else b""


def _check_secret(secret: Secret, named: str) -> None:
    """Refuse a secret that is not either here or named (common/validation.cpp)."""
    if secret.type == "REFERENCE":
        if secret.reference is None:
            raise Invalid(f"{named}: a secret of type REFERENCE must have 'reference' set")
        if secret.value is not None:
            raise Invalid(f"{named}: a secret of type REFERENCE must not have 'value' set")
    elif secret.value is None:
        raise Invalid(f"{named}: a secret of type VALUE must have 'value' set")
    elif secret.reference is not None:
        raise Invalid(f"{named}: a secret of type VALUE must not have 'reference' set")


def check_container(container: v1.ContainerInfo) -> None:
    """Refuse volumes with no source or several, and Docker containers without `docker`."""
    for volume in container.volumes:
        with within("Invalid volume"):
            _check_volume(volume)
    if container.type != "DOCKER":
        return
    if container.docker is None:
        raise Invalid("DockerInfo 'docker' is not set for DOCKER typed ContainerInfo")
    if any(parameter.key == "name" for parameter in container.docker.parameters):
        raise Invalid("Parameter in DockerInfo must not be 'name'")


def check_no_parent(container: v1.ContainerInfo) -> None:
    """Refuse volumes out of a parent's sandbox: only a task of a group has a parent."""
    for volume in container.volumes:
        path = volume.source.sandbox_path if volume.source is not None else None
        if path is not None and path.type == "PARENT":
            raise Invalid(
                f"Invalid volume: '{path.path}' of the PARENT's sandbox needs a nested container; "
                "use SELF, or a task group"
            )


def _check_volume(volume: v1.Volume) -> None:
    given = (volume.host_path, volume.image, volume.source)
    if sum(one is not None for one in given) != 1:
        raise Invalid("Only one of them should be set: 'host_path', 'image' and 'source'")
    source = volume.source
    if source is None:
        return
    if source.type == "HOST_PATH":
        if source.host_path is None:
            raise Invalid("'source.host_path' is not set for HOST_PATH volume")
    elif source.type == "SANDBOX_PATH":
        _check_sandbox_path(source.sandbox_path)
    elif source.type == "SECRET":
        if source.secret is None:
            raise Invalid("'source.secret' is not set for SECRET volume")
        _check_secret(source.secret, "'source.secret'")
    elif source.type in ("DOCKER_VOLUME", "CSI_VOLUME"):
        raise Invalid(f"volumes of type {source.type} are not supported by this cluster's agents")
    else:
        raise Invalid("'source.type' is unknown")


def _check_sandbox_path(source: SandboxPath | None) -> None:
    """Refuse what could lead out of a sandbox (src/slave/containerizer/.../sandbox_path.cpp)."""
    if source is None:
        raise Invalid("'source.sandbox_path' is not set for SANDBOX_PATH volume")
    if source.type not in ("SELF", "PARENT"):
        raise Invalid("'source.sandbox_path.type' must be SELF or PARENT")
    if source.path.startswith("/"):
        raise Invalid(f"Path '{source.path}' in SANDBOX_PATH volume is absolute")
    if ".." in source.path.split("/"):
        raise Invalid(f"Path '{source.path}' in SANDBOX_PATH volume leads out of the sandbox")
