"""Credentials for a pod's images: its `imagePullSecrets`, as one docker config."""

from typing import Any

import msgspec

from comity.kube.node import environment
from comity.kube.node.environment import ConfigError
from comity.kube.node.state import Resolved

Json = dict[str, Any]


def docker_config(spec: Json, resolved: Resolved) -> bytes:
    """Return the docker config of a pod's pull secrets; empty when it has none.

    A secret that is not there is passed over, as by the kubelet: the image may be open. Of two
    with credentials for one registry the first counts.

    Raises:
        ConfigError: a secret's document is no docker config.
    """
    auths: Json = {}
    for one in spec.get("imagePullSecrets") or ():
        secret = resolved.secrets.get(one.get("name", ""))
        if secret is None:
            continue
        held = environment.secret_bytes(secret)
        data = held.get(".dockerconfigjson") or held.get(".dockercfg")
        if data is not None:
            auths = {**_auths(data, one["name"]), **auths}
    return msgspec.json.encode({"auths": auths}) if auths else b""


def _auths(data: bytes, name: str) -> Json:
    try:
        document = msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ConfigError(f'the docker config of secret "{name}" is no JSON object') from error
    found = document.get("auths", document)
    return found if isinstance(found, dict) else {}
