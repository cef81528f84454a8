"""Parts of pods' logs, against a reader that goes line by line."""

import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from comity.kube.node import logs
from comity.kube.node.logs import STREAMS, LogQuery, LogReader, Timeline

writes = st.lists(
    st.tuples(st.sampled_from(STREAMS), st.text(alphabet="ab\n", max_size=12)), max_size=12
)
queries = st.builds(
    LogQuery,
    tail_lines=st.none() | st.integers(0, 12),
    since=st.none() | st.integers(0, 14).map(float),
    limit_bytes=st.none() | st.integers(1, 60),
    timestamps=st.booleans(),
)


def dumb(done, query):
    """Return what is to be shown: every line with the time at which it was whole."""
    found = []
    for stream in STREAMS:
        texts = [(when, text) for when, (name, text) in enumerate(done, 1) if name == stream]
        whole, end = "".join(text for _, text in texts), 0
        for line in re.findall(r"[^\n]*\n|[^\n]+", whole):
            end += len(line)
            size = 0
            for when, text in texts:
                size += len(text)
                if size >= end:
                    found.append((float(when), line))
                    break
    found.sort(key=lambda each: each[0])
    if query.since is not None:
        found = [each for each in found if each[0] >= query.since]
    if query.tail_lines is not None:
        found = found[max(len(found) - query.tail_lines, 0) :]
    if query.timestamps:
        stamps = (f"{datetime.fromtimestamp(when, UTC):%Y-%m-%dT%H:%M:%S}" for when, _ in found)
        found = [
            (when, f"{stamp}.000000000Z {line}")
            for stamp, (when, line) in zip(stamps, found, strict=True)
        ]
    text = "".join(line for _, line in found)
    return text if query.limit_bytes is None else text[: query.limit_bytes]


@given(writes, queries, st.integers(1, 9))
def test_a_part_of_a_log_is_what_a_dumb_reader_shows(done, query, block):
    with tempfile.TemporaryDirectory() as scratch:
        directory, timeline = Path(scratch), Timeline(0.0)
        for when, (name, text) in enumerate(done, 1):
            with (directory / name).open("a") as file:
                file.write(text)
            timeline.note(directory, float(when))
        before = logs._BLOCK
        logs._BLOCK = block
        try:
            shown = b"".join(LogReader(directory, timeline, query).first())
        finally:
            logs._BLOCK = before
    assert shown.decode() == dumb(done, query)
