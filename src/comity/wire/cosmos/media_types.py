"""The versioned media types of Cosmos and of Universe repositories.

Clients compare Content-Type byte for byte with what they sent in Accept, so the texts are kept
exactly: no space after a semicolon, `charset` before `version`.
"""

from collections.abc import Sequence


def package(name: str, version: int = 1) -> str:
    """Return a type of the package API: `package("search-response")`."""
    return f"application/vnd.dcos.package.{name}+json;charset=utf-8;version=v{version}"


def service(name: str, version: int = 1) -> str:
    """Return a type of the service API: `service("describe-request")`."""
    return f"application/vnd.dcos.service.{name}+json;charset=utf-8;version=v{version}"


ERROR = package("error")
CAPABILITIES = "application/vnd.dcos.capabilities+json;charset=utf-8;version=v1"

UNIVERSE_REPO = {
    version: f"application/vnd.dcos.universe.repo+json;charset=utf-8;version=v{version}"
    for version in (5, 4, 3)
}
"""Repository documents by version, newest first: what we ask a repository for."""


def parse(text: str) -> tuple[str, dict[str, str]]:
    """Split a media type into its lower-case name and its parameters, weight left out."""
    name, *rest = text.split(";")
    parameters = {}
    for item in rest:
        key, _, value = item.partition("=")
        if key.strip().lower() != "q":
            parameters[key.strip().lower()] = value.strip().strip('"').lower()
    return name.strip().lower(), parameters


def is_same(given: str, expected: str) -> bool:
    """Whether a client's type means `expected`; spaces, order and case do not matter."""
    return parse(given) == parse(expected)


def choose(accept: str, offered: Sequence[str]) -> str | None:
    """Return the offered type that an Accept header asks for first; its first one for `*/*`."""
    for item in accept.split(",") if accept.strip() else ["*/*"]:
        name, parameters = parse(item)
        if name in ("*/*", "application/*"):
            return offered[0]
        for candidate in offered:
            offered_name, offered_parameters = parse(candidate)
            if name == offered_name and parameters.items() <= offered_parameters.items():
                return candidate
        if name == "application/json":
            return offered[0]
    return None
