"""An app's or pod's wishes in the terms of the placement policy."""

from collections.abc import Iterable

from comity.marathon import networking, pod_networking
from comity.marathon.state import Instance
from comity.policy.placement import Constraint, Demand, Operator, Placed, PortDemand
from comity.wire.marathon.apps import App
from comity.wire.marathon.pods import ExecutorResources, Pod, Resources, Spec


def constraints_of(app: Spec) -> tuple[Constraint, ...]:
    """Return the constraints of an app or a pod."""
    return tuple(
        Constraint(one[0], Operator(one[1]), one[2] if len(one) > 2 else "")
        for one in app.constraints
    )


def demand_of(app: Spec) -> Demand:
    """Return what one instance of an app or a pod asks of an offer."""
    ports: tuple[int, ...]
    if isinstance(app, Pod):
        scalars, ports = _of_pod(app), pod_networking.demanded(app)
    else:
        scalars, ports = _of_app(app), networking.demanded(app)
    return Demand(
        scalars=scalars,
        ports=PortDemand(ports),
        roles=app.accepted_resource_roles or ("*",),
        constraints=constraints_of(app),
        instances=app.instances,
    )


def _of_app(app: App) -> dict[str, float]:
    return {"cpus": app.cpus, "mem": app.mem, "disk": app.disk, "gpus": float(app.gpus)}


def _of_pod(pod: Pod) -> dict[str, float]:
    """Return what the containers and the executor ask for together."""
    asked: list[Resources | ExecutorResources] = [one.resources for one in pod.containers]
    asked.append(pod.executor_resources)
    return {
        "cpus": sum(one.cpus for one in asked),
        "mem": sum(one.mem for one in asked),
        "disk": sum(one.disk for one in asked),
        "gpus": float(sum(one.resources.gpus for one in pod.containers)),
    }


def placed(instances: Iterable[Instance]) -> Placed:
    """Return where an app's active instances are."""
    return Placed([one.node for one in instances if one.is_active])
