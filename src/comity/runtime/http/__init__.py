"""HTTP/1.1 for all our APIs, on asyncio.Protocol and httptools (ADR 0006 has the measurements)."""

from comity.runtime.http.client import Client, ClientStream, HttpError
from comity.runtime.http.duplex import Duplex, Upgrade
from comity.runtime.http.messages import Feed, Headers, Request, Response, Stream, reason_phrase
from comity.runtime.http.router import Router
from comity.runtime.http.server import Authenticate, Handler, Server, is_loopback

__all__ = [
    "Authenticate",
    "Client",
    "ClientStream",
    "Duplex",
    "Feed",
    "Handler",
    "Headers",
    "HttpError",
    "Request",
    "Response",
    "Router",
    "Server",
    "Stream",
    "Upgrade",
    "is_loopback",
    "reason_phrase",
]
