"""Operations of a simulated scheduler: it reserves disk, makes volumes, and takes both back.

Each operation has an id, so the master tells what became of it; the scheduler acknowledges, and
asks about those whose end it does not know.
"""

import random
from collections.abc import Callable

from comity.resources.amounts import Kind, Reservation, Resources
from comity.sim.watching import Violated
from comity.wire.mesos import codec, resources, scheduler, v1
from comity.wire.mesos.operations import OperationState, OperationStatus

OPERATIONS_MAX = 6
_SIZE_MILLI = 10_000
_OPEN = (OperationState.PENDING, OperationState.RECOVERING)

Call = Callable[[scheduler.Call], None]


class Reserving:
    """The operations of one framework; they survive its scheduler's crashes."""

    def __init__(self, name: str, chance: random.Random) -> None:
        self.agents: dict[str, v1.Id] = {}
        """Where each operation is, by its id."""
        self.states: dict[str, OperationState] = {}
        self._name = name
        self._chance = chance

    @property
    def open(self) -> list[str]:
        """Return the operations whose end is not known."""
        return [one for one, state in self.states.items() if state in _OPEN]

    def choose(self, offer: v1.Offer, role: str) -> v1.Operation | None:
        """Return something to do with an offer's disk, or None."""
        if len(self.states) >= OPERATIONS_MAX:
            return None
        disks = [kind for kind, _ in resources.read(offer.resources) if kind.name == "disk"]
        if not disks:
            return None
        name = f"{self._name}-o{len(self.states)}"
        self.agents[name] = offer.agent_id
        self.states[name] = OperationState.PENDING
        shown = offer.allocation_info.role if offer.allocation_info is not None else None
        return self._operation(name, self._chance.choice(disks), role, shown)

    def _operation(self, name: str, kind: Kind, role: str, shown: str | None) -> v1.Operation:
        own = v1.Id(value=name)

        def written(amount_of: Kind) -> tuple[v1.Resource, ...]:
            bundle = Resources({amount_of: _SIZE_MILLI})
            return resources.write(bundle, role=shown, refined=True)

        if kind.disk is not None:
            gone = v1.Destroy(volumes=written(kind))
            return v1.Operation(type="DESTROY", id=own, destroy=gone)
        if not kind.reservations:
            reserved = Kind("disk", (Reservation(role, dynamic=True),))
            return v1.Operation(
                type="RESERVE", id=own, reserve=v1.Reserve(resources=written(reserved))
            )
        if self._chance.random() < 0.5:
            freed = v1.Unreserve(resources=written(kind))
            return v1.Operation(type="UNRESERVE", id=own, unreserve=freed)
        volumes = tuple(_volume(one, name) for one in written(kind))
        return v1.Operation(type="CREATE", id=own, create=v1.Create(volumes=volumes))

    def heard(self, status: OperationStatus, framework_id: v1.Id, call: Call) -> None:
        """Take a status; what was said to be over stays over."""
        assert status.operation_id is not None
        name = status.operation_id.value
        known = self.states.get(name)
        if known is None:
            raise Violated(f"{self._name} hears of operation {name}, which it never asked for")
        if status.uuid is None:
            if known in _OPEN:
                self.states[name] = status.state
            return
        if known is OperationState.FINISHED and status.state is not OperationState.FINISHED:
            raise Violated(f"operation {name} was FINISHED, and is {status.state} now")
        self.states[name] = status.state
        body = scheduler.AcknowledgeOperationStatusBody(
            uuid=status.uuid.value, operation_id=status.operation_id, agent_id=status.agent_id
        )
        call(
            scheduler.AcknowledgeOperationStatus(
                framework_id=framework_id, acknowledge_operation_status=body
            )
        )

    def reconcile(self, framework_id: v1.Id, call: Call) -> None:
        """Ask about the operations whose end is not known."""
        asked = tuple(
            scheduler.ReconcileOperation(operation_id=v1.Id(value=one), agent_id=self.agents[one])
            for one in self.open
        )
        if asked:
            body = scheduler.ReconcileOperationsBody(operations=asked)
            call(
                scheduler.ReconcileOperations(framework_id=framework_id, reconcile_operations=body)
            )


def _volume(disk: v1.Resource, name: str) -> v1.Resource:
    info = v1.DiskInfo(
        persistence=v1.Persistence(id=name), volume=v1.Volume(container_path="data", mode="RW")
    )
    return codec.replace(disk, disk=info)
