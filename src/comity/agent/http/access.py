"""Who gets into an agent, and what they may see and do there."""

from comity.agent import permissions
from comity.agent.config import AgentConfig
from comity.agent.realms import ExecutorTokens, realm_of
from comity.agent.state import State
from comity.policy.authorization import acls
from comity.policy.authorization.deciding import allows
from comity.runtime.files import Files, NoSuchFile
from comity.runtime.http import Request, Response
from comity.runtime.http.credentials import Guard, Realm
from comity.runtime.http.legacy import text
from comity.runtime.http.negotiation import Refused
from comity.wire.mesos import operator


class Access:
    """Who gets in, and what they may see and do here."""

    def __init__(
        self,
        config: AgentConfig,
        known: dict[str, str] | None,
        tokens: ExecutorTokens | None,
        files: Files,
    ) -> None:
        self._files = files
        self._config = config
        self._has_tokens = tokens is not None
        self._guard = Guard(known, tokens.claims if tokens is not None else None)
        self._acls = acls.parse(config.acls.encode()) if config.acls else acls.PERMISSIVE

    def refusal(self, request: Request, state: State) -> Response | None:
        """Return why a request is not let in, or None."""
        wanted = realm_of(request.path, self._config, has_tokens=self._has_tokens)
        realm = Realm(wanted.realm, not wanted.is_required, wanted.takes_tokens)
        refusal = self._guard.refusal(request, realm)
        if refusal is not None or request.path.startswith("/api/"):
            return refusal
        who = caller(request)
        file = request.arg("path")
        place = self._place(file) if file and request.path.startswith("/files/") else file
        if permissions.may_get(state, self._acls, who, request.path, place):
            return None
        return text(403, f"Not authorized to see {request.path}")

    def check(self, state: State, request: Request, call: operator.AgentCall) -> None:
        """Raise Refused when the caller may not make a call."""
        who = caller(request)
        allowed = permissions.may_touch(state, self._acls, who, call)
        if allowed is None:
            allowed = permissions.may_call(state, self._acls, who, call)
        path = permissions.file_of(call)
        if allowed and path is not None:
            allowed = permissions.may_read(state, self._acls, who, self._place(path))
        if not allowed:
            raise Refused(403, "Not authorized to do this")

    def _place(self, path: str) -> str:
        """Return where a path leads: `..` and tasks' links do not change whose a file is."""
        if path.rstrip("/") == permissions.LOG:
            return permissions.LOG
        try:
            return str(self._files.resolve(path))
        except NoSuchFile:
            return path

    def seen(self, state: State, request: Request) -> State:
        """Return what the caller may see."""
        return permissions.seen_by(state, self._acls, caller(request))

    def containers(self, state: State, request: Request) -> State:
        """Return what containers the caller may see."""
        return permissions.with_seen_containers(state, self._acls, caller(request))

    def may_see_flags(self, request: Request) -> bool:
        """Whether the caller may see the agent's settings."""
        return allows(self._acls, acls.Action.VIEW_FLAGS, request.principal)


def caller(request: Request) -> permissions.Caller:
    """Return who makes a request."""
    return permissions.Caller(request.principal, request.claims or None)
