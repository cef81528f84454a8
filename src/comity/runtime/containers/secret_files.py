"""Secrets by their names: an agent's directory of files (Mesos has a module, `--secret_resolver`).

`NAME` is a path in the directory. With a key the file is a JSON object, and the secret its value.
"""

import base64
import json
from pathlib import Path

import msgspec

from comity.core.containers import NamedSecret, Spec
from comity.runtime.containers.errors import ContainerRefused

_SIZE_MAX = 1 << 20


class SecretFiles:
    """The secrets of one agent; without a directory it has none."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def put_into(self, spec: Spec) -> Spec:
        """Return a container with the secrets that it names.

        Raises:
            ContainerRefused: one is not here; what others hold is in no message.
        """
        for one in spec.secrets:
            spec = _with(spec, one, self._read(one))
        return spec

    def _read(self, one: NamedSecret) -> bytes:
        if self._directory is None:
            raise ContainerRefused(
                f"secret {one.name!r}: this agent has no secret resolver; start it with "
                "--secrets-dir, or give the secret's VALUE"
            )
        root = self._directory.resolve()
        path = (root / one.name.strip("/")).resolve()
        if not path.is_relative_to(root) or not path.is_file():
            raise ContainerRefused(f"secret {one.name!r} is not in {self._directory}")
        try:
            if path.stat().st_size > _SIZE_MAX:
                raise ContainerRefused(f"secret {one.name!r} is larger than {_SIZE_MAX} bytes")
            data = path.read_bytes()
        except OSError as error:
            raise ContainerRefused(f"secret {one.name!r}: {error.strerror}") from error
        return _of_key(data, one) if one.key else data


def _of_key(data: bytes, one: NamedSecret) -> bytes:
    try:
        return str(json.loads(data)[one.key]).encode()
    except (ValueError, KeyError, TypeError):
        text = f"secret {one.name!r} is no JSON object with the key {one.key!r}"
        raise ContainerRefused(text) from None


def _with(spec: Spec, one: NamedSecret, data: bytes) -> Spec:
    if one.place == "image":
        return msgspec.structs.replace(spec, image_login=data.decode(errors="replace"))
    if one.place == "variable":
        value = data.decode(errors="replace")
        if "\0" in value:
            raise ContainerRefused(f"secret {one.name!r} has a NUL: it cannot be a variable")
        return msgspec.structs.replace(spec, environment={**spec.environment, one.target: value})
    content = base64.b64encode(data).decode()
    mounts = tuple(
        msgspec.structs.replace(mount, source=content)
        if mount.kind == "secret" and mount.target == one.target
        else mount
        for mount in spec.mounts
    )
    return msgspec.structs.replace(spec, mounts=mounts)
