"""Refusals of one agent: groups of clients, and when they end."""

import pytest

from comity.policy.allocator.filters import NEVER, Refusal, Refusals, expiry
from comity.resources.amounts import Resources

SOME = Resources.scalars(cpus=1, mem=100)
MORE = Resources.scalars(cpus=2, mem=100)


@pytest.mark.parametrize("seconds", [0.001, 1.0, 3.9, 4.0, 5.0, 60.0, 3600.0, 365 * 86400.0])
@pytest.mark.parametrize("now", [0.0, 1234.567, 1.7e9 + 0.123])
def test_a_refusal_never_ends_early_and_never_much_too_late(now, seconds):
    assert now + seconds <= expiry(now, seconds) <= now + seconds * (1 + 1 / 64) + 1e-6


def test_short_refusals_end_to_the_moment():
    assert expiry(1000.123, 1.0) == 1001.123


def test_refusals_of_many_end_together():
    refusals = Refusals()
    for number in range(500):
        refusals.add(1 << number, Refusal(SOME, expiry(1000.0 + number / 1000, 3600.0)))
    assert len(refusals._groups) <= 2
    assert refusals.blocked(SOME) == (1 << 500) - 1
    assert refusals.blocked(MORE) == 0


def test_what_ended_blocks_no_more():
    refusals = Refusals()
    refusals.add(1, Refusal(MORE, 10.0))
    refusals.add(2, Refusal(SOME, 20.0))
    assert (refusals.blocked(SOME), refusals.earliest) == (3, 10.0)
    refusals.expire(10.0)
    assert (refusals.blocked(SOME), refusals.earliest) == (2, 20.0)
    assert refusals.until(2, SOME) == 20.0
    assert refusals.until(1, SOME) is None
    refusals.expire(20.0)
    assert (refusals.blocked(SOME), refusals.earliest) == (0, NEVER)
    assert not refusals


def test_dropping_one_client_leaves_the_others():
    refusals = Refusals()
    refusals.add(1, Refusal(SOME, 10.0))
    refusals.add(2, Refusal(SOME, 10.0))
    refusals.add(4, Refusal(MORE, 10.0))
    assert refusals.drop(1 | 4)
    assert refusals.blocked(SOME) == 2
    assert not refusals.drop(1)
    assert refusals.drop(2)
    assert refusals.earliest == NEVER
