"""Which headers pass through a proxy, and what becomes of addresses in them."""

from urllib.parse import urlsplit

from comity.gateway import tokens

Headers = tuple[tuple[str, str], ...]

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""About one connection, not about the message (RFC 9110, 7.6.1)."""

_OURS = frozenset({"host", "content-length", "expect", "x-forwarded-for", "x-forwarded-proto"})


def for_upstream(
    headers: dict[str, str], peer: str, own: Headers, *, is_our_token: bool
) -> Headers:
    """Return a request's headers for the upstream: no login of ours, nothing about this hop."""
    dropped = _HOP_BY_HOP | _OURS | _named_by_connection(headers.get("connection", ""))
    passed = [
        (name, value)
        for name, value in headers.items()
        if name not in dropped and name not in ("authorization", "cookie")
    ]
    if cookie := _other_cookies(headers.get("cookie", "")):
        passed.append(("cookie", cookie))
    authorization = headers.get("authorization")
    if own:
        passed += own
    elif authorization and not is_our_token:
        passed.append(("authorization", authorization))
    passed.append(("X-Forwarded-For", peer.rpartition(":")[0] or peer))
    passed.append(("X-Forwarded-Proto", "http"))
    return tuple(passed)


def _named_by_connection(value: str) -> set[str]:
    return {name.strip().lower() for name in value.split(",")}


def _other_cookies(value: str) -> str:
    kept = [
        cookie.strip()
        for cookie in value.split(";")
        if cookie.partition("=")[0].strip() not in (tokens.AUTH_COOKIE, tokens.INFO_COOKIE, "")
    ]
    return "; ".join(kept)


def for_client(headers: Headers, upstream: str, prefix: str) -> Headers:
    """Return an answer's headers for the client; Content-Type is left to the response."""
    dropped = _HOP_BY_HOP | {"content-length", "content-type", "date", "server"}
    return tuple(
        (name, located(value, upstream, prefix) if name.lower() == "location" else value)
        for name, value in headers
        if name.lower() not in dropped
    )


def located(location: str, upstream: str, prefix: str) -> str:
    """Return a Location as it looks through the gateway, when it leads back to the upstream.

    `prefix` is what the upstream's root is called here, without a slash at the end.
    """
    base, found = urlsplit(upstream), urlsplit(location)
    if found.netloc and found.netloc != base.netloc:
        return location
    if not found.netloc and not location.startswith("/"):
        return location
    path = found.path
    root = base.path.rstrip("/")
    if root and path.startswith(root):
        path = path[len(root) :]
    query = f"?{found.query}" if found.query else ""
    fragment = f"#{found.fragment}" if found.fragment else ""
    return f"{prefix}{path or '/'}{query}{fragment}"
