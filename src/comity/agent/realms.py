"""For what callers of an agent have to prove who they are (mesos docs/authentication.md).

Executors do so by a token that the agent put into their environment: it names the framework, the
executor and the container, and is good for nothing else.
"""

from typing import Any, NamedTuple

from comity.agent.config import AgentConfig
from comity.agent.state import Executor
from comity.core import jwt

TOKEN_VARIABLE = "MESOS_EXECUTOR_AUTHENTICATION_TOKEN"  # noqa: S105 - a name
_CLAIMS = ("fid", "eid", "cid")

_OPEN = frozenset({"/health", "/version"})
"""Paths that tell nothing and change nothing."""

_READWRITE = frozenset({"/api/v1", "/images", "/logging/toggle"})


class Wanted(NamedTuple):
    """A realm, whether it has to be proved who calls, and whether executors are let in."""

    realm: str
    is_required: bool
    takes_tokens: bool = False


def realm_of(path: str, config: AgentConfig, *, has_tokens: bool) -> Wanted:
    """Return the realm of a path whose prefix is gone; a path that is not known is read-only."""
    if path in _OPEN:
        return Wanted("mesos-agent-readonly", is_required=False)
    if path == "/api/v1/executor":
        return Wanted("mesos-agent-executor", is_required=has_tokens, takes_tokens=True)
    is_known = config.credentials is not None
    if path in _READWRITE:
        required = is_known and _or(config.authenticate_http_readwrite)
        return Wanted("mesos-agent-readwrite", required, takes_tokens=True)
    return Wanted("mesos-agent-readonly", is_known and _or(config.authenticate_http_readonly))


def _or(given: bool | None) -> bool:
    return True if given is None else given


class ExecutorTokens:
    """Tokens of the executors of one agent."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, executor: Executor) -> str:
        """Return an executor's token (mesos: secret generator, claims `fid`, `eid`, `cid`)."""
        values = (executor.framework_id, executor.id, executor.container_id)
        return jwt.issue(dict(zip(_CLAIMS, values, strict=True)), self._key)

    def claims(self, token: str) -> dict[str, str] | None:
        """Return whom a token names; None when it is none of ours."""
        found: dict[str, Any] | None = jwt.claims_of(token, self._key)
        if found is None or any(not isinstance(found.get(name), str) for name in _CLAIMS):
            return None
        return {name: found[name] for name in _CLAIMS}
