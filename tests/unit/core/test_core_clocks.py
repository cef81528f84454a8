from comity.core.clocks import SLEW, SteadyClock


def test_it_follows_a_wall_clock_that_nobody_sets():
    clock = SteadyClock(1000.0, 5.0)
    assert clock.read(1010.0, 15.0) == 1010.0


def test_a_wall_clock_set_back_slows_it_and_never_stops_it():
    clock = SteadyClock(1000.0, 0.0)
    assert clock.read(1000.0 - 3600.0 + 10.0, 10.0) == 1010.0 - 10.0 * SLEW


def test_a_wall_clock_set_forward_hastens_it_a_little():
    clock = SteadyClock(1000.0, 0.0)
    assert clock.read(1000.0 + 3600.0 + 10.0, 10.0) == 1010.0 + 10.0 * SLEW


def test_it_comes_back_to_the_wall_clock():
    clock = SteadyClock(1000.0, 0.0)
    read = [clock.read(1001.0 + second, float(second)) for second in range(1, 60)]
    assert read == sorted(read)
    assert read[-1] == 1001.0 + 59


def test_it_never_runs_backwards():
    clock = SteadyClock(1000.0, 10.0)
    assert clock.read(0.0, 10.0) == 1000.0
    assert clock.read(0.0, 9.0) == 1000.0
