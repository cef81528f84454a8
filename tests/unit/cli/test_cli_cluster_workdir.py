"""The work directory: whose it is, and that it has one user at a time."""

import json

import pytest

from comity.cli.cluster import workdir
from comity.core.errors import UserError


def test_a_new_directory_is_made_and_marked(tmp_path):
    claimed = workdir.claim(tmp_path / "a" / "b")
    assert workdir.is_ours(tmp_path / "a" / "b")
    assert claimed.logs.is_dir()
    claimed.release()


def test_a_released_directory_can_be_claimed_again(tmp_path):
    workdir.claim(tmp_path).release()
    assert not workdir.is_busy(tmp_path)
    workdir.claim(tmp_path).release()


def test_a_busy_directory_is_refused_naming_its_user(tmp_path):
    claimed = workdir.claim(tmp_path)
    try:
        with pytest.raises(UserError, match=f"process {workdir.holder(tmp_path)}"):
            workdir.claim(tmp_path)
        assert workdir.is_busy(tmp_path)
    finally:
        claimed.release()


def test_a_foreign_directory_is_refused_and_untouched(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UserError, match=r"not empty .*thesis\.tex"):
        workdir.claim(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_refused(tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(UserError, match="is a file"):
        workdir.claim(path)


@pytest.mark.parametrize("marker", ['{"format": 99}', "[]", "not json"])
def test_another_format_is_refused(tmp_path, marker):
    (tmp_path / workdir.MARKER).write_text(marker)
    with pytest.raises(UserError, match=r"another version|cannot be read"):
        workdir.claim(tmp_path)
    assert (tmp_path / workdir.MARKER).read_text() == marker


def test_the_marker_stays_readable_while_held(tmp_path):
    claimed = workdir.claim(tmp_path)
    document = json.loads((tmp_path / workdir.MARKER).read_text())
    assert document["format"] == workdir.FORMAT
    claimed.release()


def test_component_directories_are_private(tmp_path):
    claimed = workdir.claim(tmp_path)
    assert claimed.directory("master").stat().st_mode & 0o777 == 0o700
    claimed.release()


def test_commands_to_type_name_the_directory_unless_it_is_the_usual_one(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert workdir.command("down", tmp_path / ".comity") == "comity down"
    other = tmp_path / "my cluster"
    assert workdir.command("down", other) == f"comity down --work-dir '{other}'"
