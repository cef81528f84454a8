"""Secrets of apps and pods: names of what agents find in their `--secrets-dir`, never values.

Upstream a plugin of Marathon makes these references (`docs/secrets.md`); texts are those of
`SecretValidation`, `AppValidation` and `PodsValidation`.
"""

from collections.abc import Mapping
from typing import Any

from comity.wire.marathon.apps import EnvSecret, SecretSource
from comity.wire.marathon.reads import Errors, note
from comity.wire.mesos import v1
from comity.wire.mesos.base import Secret, SecretReference
from comity.wire.mesos.containers import Volume, VolumeSource

Secrets = Mapping[str, SecretSource]


def reference(secrets: Secrets, name: str) -> Secret:
    """Return a secret that the definition declares, as an agent finds it."""
    return Secret(type="REFERENCE", reference=SecretReference(name=secrets[name].source))


def variables(
    environment: Mapping[str, str | EnvSecret], secrets: Secrets
) -> tuple[v1.Variable, ...]:
    """Return a task's variables; those that are secrets are found when it starts."""
    return tuple(
        v1.Variable(name=name, value=value)
        if isinstance(value, str)
        else v1.Variable(name=name, type="SECRET", secret=reference(secrets, value.secret))
        for name, value in environment.items()
    )


def volume(secrets: Secrets, name: str, path: str) -> Volume:
    """Return a secret as a file; a relative path is in the sandbox."""
    source = VolumeSource(type="SECRET", secret=reference(secrets, name))
    return Volume(container_path=path, source=source, mode="RO")


def check_environment(
    environment: Mapping[str, Any], declared: Mapping[str, Any], path: str, errors: Errors
) -> None:
    """Refuse variables whose secrets the definition does not declare."""
    for name, value in environment.items():
        if isinstance(value, dict) and value["secret"] not in declared:
            note(errors, f"{path}/{name}/secret", "references an undefined secret")


def check_pull_config(
    image: Mapping[str, Any], declared: Mapping[str, Any], path: str, errors: Errors
) -> None:
    """Refuse the login to a registry that the definition does not declare."""
    given = image.get("pullConfig")
    if given is not None and given["secret"] not in declared:
        text = "pullConfig.secret must refer to an existing secret"
        note(errors, f"{path}/pullConfig", text)


def check_volume(name: str, declared: Mapping[str, Any], path: str, errors: Errors) -> None:
    """Refuse a file whose secret the definition does not declare."""
    if name not in declared:
        note(errors, path, "volume.secret must refer to an existing secret")
