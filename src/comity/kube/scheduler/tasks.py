"""Pods as Mesos tasks, and the executor that runs them."""

from typing import Any

from comity.core.errors import InvariantViolated
from comity.kube.scheduler.pods import Demand, bound_to
from comity.kube.scheduler.state import EXECUTOR_ID, Node, Settings, task_id_of
from comity.resources.amounts import Kind, Resources
from comity.wire.mesos import codec, resources, v1

Json = dict[str, Any]


def task_of(pod: Json, demand: Demand, node: Node, settings: Settings) -> v1.TaskInfo:
    """Return the task that runs a pod on a node."""
    metadata = pod["metadata"]
    labels = (
        v1.Label(key="kubernetes.io/namespace", value=metadata["namespace"]),
        v1.Label(key="kubernetes.io/pod", value=metadata["name"]),
    )
    return v1.TaskInfo(
        name=metadata["name"],
        task_id=v1.Id(value=task_id_of(pod)),
        agent_id=v1.Id(value=node.agent_id),
        resources=resources.write(demand.resources, role=settings.role),
        executor=executor_of(node, settings),
        data=codec.encode(bound_to(pod, node.name)),
        labels=v1.Labels(labels=labels),
    )


def executor_of(node: Node, settings: Settings) -> v1.ExecutorInfo:
    """Return a node's executor: the same, to the byte, for as long as it runs."""
    if not node.kubelet_port:
        raise InvariantViolated(f"{node.name} has no port for its executor")
    port = node.kubelet_port
    held = Resources.scalars(cpus=settings.executor_cpus, mem=settings.executor_mem)
    held = held + Resources({Kind("ports"): ((port, port),)})
    return v1.ExecutorInfo(
        type=v1.ExecutorType.CUSTOM,
        executor_id=v1.Id(value=EXECUTOR_ID),
        name="Kubernetes node",
        source="kubernetes",
        command=v1.CommandInfo(value=settings.executor_command),
        resources=resources.write(held, role=settings.role),
        data=settings.executor_data,
    )
