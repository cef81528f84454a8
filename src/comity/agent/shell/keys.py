"""The key that executors' tokens are signed with: an operator's, or one made here and kept."""

import os
import secrets
from pathlib import Path

from comity.agent.config import AgentConfig
from comity.agent.realms import ExecutorTokens
from comity.core.errors import UserError

_KEY_MIN = 16


def executor_tokens(config: AgentConfig) -> ExecutorTokens | None:
    """Return what makes executors' tokens; None when they need none.

    Raises:
        UserError: the key cannot be read, or is too short to protect anything.
    """
    wanted = config.authenticate_http_executors
    if wanted is None:
        wanted = config.credentials is not None or config.jwt_secret_key is not None
    if not wanted:
        return None
    if config.jwt_secret_key is None:
        return ExecutorTokens(_own_key(config.work_dir / "executor-key"))
    try:
        key = config.jwt_secret_key.read_bytes().strip()
    except OSError as error:
        raise UserError(
            f"cannot read the key of executors' tokens from {config.jwt_secret_key}: "
            f"{error.strerror}"
        ) from error
    if len(key) < _KEY_MIN:
        raise UserError(f"{config.jwt_secret_key} must hold {_KEY_MIN} bytes or more")
    return ExecutorTokens(key)


def _own_key(path: Path) -> bytes:
    """Return the key in a file, made at the first time: executors outlive their agent."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        key = secrets.token_bytes(32)
        new = path.with_suffix(".new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
        new.replace(path)
        return key
