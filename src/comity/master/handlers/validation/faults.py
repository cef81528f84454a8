"""The one way in which a check fails, and what all checks need."""

from collections.abc import Iterator
from contextlib import contextmanager

from comity.master.handlers import ids


class Invalid(ValueError):
    """Something that must not be launched; the text says why."""


@contextmanager
def within(what: str) -> Iterator[None]:
    """Put `what` before the text of a fault that is found inside."""
    try:
        yield
    except Invalid as fault:
        raise Invalid(f"{what}: {fault}") from fault


def check_id(text: str, what: str) -> None:
    """Refuse an id that could not name a directory."""
    fault = ids.fault_of(text, what)
    if fault is not None:
        raise Invalid(fault)
