"""Durations as Mesos shows its timers."""

from comity.runtime.meters import Meter, system


def test_a_meter_shows_the_last_the_extremes_and_percentiles():
    meter = Meter()
    assert meter.numbers("x_ms") == {}
    for number in (*range(1, 100), 50):
        meter.add(number / 1000)
    found = meter.numbers("x_ms")
    assert round(found["x_ms"]) == 50
    assert (found["x_ms/count"], round(found["x_ms/min"]), round(found["x_ms/max"])) == (100, 1, 99)
    assert round(found["x_ms/p50"]) == 50
    assert round(found["x_ms/p99"]) in (98, 99)


def test_a_meter_forgets_what_is_long_ago():
    meter = Meter()
    meter.add(9)
    for _ in range(1000):
        meter.add(0.001)
    assert round(meter.numbers("x")["x/max"]) == 1
    assert meter.count == 1001


def test_several_meters_as_one():
    one, two = Meter(), Meter()
    one.add(0.001)
    two.add(0.003)
    found = Meter.merged([one, two]).numbers("x")
    assert (found["x/count"], round(found["x/min"]), round(found["x"])) == (2, 1, 3)


def test_the_machines_numbers():
    found = system()
    assert found["system/cpus_total"] >= 1
    assert 0 < found["system/mem_free_bytes"] < found["system/mem_total_bytes"]
    assert found["system/load_1min"] >= 0
