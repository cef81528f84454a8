import pytest

from comity.core.effects import Outbox
from comity.core.errors import InvariantViolated
from comity.core.instants import Instant
from comity.core.table import Table


def test_an_input_reaches_its_handler():
    table: Table[list[object], Outbox] = Table("sample")

    @table.on(int)
    def on_int(state: list[object], item: int, now: Instant, out: Outbox) -> None:
        state.append((item, now))

    state: list[object] = []
    table.step(state, 7, Instant(3.0), Outbox())
    assert state == [(7, 3.0)]
    assert table.inputs == {int}


def test_two_handlers_for_one_input_are_refused():
    table: Table[None, Outbox] = Table("sample")
    table.on(int)(lambda state, item, now, out: None)
    with pytest.raises(InvariantViolated, match="two handlers for int"):
        table.on(int)(lambda state, item, now, out: None)


def test_an_input_without_handler_is_our_bug():
    with pytest.raises(InvariantViolated, match="no handler for str"):
        Table("sample").step(None, "x", Instant(0.0), Outbox())
