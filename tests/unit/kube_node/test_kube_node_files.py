"""What is on disk: volume versions, host paths, logs."""

import os
import stat

import pytest

from comity.kube.node.logs import LogQuery, LogReader, Timeline
from comity.kube.node.outbox import VolumeFile, VolumePlan
from comity.kube.node.shell.disk import DiskError, PodDisk


def write(tmp_path, *files):
    disk = PodDisk(tmp_path, {"c": "uid"})
    disk.write("uid", (VolumePlan(name="v", files=files),))
    return tmp_path / "pods" / "uid" / "volumes" / "v"


def test_files_of_a_volume_change_together(tmp_path):
    path = write(tmp_path, VolumeFile("a", b"1", 0o644), VolumeFile("d/b", b"2", 0o600))
    assert (path / "a").read_bytes() == b"1"
    assert (path / "d" / "b").read_bytes() == b"2"
    assert stat.S_IMODE((path / "d" / "b").stat().st_mode) == 0o600
    assert os.readlink(path / "a") == "..data/a"
    first = os.readlink(path / "..data")
    write(tmp_path, VolumeFile("a", b"3", 0o644), VolumeFile("c", b"4", 0o644))
    assert (path / "a").read_bytes() == b"3"
    assert (path / "c").read_bytes() == b"4"
    assert os.readlink(path / "..data") != first
    assert {each.name for each in path.iterdir()} == {
        "a",
        "c",
        "..data",
        os.readlink(path / "..data"),
    }


def test_an_empty_directory_is_for_everybody_and_kept(tmp_path):
    disk = PodDisk(tmp_path, {"c": "uid"})
    disk.write("uid", (VolumePlan(name="v"),))
    path = tmp_path / "pods/uid/volumes/v"
    assert stat.S_IMODE(path.stat().st_mode) == 0o777
    (path / "x").touch()
    disk.write("uid", (VolumePlan(name="v"),))
    assert (path / "x").exists()
    disk.remove("uid")
    assert not (tmp_path / "pods/uid").exists()


def test_host_paths_are_checked_or_made(tmp_path):
    disk = PodDisk(tmp_path, {"c": "uid"})
    made = tmp_path / "made"
    kind = "DirectoryOrCreate"
    disk.write("uid", (VolumePlan(name="v", host_path=str(made), host_path_type=kind),))
    assert made.is_dir()
    with pytest.raises(DiskError, match="is not a File"):
        disk.write("uid", (VolumePlan(name="v", host_path=str(made), host_path_type="File"),))


def test_the_message_of_a_failure_may_come_from_the_log(tmp_path):
    disk = PodDisk(tmp_path, {"c": "uid"})
    logs = disk.logs("c")
    logs.mkdir(parents=True)
    (logs / "stderr").write_text("".join(f"line {n}\n" for n in range(100)))
    assert disk.message("", "c", from_log=False) == ""
    lines = disk.message("", "c", from_log=True).splitlines()
    assert (len(lines), lines[-1]) == (80, "line 99")
    disk.prepare([], str(tmp_path / "messages" / "c"))
    (tmp_path / "messages" / "c").write_text("said so")
    assert disk.message(str(tmp_path / "messages" / "c"), "c", from_log=True) == "said so"


# logs


def log(tmp_path, *writes):
    """Write (time, stream, bytes) in order, noting the sizes after each."""
    timeline = Timeline(0.0)
    for at, stream, data in writes:
        with (tmp_path / stream).open("ab") as file:
            file.write(data)
        timeline.note(tmp_path, at)
    return timeline


def read(tmp_path, timeline, **query):
    return b"".join(LogReader(tmp_path, timeline, LogQuery(**query)).first())


WRITES = (
    (10.0, "stdout", b"one\n"),
    (20.0, "stderr", b"two\n"),
    (30.0, "stdout", b"three\nfour\n"),
    (40.0, "stderr", b"five"),
)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({}, b"one\ntwo\nthree\nfour\nfive"),
        ({"tail_lines": 0}, b""),
        ({"tail_lines": 2}, b"four\nfive"),
        ({"tail_lines": 99}, b"one\ntwo\nthree\nfour\nfive"),
        ({"since": 25.0}, b"three\nfour\nfive"),
        ({"since": 30.0, "tail_lines": 1}, b"five"),
        ({"limit_bytes": 6}, b"one\ntw"),
        ({"timestamps": True, "tail_lines": 1}, b"1970-01-01T00:00:40.000000000Z five"),
    ],
)
def test_reading_a_log(tmp_path, query, text):
    timeline = log(tmp_path, *WRITES)
    assert read(tmp_path, timeline, **query) == text


def test_a_log_that_does_not_exist_is_empty(tmp_path):
    assert read(tmp_path, Timeline(0.0)) == b""


def test_following_waits_for_whole_lines(tmp_path):
    timeline = log(tmp_path, (1.0, "stdout", b"one\n"))
    reader = LogReader(tmp_path, timeline, LogQuery(follow=True))
    assert list(reader.first()) == [b"one\n"]
    log(tmp_path, (2.0, "stdout", b"tw"))
    assert reader.more(3.0, is_over=False) == b""
    log(tmp_path, (2.0, "stdout", b"o\nrest"))
    assert reader.more(4.0, is_over=False) == b"two\n"
    assert reader.more(5.0, is_over=True) == b"rest"
    assert reader.more(6.0, is_over=True) == b""


def test_the_tail_of_a_long_log(tmp_path):
    lines = [b"%07d" % n + b"x" * 90 + b"\n" for n in range(5000)]
    timeline = log(tmp_path, (1.0, "stdout", b"".join(lines)))
    assert read(tmp_path, timeline, tail_lines=1500) == b"".join(lines[-1500:])


def test_a_timeline_stays_small_and_keeps_its_ends(tmp_path):
    timeline = Timeline(0.0)
    for n in range(5000):
        with (tmp_path / "stdout").open("ab") as file:
            file.write(b"x\n")
        timeline.note(tmp_path, float(n + 1))
    assert len(timeline._times) <= 2049
    assert timeline.seen(0, 10000) == (5000.0, 10000)
    assert timeline.offset_at(0, 0.0) == 0


def test_a_group_may_read_files_and_write_into_directories(tmp_path):
    disk = PodDisk(tmp_path, {})
    files = VolumePlan(name="f", files=(VolumeFile("a", b"1", 0o400),), group=7)
    disk.write("uid", (VolumePlan(name="d", group=7), files))
    volumes = tmp_path / "pods/uid/volumes"
    if os.geteuid() == 0:
        assert (volumes / "d").stat().st_gid == (volumes / "f/a").stat().st_gid == 7
        assert stat.S_IMODE((volumes / "f/a").stat().st_mode) == 0o440
        assert (volumes / "d").stat().st_mode & stat.S_ISGID


def test_a_follower_is_shown_a_line_without_end_in_pieces(tmp_path):
    timeline = log(tmp_path, (10.0, "stdout", b"x" * 2_500_000))
    reader = LogReader(tmp_path, timeline, LogQuery(tail_lines=0, follow=True))
    assert list(reader.first()) == []
    log(tmp_path, (20.0, "stdout", b"y" * 2_500_000))
    pieces = [reader.more(30.0, is_over=False) for _ in range(4)]
    assert b"".join(pieces) == b"y" * (2 << 20)
    assert reader.more(30.0, is_over=True) == b"y" * (2_500_000 - (2 << 20))
