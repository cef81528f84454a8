import pytest

from comity.core import durations


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("5secs", 5.0), ("15mins", 900.0), ("2weeks", 1209600.0), ("1.5hrs", 5400.0), ("20 ms", 0.02)],
)
def test_a_duration_is_read(given, seconds):
    assert durations.parse(given) == seconds
    assert durations.parse(durations.text(seconds)) == seconds


@pytest.mark.parametrize("given", ["", "5", "5sec", "-5secs", "secs", "1e3secs", "infsecs"])
def test_what_is_no_duration_is_refused_with_an_example(given):
    with pytest.raises(ValueError, match="as 15mins"):
        durations.parse(given)
