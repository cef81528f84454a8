"""Volumes of CSI plugins as tasks ask for them (mesos.proto: Volume.Source.CSIVolume)."""

from typing import Annotated

from msgspec import field

from comity.wire.mesos.base import Secret, Wire
from comity.wire.mesos.numbers import Numbers

CSI_ACCESS_MODE: Numbers = {
    "UNKNOWN": 0,
    "SINGLE_NODE_WRITER": 1,
    "SINGLE_NODE_READER_ONLY": 2,
    "MULTI_NODE_READER_ONLY": 3,
    "MULTI_NODE_SINGLE_WRITER": 4,
    "MULTI_NODE_MULTI_WRITER": 5,
}


class BlockVolume(Wire, frozen=True, kw_only=True):
    """`CSIVolume.VolumeCapability.BlockVolume`."""


class MountVolume(Wire, frozen=True, kw_only=True):
    """`CSIVolume.VolumeCapability.MountVolume`."""

    fs_type: Annotated[str | None, 1] = None
    mount_flags: Annotated[tuple[str, ...], 2] = ()


class AccessMode(Wire, frozen=True, kw_only=True):
    """`CSIVolume.VolumeCapability.AccessMode`."""

    mode: Annotated[str, 1, CSI_ACCESS_MODE]


class VolumeCapability(Wire, frozen=True, kw_only=True):
    """`CSIVolume.VolumeCapability`: one of `block` and `mount`."""

    block: Annotated[BlockVolume | None, 1] = None
    mount: Annotated[MountVolume | None, 2] = None
    access_mode: Annotated[AccessMode, 3]


class StaticProvisioning(Wire, frozen=True, kw_only=True):
    """`CSIVolume.StaticProvisioning`."""

    volume_id: Annotated[str, 1]
    volume_capability: Annotated[VolumeCapability, 2]
    node_stage_secrets: Annotated[dict[str, Secret], 3] = field(default_factory=dict)
    node_publish_secrets: Annotated[dict[str, Secret], 4] = field(default_factory=dict)
    volume_context: Annotated[dict[str, str], 5] = field(default_factory=dict)


class CSIVolume(Wire, frozen=True, kw_only=True):
    """`Volume.Source.CSIVolume`."""

    plugin_name: Annotated[str, 1]
    static_provisioning: Annotated[StaticProvisioning | None, 2] = None
