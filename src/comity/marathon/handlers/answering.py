"""Answers to requests: JSON bodies and refusals, in one place."""

from typing import Any

import msgspec

from comity.core.effects import Headers, Outbox, Reply
from comity.marathon.state import Deployment
from comity.wire.marathon.errors import Refused

_encode = msgspec.json.Encoder().encode


def answer(out: Outbox, to: int, body: Any, *, status: int = 200, headers: Headers = ()) -> None:
    """Answer with a JSON body."""
    out.replies.append(Reply(to=to, status=status, body=_encode(body), headers=headers))


def answer_empty(out: Outbox, to: int, status: int, *, headers: Headers = ()) -> None:
    """Answer without a body."""
    out.replies.append(Reply(to=to, status=status, content_type="", headers=headers))


def answer_deployment(
    out: Outbox, to: int, deployment: Deployment, *, status: int = 200, headers: Headers = ()
) -> None:
    """Answer with the version and the id of a deployment."""
    body = {"version": deployment.version, "deploymentId": deployment.id}
    header = ("Marathon-Deployment-Id", deployment.id)
    answer(out, to, body, status=status, headers=(header, *headers))


def refuse(out: Outbox, to: int, error: Refused) -> None:
    """Answer with an error."""
    out.replies.append(Reply(to=to, status=error.status, body=error.body))
