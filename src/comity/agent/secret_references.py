"""Secrets that are only named (Mesos: Secret of type REFERENCE): found when a container starts.

What is stored of a container then has their names and places, never what they hold.
"""

from collections.abc import Iterator

from comity.agent import mounting
from comity.core.containers import NamedSecret
from comity.wire.mesos import v1
from comity.wire.mesos.base import Secret


def named(command: v1.CommandInfo, container: v1.ContainerInfo | None) -> tuple[NamedSecret, ...]:
    """Return the secrets that a container names: for its variables, its files, its image."""
    return tuple(
        NamedSecret(
            name=secret.reference.name, key=secret.reference.key or "", place=place, target=target
        )
        for secret, place, target in _places(command, container)
        if secret is not None and secret.value is None and secret.reference is not None
    )


def _places(
    command: v1.CommandInfo, container: v1.ContainerInfo | None
) -> Iterator[tuple[Secret | None, str, str]]:
    given = command.environment.variables if command.environment is not None else ()
    for variable in given:
        yield variable.secret, "variable", variable.name
    if container is None:
        return
    for volume in container.volumes:
        if volume.source is not None:
            yield volume.source.secret, "file", mounting.target_of(volume)
    image = container.mesos.image if container.mesos is not None else None
    if image is not None and image.docker is not None:
        yield image.docker.config, "image", ""
