"""The compatibility page is our map: every call is on it, and every test it names is there."""

import re
import typing
from pathlib import Path

import pytest

from comity.wire.mesos import codec

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "compatibility.md").read_text()


def test_every_test_that_is_named_is_there():
    named = set(re.findall(r"tests/[\w/]+(?:\.py)?", PAGE))
    assert len(named) > 40
    missing = [name for name in sorted(named) if not (ROOT / name).exists()]
    assert missing == []


def tags(kind):
    return [one.__struct_config__.tag for one in typing.get_args(kind)]


@pytest.mark.parametrize(
    "kind",
    [
        "SCHEDULER_CALL",
        "SCHEDULER_EVENT",
        "EXECUTOR_CALL",
        "EXECUTOR_EVENT",
        "MASTER_CALL",
        "AGENT_CALL",
    ],
)
def test_every_call_and_event_of_mesos_is_on_the_page(kind):
    words = set(re.findall(r"[A-Z][A-Z_]+[A-Z]", PAGE))
    missing = [tag for tag in tags(getattr(codec, kind)) if tag not in words | {"UNKNOWN"}]
    assert missing == []


def test_every_row_of_the_mesos_part_names_a_test_or_says_not():
    mesos = PAGE[PAGE.index("## Mesos v1") : PAGE.index("## Containers")]
    rows = [line for line in mesos.splitlines() if line.startswith("| ") and "---" not in line]
    rows = [line for line in rows if not line.endswith(("| shown by |", "| state |"))]
    assert len(rows) > 50
    bare = [row for row in rows if "tests/" not in row and "| not |" not in row]
    assert bare == []
