from decimal import Decimal

import pytest

from comity.resources import quantities


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("250m", "0.25"),
        ("1", "1"),
        (2, "2"),
        (0.5, "0.5"),
        ("64Mi", str(64 << 20)),
        ("1.5Gi", str(3 << 29)),
        ("1e3", "1000"),
        ("1E", "1000000000000000000"),
        ("1Ei", str(1 << 60)),
        ("5E-1", "0.5"),
        ("100n", "0.0000001"),
        (".5", "0.5"),
        ("-3k", "-3000"),
    ],
)
def test_parse(text, value):
    assert quantities.parse(text) == Decimal(value)


@pytest.mark.parametrize(
    "text", ["", "m", "1 Mi", "1mi", "NaN", "Infinity", "1e", "1Mim", "\uff11"]
)
def test_parse_refuses(text):
    with pytest.raises(ValueError, match="not a quantity"):
        quantities.parse(text)
