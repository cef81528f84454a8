"""What goes to and comes from a container that somebody is attached to (agent.proto: ProcessIO)."""

from typing import Annotated

from comity.wire.mesos import numbers
from comity.wire.mesos.base import ContainerID, DurationInfo, Wire
from comity.wire.mesos.containers import CommandInfo, ContainerInfo, TTYInfo


class ProcessData(Wire, frozen=True, kw_only=True):
    """`agent.ProcessIO.Data`."""

    type: Annotated[str | None, 1, numbers.AGENT_PROCESS_IO_DATA_TYPE] = None
    data: Annotated[bytes | None, 2] = None


class ProcessHeartbeat(Wire, frozen=True, kw_only=True):
    """`agent.ProcessIO.Control.Heartbeat`."""

    interval: Annotated[DurationInfo | None, 1] = None


class ProcessControl(Wire, frozen=True, kw_only=True):
    """`agent.ProcessIO.Control`."""

    type: Annotated[str | None, 1, numbers.AGENT_PROCESS_IO_CONTROL_TYPE] = None
    tty_info: Annotated[TTYInfo | None, 2] = None
    heartbeat: Annotated[ProcessHeartbeat | None, 3] = None


class ProcessIO(Wire, frozen=True, kw_only=True):
    """`agent.ProcessIO`."""

    type: Annotated[str | None, 1, numbers.AGENT_PROCESS_IO_TYPE] = None
    data: Annotated[ProcessData | None, 2] = None
    control: Annotated[ProcessControl | None, 3] = None


class LaunchNestedContainerSessionBody(Wire, frozen=True, kw_only=True):
    """`agent.Call.LaunchNestedContainerSession`."""

    container_id: Annotated[ContainerID, 1]
    command: Annotated[CommandInfo | None, 2] = None
    container: Annotated[ContainerInfo | None, 3] = None


class LaunchNestedContainerSession(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="LAUNCH_NESTED_CONTAINER_SESSION"
):
    """Start a nested container that ends with the connection; stream what it writes."""

    launch_nested_container_session: Annotated[LaunchNestedContainerSessionBody, 9]


class AttachContainerInputBody(Wire, frozen=True, kw_only=True):
    """`agent.Call.AttachContainerInput`: `type` is CONTAINER_ID or PROCESS_IO."""

    type: Annotated[str | None, 1, numbers.AGENT_CALL_ATTACH_CONTAINER_INPUT_TYPE] = None
    container_id: Annotated[ContainerID | None, 2] = None
    process_io: Annotated[ProcessIO | None, 3] = None


class AttachContainerInput(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="ATTACH_CONTAINER_INPUT"
):
    """A record of what goes to a container: first its id, then input."""

    attach_container_input: Annotated[AttachContainerInputBody, 10]


class AttachContainerOutputBody(Wire, frozen=True, kw_only=True):
    """`agent.Call.AttachContainerOutput`."""

    container_id: Annotated[ContainerID, 1]


class AttachContainerOutput(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="ATTACH_CONTAINER_OUTPUT"
):
    """Stream what a container writes."""

    attach_container_output: Annotated[AttachContainerOutputBody, 11]
