"""The page of Mesos's behaviours stays true: every line has tests, and they are there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "mesos-behaviours.md").read_text()


def rows():
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    return [line for line in lines if line not in ("| behaviour | shown by |", "| --- | --- |")]


def named(row):
    return re.findall(r"`(test_\w+\.py)::(\w+)`", row)


def defined():
    return {
        path.name: set(re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE))
        for path in (ROOT / "tests").rglob("test_*.py")
    }


def test_every_row_has_a_test_and_every_test_is_there():
    assert len(rows()) > 70
    assert [row for row in rows() if not named(row)] == []
    there = defined()
    missing = [
        f"{file}::{test}"
        for row in rows()
        for file, test in named(row)
        if test not in there.get(file, ())
    ]
    assert missing == []
