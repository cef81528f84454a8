"""Rotating logs that are being written and read: nothing is lost, nothing comes twice."""

import os
import threading

import pytest

from comity.kube.node.logs import LogQuery, LogReader, Timeline
from comity.kube.node.rotated import RotatedFile
from comity.runtime import rotation


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "stdout"
    path.write_bytes(b"x" * 10000)
    try:
        rotation.rotate(path, 1, 1)
    except rotation.CannotRotate:
        pytest.skip("this file system cannot cut files at their beginning")
    for each in tmp_path.iterdir():
        each.unlink()
    return path


class Writer(threading.Thread):
    """Writes numbered lines as a task does: to a file that is open for appending."""

    def __init__(self, path, count):
        super().__init__()
        self.path, self.count = path, count

    def run(self):
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number in range(0, self.count, 10):
            os.write(fd, b"".join(b"line %d\n" % each for each in range(number, number + 10)))
        os.close(fd)


def expected(count):
    return b"".join(b"line %d\n" % number for number in range(count))


def parts(path, files):
    older = [path.with_name(f"{path.name}.{number}") for number in range(files, 0, -1)]
    return b"".join(each.read_bytes() for each in [*older, path] if each.exists())


def test_a_log_is_cut_and_old_parts_go(log):
    log.write_bytes(b"a" * 20000)
    assert rotation.rotate(log, 10000, 2)
    assert not rotation.rotate(log, 10000, 2)
    assert log.stat().st_size == 20000 - 16384
    with log.open("ab") as file:
        file.write(b"b" * 20000)
    assert rotation.rotate(log, 10000, 2)
    with log.open("ab") as file:
        file.write(b"c" * 20000)
    assert rotation.rotate(log, 10000, 2)
    assert sorted(each.name for each in log.parent.iterdir()) == ["stdout", "stdout.1", "stdout.2"]
    assert parts(log, 2)[-20000:] == b"c" * 20000


def test_what_a_task_put_in_place_of_its_log_is_left_alone(log, tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"v" * 20000)
    log.symlink_to(victim)
    assert not rotation.rotate(log, 10, 2)
    log.unlink()
    os.link(victim, log)
    assert not rotation.rotate(log, 10, 2)
    log.unlink()
    os.mkfifo(log)
    assert not rotation.rotate(log, 10, 2)
    assert victim.stat().st_size == 20000
    assert not rotation.rotate(tmp_path / "none", 10, 2)


def test_nothing_is_lost_while_it_is_written(log):
    writer = Writer(log, 200_000)
    writer.start()
    while writer.is_alive():
        rotation.rotate(log, 20_000, 1000)
    writer.join()
    assert log.with_name("stdout.2").exists()
    assert parts(log, 1000) == expected(200_000)


def test_a_reader_follows_across_rotations(log):
    followed, found, offset = RotatedFile(log), b"", 0
    writer = Writer(log, 200_000)
    writer.start()
    while writer.is_alive() or offset < followed.size():
        rotation.rotate(log, 50_000, 5)
        for _ in range(3):
            at, data = followed.read(offset, 1 << 20)
            assert at == offset  # it keeps up, so nothing was deleted before it was read
            found += data
            offset += len(data)
    writer.join()
    assert found == expected(200_000)


def test_the_logs_of_a_pod_across_rotations(log):
    def read(timeline, **query):
        reader = LogReader(log.parent, timeline, LogQuery(**query))
        return b"".join(reader.first())

    timeline, whole = Timeline(1.0), expected(20_000)
    for second, start in enumerate(range(0, len(whole), 20_000)):
        with log.open("ab") as file:
            file.write(whole[start : start + 20_000])
        timeline.note(log.parent, 10.0 + second)
        rotation.rotate(log, 30_000, 100)
    for each in (timeline, Timeline(0.0)):  # as it was followed, and as it is found
        assert read(each) == whole
        assert read(each, tail_lines=5000) == b"".join(whole.splitlines(True)[-5000:])
        assert read(each, limit_bytes=100) == whole[:100]
    late = read(timeline, since=15.0)
    assert whole.endswith(late)
    assert len(whole) - 5 * 20_000 - 20 < len(late) <= len(whole) - 5 * 20_000 + 20


def test_a_follower_of_a_pod_goes_on_where_a_part_ends_within_a_line(log):
    reader = LogReader(log.parent, Timeline(1.0), LogQuery(follow=True))
    log.touch()
    assert list(reader.first()) == []
    found, whole = b"", expected(20_000)
    for start in range(0, len(whole), 17_011):
        with log.open("ab") as file:
            file.write(whole[start : start + 17_011])
        rotation.rotate(log, 10_000, 100)
        found += reader.more(2.0, is_over=False)
        assert found == whole[: whole.rfind(b"\n", 0, start + 17_011) + 1]
    assert found == whole


def test_a_reader_reads_on_from_part_to_part(log):
    log.write_bytes(expected(5_000))
    assert rotation.rotate(log, 10_000, 100)
    border = log.with_name("stdout.1").stat().st_size
    assert RotatedFile(log).read(border - 10, 20)[1] == expected(5_000)[border - 10 : border + 10]
