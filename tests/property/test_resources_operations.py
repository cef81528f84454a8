"""Operations change what resources are called, never how much there is, and can be undone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.core.errors import InvariantViolated
from comity.resources import operations
from comity.resources.amounts import NOTHING, Disk, Kind, Reservation, Resources

STATIC = Reservation("eng")
DYNAMIC = Reservation("eng/ads", True, "me", (("k", "v"),))
PLAIN = st.sampled_from(
    [Kind(name, stack) for name in ("cpus", "mem", "disk") for stack in ((), (STATIC,))]
)
CONFIGURED = st.dictionaries(PLAIN, st.integers(1, 5000), min_size=1, max_size=6).map(Resources)


def reserved(bundle):
    return Resources({k._replace(reservations=(*k.reservations, DYNAMIC)): v for k, v in bundle})


@given(CONFIGURED)
def test_reserving_and_unreserving_undo_each_other(total):
    made = reserved(total)
    there = operations.reserving(made)
    assert there.consumed == total
    after = there.applied_to(total)
    assert after == made
    assert operations.unreserving(made).applied_to(after) == total


@given(CONFIGURED)
def test_quantities_stay(total):
    after = operations.reserving(reserved(total)).applied_to(total)
    assert after.without_reservations() == total.without_reservations()


@given(CONFIGURED, CONFIGURED)
def test_what_operations_made_is_found_again_after_a_restart(total, more):
    configured = total + more
    changed = operations.reserving(reserved(more)).applied_to(configured)
    kept = operations.checkpointed(changed)
    assert kept == reserved(more)
    assert operations.with_checkpointed(configured, kept) == changed


def test_a_volume_is_whole_and_can_be_destroyed():
    disk = Resources({Kind("disk", (DYNAMIC,)): 5000})
    volume = Kind("disk", (DYNAMIC,), Disk("v1", container_path="data"))
    there = operations.creating(Resources({volume: 2000}))
    after = there.applied_to(disk)
    assert after == Resources({Kind("disk", (DYNAMIC,)): 3000, volume: 2000})
    assert not after.contains(Resources({volume: 1000}))
    assert operations.destroying(Resources({volume: 2000})).applied_to(after) == disk


def test_how_a_volume_is_used_does_not_make_it_another():
    there = Kind("disk", (DYNAMIC,), Disk("v1", container_path="data"))
    used = Kind("disk", (DYNAMIC,), Disk("v1", container_path="elsewhere"))
    total = Resources({there: 1000})
    wanted = Resources({used: 1000})
    assert total.contains(wanted)
    spelled = wanted.spelled_as(total)
    assert [kind.disk.container_path for kind, _ in spelled] == ["data"]
    assert total - spelled == NOTHING


def test_an_agent_that_lost_what_was_reserved_is_told():
    kept = reserved(Resources.scalars(cpus=8))
    with pytest.raises(InvariantViolated, match="of cpus"):
        operations.with_checkpointed(Resources.scalars(cpus=4), kept)
