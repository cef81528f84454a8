"""Kubernetes quantities: `250m` cpus, `64Mi` of memory, `1e3`, `0.5`.

Exact decimals; nothing here rounds. Binary suffixes are powers of 1024, decimal ones of 1000.
"""

import re
from decimal import Decimal

_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_FORM = re.compile(
    r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))(?:(?P<suffix>[KMGTPE]i|[numkMGTPE])|[eE](?P<power>[+-]?\d{1,3}))?",
    re.ASCII,
)


def parse(quantity: str | int | float) -> Decimal:
    """Return the number that a quantity stands for.

    Raises:
        ValueError: it is none.
    """
    text = str(quantity)
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"not a quantity: {text!r}; write for example 250m, 64Mi or 0.5")
    number = Decimal(found["number"])
    suffix = found["suffix"] or ""
    if suffix in _BINARY:
        return number * Decimal(1 << 10 * _BINARY[suffix])
    return number.scaleb(int(found["power"] or 0) + _DECIMAL[suffix])
