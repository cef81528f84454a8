"""Docker's credential helpers: programs that know who we are to a registry.

`docker-credential-NAME get` reads the registry's name from its input and answers in JSON
(github.com/docker/docker-credential-helpers). Only the agent's own configuration names helpers:
a task's configuration must not make the agent run programs.
"""

import json
import re
import subprocess

from comity.runtime.images.errors import ImageNotFound

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TIMEOUT_S = 20
_UNKNOWN = "credentials not found in native keychain"
_SAID_MAX = 200


def is_name(text: object) -> bool:
    """Whether this can be a helper's name; it becomes part of a program's."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def ask(helper: str, server: str) -> tuple[str, str] | None:
    """Return the user and the secret that a helper has for a server, None when it knows of none.

    Raises:
        ImageNotFound: the helper failed; what it said is told, but never a secret.
    """
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [program, "get"],
            input=f"{server}\n".encode(),
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        text = f"the credential helper {program} did not answer within {_TIMEOUT_S} s"
        raise ImageNotFound(text) from error
    except OSError as error:
        text = f"the credential helper {program} cannot be run: {error.strerror}"
        raise ImageNotFound(text) from error
    said = done.stdout.decode(errors="replace").strip()
    if done.returncode != 0:
        if _UNKNOWN in said:
            return None
        raise ImageNotFound(f"the credential helper {program} failed: {said[:_SAID_MAX]}")
    try:
        answer = json.loads(said)
        return str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError):
        raise ImageNotFound(f"the credential helper {program} did not answer as one") from None
