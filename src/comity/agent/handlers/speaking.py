"""Events to executors: encoded once, in RecordIO, one per chunk."""

from comity.agent.state import Executor
from comity.core.effects import Outbox, Reply, Send
from comity.wire import recordio
from comity.wire.mesos import codec, executor


def send_to_executor(one: Executor, event: executor.Event, out: Outbox) -> bool:
    """Send an event; False when the executor has not subscribed."""
    if one.stream is None:
        return False
    out.sends.append(Send(one.stream, recordio.encode(codec.encode(event, one.format))))
    return True


def refuse(to: int, status: int, text: str, out: Outbox) -> None:
    """Answer a request with an error; the body is its sentence."""
    kind = "text/plain; charset=utf-8"
    out.replies.append(Reply(to=to, status=status, body=f"{text}\n".encode(), content_type=kind))


def answer(to: int, status: int, out: Outbox, body: bytes = b"") -> None:
    """Answer a request."""
    out.replies.append(Reply(to=to, status=status, body=body))
