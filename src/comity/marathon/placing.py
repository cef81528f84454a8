"""An app's wishes in the terms of the placement policy."""

from collections.abc import Iterable

from comity.marathon import networking
from comity.marathon.state import Instance
from comity.policy.placement import Constraint, Demand, Operator, Placed, PortDemand
from comity.wire.marathon.apps import App


def constraints_of(app: App) -> tuple[Constraint, ...]:
    """Return an app's constraints."""
    return tuple(
        Constraint(one[0], Operator(one[1]), one[2] if len(one) > 2 else "")
        for one in app.constraints
    )


def demand_of(app: App) -> Demand:
    """Return what one instance of an app asks of an offer."""
    return Demand(
        scalars={
            "cpus": app.cpus,
            "mem": app.mem,
            "disk": app.disk,
            "gpus": float(app.gpus),
        },
        ports=PortDemand(networking.demanded(app)),
        roles=app.accepted_resource_roles or ("*",),
        constraints=constraints_of(app),
        instances=app.instances,
    )


def placed(instances: Iterable[Instance]) -> Placed:
    """Return where an app's active instances are."""
    return Placed([one.node for one in instances if one.is_active])
