"""Puts containers on networks and takes them off: the one door for the containerizer."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from comity.core.networks import BRIDGE, NONE, Attachment, Joined, Network
from comity.runtime.networks import cni, resolving
from comity.runtime.networks.batches import Batches
from comity.runtime.networks.bridge import Bridge, Wish
from comity.runtime.networks.cni import Cni
from comity.runtime.networks.errors import NetworkRefused
from comity.runtime.networks.records import Record, Records, identity_of
from comity.runtime.networks.subnets import Subnets

_log = logging.getLogger(__name__)
_BRIDGE_NAMES = (BRIDGE, "bridge", "")
"""What the machine's own bridge is asked for by, unless a configuration has that name."""


class Networks:
    """The networks of one agent's containers."""

    no_ipv6 = ""
    """Why containers on the bridge have no IPv6 though it was asked for."""

    def __init__(
        self, bridge: Bridge, fault: str, plugins: Cni, directory: Path, *, is_able: bool = True
    ) -> None:
        self._bridge = bridge
        self._is_able = is_able
        """Whether containers can have networks of their own at all."""
        self._fault = fault
        """Why the bridge cannot be used, and what to do about it; empty when it can."""
        self._cni = plugins
        self._records = Records(directory)
        self._attached: dict[str, Record] = self._records.all()
        self._joining = Batches(self._join_all)
        self._leaving = Batches(self._leave_all)

    @property
    def no_bridge(self) -> str:
        """Why containers cannot be on the machine's own bridge, and what to do; empty if so."""
        return self._fault if BRIDGE not in self._cni.names() else ""

    @property
    def no_plugins(self) -> str:
        """Which networks of CNI are configured and cannot be had, and why; empty when all can."""
        return "; ".join(self._cni.faults())

    def check(self, networks: tuple[Network, ...]) -> None:
        """Refuse networks that no container can be on, before anything is made for it.

        Raises:
            NetworkRefused: naming the first, and why.
        """
        for network in networks:
            is_ours = network.name in _BRIDGE_NAMES and network.name not in self._cni.names()
            if self._fault and (is_ours or not self._is_able):
                name = BRIDGE if is_ours else network.name
                text = f"network '{name}' is not available on this agent"
                raise NetworkRefused(f"{text}: {self._fault}")

    def attachment(self, container: str) -> Attachment | None:
        """Return what a container is attached to, None for one without networks of its own."""
        record = self._attached.get(container)
        return record.attachment if record is not None else None

    async def attach(
        self, container: str, netns: Path, networks: tuple[Network, ...]
    ) -> Attachment:
        """Put a namespace on networks; one that is on them already stays as it is.

        Raises:
            NetworkRefused: naming the network and the reason; nothing of it stays.
        """
        identity = identity_of(netns)
        known = self._attached.get(container)
        if known is not None and known.identity == identity and known.attachment is not None:
            return known.attachment
        if known is not None:
            await self.detach(container)
        record = Record(container=container, netns=str(netns), identity=identity)
        try:
            wish = await asyncio.to_thread(self._plan, record, networks)
            return await self._attach(record, wish)
        except BaseException:
            await self.detach(container)
            raise

    async def _attach(self, record: Record, wish: Wish | None) -> Attachment:
        own = [Joined(name=NONE, addresses=(), interface="lo")] if record.has_none else []
        if wish is not None:
            result = await self._joining.do(wish)
            if isinstance(result, NetworkRefused):
                raise result
            own.append(result)
        if record.plugins:
            await asyncio.to_thread(self._add, record)
        found = cni.attachment_of(record.plugins)
        joined = sorted((*own, *found.joined), key=lambda one: one.interface)
        record.attachment = msgspec.structs.replace(found, joined=tuple(joined))
        if not found.nameservers:
            record.attachment = msgspec.structs.replace(record.attachment, **resolving.of_machine())
        self._records.save(record)
        return record.attachment

    async def detach(self, container: str) -> None:
        """Take a container off its networks; what refuses is logged, and tried again at a start."""
        record = self._attached.get(container)
        if record is None:
            return
        faults = await asyncio.to_thread(self._delete, record)
        if record.bridge:
            try:
                await self._leaving.do(record)
            except NetworkRefused as error:
                faults.append(str(error))
        for fault in faults:
            _log.warning("container %s stays on a network: %s", container, fault)
        self._attached.pop(container, None)
        if not faults:
            self._records.drop(container)

    async def keep(self, known: set[str]) -> None:
        """Take off their networks all containers but these: those of a crash, or of a reboot.

        Plugins are asked whether the others are on their networks still; what is not, is logged.
        """
        strays = [one for one in self._attached if one not in known]
        await asyncio.gather(*(self.detach(one) for one in strays))
        await self._logged(lambda bridge: bridge.keep(known))
        for container, record in list(self._attached.items()):
            for fault in await asyncio.to_thread(self._check, record):
                _log.warning("container %s may have lost a network: %s", container, fault)

    async def watch(self, every_s: float = 30.0) -> None:
        """Repair the rules that others' firewalls remove, for ever."""
        while True:
            await asyncio.sleep(every_s)
            await self._logged(lambda bridge: bridge.repair())

    async def close(self) -> None:
        """Remove the bridge, if no container of any agent is on it."""
        await self._logged(lambda bridge: bridge.close())

    async def _logged(self, what: Callable[[Bridge], None]) -> None:
        if self._fault:
            return
        try:
            await asyncio.to_thread(what, self._bridge)
        except (NetworkRefused, OSError) as error:
            _log.warning("bridge %s: %s", self._bridge.name, error)

    # what runs in threads

    def _plan(self, record: Record, networks: tuple[Network, ...]) -> Wish | None:
        """Find every network, and note the container before anything of it is made."""
        self.check(networks)
        wish: Wish | None = None
        configured = self._cni.names()
        for index, network in enumerate(networks):
            interface = f"eth{index}"
            if network.name == NONE and NONE not in configured:
                _check_alone(network, networks)
                record.has_none = True
            elif network.name in _BRIDGE_NAMES and network.name not in configured:
                if wish is not None:
                    raise NetworkRefused(f"network '{BRIDGE}' is asked for twice")
                own = msgspec.structs.replace(network, name=BRIDGE)
                wish = Wish(record.container, Path(record.netns), own, interface)
                record.bridge = self._bridge.name
                record.subnet = str(self._bridge.subnets.v4)
                record.subnet6 = str(self._bridge.subnets.v6 or "")
            else:
                others = (BRIDGE,) if not self._fault else ()
                record.plugins.append(self._cni.find(network, interface, others))
        self._records.save(record)
        self._attached[record.container] = record
        return wish

    def _add(self, record: Record) -> None:
        for index, added in enumerate(record.plugins):
            done = self._cni.add(record.container, Path(record.netns), added)
            record.plugins[index] = done
            self._records.save(record)

    def _check(self, record: Record) -> list[str]:
        faults = []
        for added in record.plugins:
            try:
                self._cni.check(record.container, Path(record.netns), added)
            except NetworkRefused as error:
                faults.append(str(error))
        return faults

    def _delete(self, record: Record) -> list[str]:
        netns = Path(record.netns)
        path = netns if netns.exists() else None
        return [
            fault
            for added in reversed(record.plugins)
            for fault in self._cni.delete(record.container, path, added)
        ]

    def _join_all(self, wishes: list[Wish]) -> list[Joined | NetworkRefused]:
        return self._bridge.attach(wishes)

    def _leave_all(self, records: list[Record]) -> list[None]:
        """Take containers off the bridges that they are on: an agent may have had another."""
        places = {(one.bridge, one.subnet, one.subnet6) for one in records}
        for name, subnet, subnet6 in places:
            subnets = Subnets.read(subnet, subnet6)
            bridge = self._bridge.other(name, subnets)
            of_it = [one for one in records if (one.bridge, one.subnet6) == (name, subnet6)]
            bridge.detach([one.container for one in of_it])
            if (name, subnets) != (self._bridge.name, self._bridge.subnets):
                bridge.close()
        return [None for _ in records]


def _check_alone(network: Network, networks: tuple[Network, ...]) -> None:
    """Refuse what cannot be had beside no network, or on it.

    Raises:
        NetworkRefused: other networks, mapped ports, or an address.
    """
    if len(networks) > 1:
        raise NetworkRefused(f"network '{NONE}' is none: leave the other networks out, or it")
    if network.ports or network.addresses:
        raise NetworkRefused(f"network '{NONE}' has neither mapped ports nor addresses")
