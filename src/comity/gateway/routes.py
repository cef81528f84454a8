"""The routes, as data, laid out as DC/OS's Admin Router has them.

The longest prefix wins. `{id}`-like parts are not needed: what is dynamic (`/service/…`,
`/agent/…`) is a kind of target that reads the rest of the path itself.
"""

import enum
from typing import NamedTuple


class Target(enum.Enum):
    """What answers a route."""

    MASTER = "master"
    MARATHON = "marathon"
    COSMOS = "cosmos"
    SERVICE = "service"
    """The service whose name is next in the path."""
    AGENT = "agent"
    """The agent whose id is next in the path."""
    OWN = "own"
    """A handler of ours."""
    REDIRECT = "redirect"
    """`to` is the new place and `status` the kind of redirection."""
    ABSENT = "absent"
    """Known to clients, which take the 404 for an answer."""


class Route(NamedTuple):
    """A prefix (ending in a slash) or an exact path, and what answers it."""

    path: str
    target: Target
    to: str = ""
    """What replaces `path` upstream; where a redirection leads; why something is absent."""
    status: int = 307
    needs_token: bool = True


_OPEN = False

ROUTES: tuple[Route, ...] = (
    Route("/", Target.OWN, needs_token=_OPEN),
    Route("/mesos", Target.REDIRECT, "/mesos/", 301),
    Route("/mesos/", Target.MASTER, "/"),
    Route("/mesos/master/redirect", Target.REDIRECT, "/mesos/", 307),
    Route("/marathon", Target.REDIRECT, "/marathon/", 307),
    Route("/marathon/", Target.MARATHON, "/"),
    Route("/service/", Target.SERVICE),
    Route("/service/marathon", Target.REDIRECT, "/service/marathon/", 301),
    Route("/service/marathon/", Target.MARATHON, "/"),
    Route("/package/", Target.COSMOS, "/package/"),
    Route("/capabilities", Target.COSMOS, "/capabilities"),
    Route("/cosmos/service/", Target.COSMOS, "/cosmos/service/"),
    Route("/slave/", Target.AGENT),
    Route("/agent/", Target.AGENT),
    Route("/acs/api/v1/", Target.OWN),
    Route("/acs/api/v1/auth/", Target.OWN, needs_token=_OPEN),
    Route("/metadata", Target.OWN),
    Route("/dcos-metadata/dcos-version.json", Target.OWN, needs_token=_OPEN),
    Route("/dcos-metadata/ui-config.json", Target.OWN, needs_token=_OPEN),
    Route("/dcos-metadata/bootstrap-config.json", Target.ABSENT, "only DC/OS Enterprise has it"),
    Route("/pkgpanda/active.buildinfo.full.json", Target.OWN),
    Route("/mesos_dns", Target.REDIRECT, "/mesos_dns/", 301),
    Route("/mesos_dns/v1/hosts/", Target.OWN),
    Route("/mesos_dns/", Target.ABSENT, "there is no Mesos-DNS here; /v1/hosts/ knows the master"),
    Route("/exhibitor/", Target.ABSENT, "there is no ZooKeeper here"),
    Route("/net/", Target.ABSENT, "there is no dcos-net here"),
    Route("/cluster/v1/links", Target.ABSENT, "clusters cannot be linked"),
    Route("/system/", Target.ABSENT, "logs and files are under /agent/<id>/files/"),
    Route("/ca/", Target.ABSENT, "this gateway serves plain HTTP"),
)


class RouteTable:
    """Finds the route of a path."""

    def __init__(self, routes: tuple[Route, ...] = ROUTES) -> None:
        self._exact = {route.path: route for route in routes}
        prefixes = [route for route in routes if route.path.endswith("/") and route.path != "/"]
        self._prefixes = sorted(prefixes, key=lambda route: -len(route.path))

    def find(self, path: str) -> Route | None:
        """Return the route with this very path, else the one with the longest prefix of it."""
        exact = self._exact.get(path)
        if exact is not None:
            return exact
        for route in self._prefixes:
            if path.startswith(route.path):
                return route
        return None
