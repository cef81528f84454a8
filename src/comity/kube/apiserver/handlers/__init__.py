"""What the API server does with each input. Handlers raise ApiError before they change anything."""

from comity.core.effects import Outbox, Reply
from comity.core.table import Table
from comity.kube.apiserver.state import State

table: Table[State, Outbox] = Table("apiserver")


def answer(
    out: Outbox, to: int, body: bytes, *, status: int = 200, warnings: tuple[str, ...] = ()
) -> None:
    """Reply to a request with JSON, and with its warnings as headers."""
    headers = tuple(("Warning", f'299 - "{_escaped(text)}"') for text in warnings)
    out.replies.append(Reply(to=to, status=status, body=body, headers=headers))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ").replace("\r", " ")
