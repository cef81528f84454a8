"""Maintenance windows of offers."""

import pytest

from comity.policy.placement import windows
from comity.wire.mesos import v1


def offer(start_s, duration_s=None):
    duration = None
    if duration_s is not None:
        duration = v1.DurationInfo(nanoseconds=int(duration_s * 1e9))
    start = v1.TimeInfo(nanoseconds=int(start_s * 1e9))
    return v1.Offer(
        id=v1.Id(value="o"),
        framework_id=v1.Id(value="f"),
        agent_id=v1.Id(value="a"),
        hostname="h",
        unavailability=v1.Unavailability(start=start, duration=duration),
    )


@pytest.mark.parametrize(
    ("start_s", "duration_s", "draining_s", "away"),
    [
        (1100, None, 0, False),
        (1100, None, 99, False),
        (1100, None, 101, True),
        (900, None, 0, True),
        (900, 50, 0, False),
        (900, 200, 0, True),
    ],
)
def test_windows_begin_before_their_start_and_end_with_their_duration(
    start_s, duration_s, draining_s, away
):
    assert windows.is_away(offer(start_s, duration_s), 1000.0, draining_s) is away
