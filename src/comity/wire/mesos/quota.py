"""Quota and weights of roles (quota.proto, mesos.proto)."""

from typing import Annotated

from msgspec import field

from comity.wire.mesos.base import Scalar, Wire
from comity.wire.mesos.v1 import Resource


class QuotaInfo(Wire, frozen=True, kw_only=True):
    """`QuotaInfo`."""

    role: Annotated[str | None, 1] = None
    principal: Annotated[str | None, 2] = None
    guarantee: Annotated[tuple[Resource, ...], 3] = ()


class QuotaRequest(Wire, frozen=True, kw_only=True):
    """`QuotaRequest`."""

    force: Annotated[bool | None, 1] = None
    role: Annotated[str | None, 2] = None
    guarantee: Annotated[tuple[Resource, ...], 3] = ()


class QuotaConfig(Wire, frozen=True, kw_only=True):
    """`QuotaConfig`."""

    role: Annotated[str, 1]
    guarantees: Annotated[dict[str, Scalar], 2] = field(default_factory=dict)
    limits: Annotated[dict[str, Scalar], 3] = field(default_factory=dict)


class QuotaStatus(Wire, frozen=True, kw_only=True):
    """`QuotaStatus`."""

    infos: Annotated[tuple[QuotaInfo, ...], 1] = ()
    configs: Annotated[tuple[QuotaConfig, ...], 2] = ()


class WeightInfo(Wire, frozen=True, kw_only=True):
    """`WeightInfo`."""

    weight: Annotated[float, 1]
    role: Annotated[str | None, 2] = None
