"""Flags of `comity master`: what is refused, and what is shown."""

import pytest

from comity.master import __main__ as command
from comity.master.settings import flags
from support.master_world import MasterWorld


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("--agent_reregister_timeout=9mins", "10mins or more"),
        ("--max_agent_ping_timeouts=0", "more than zero"),
        ("--agent_ping_timeout=0secs", "more than zero"),
        ("--allocation_interval=0ns", "more than zero"),
    ],
)
def test_times_that_no_cluster_can_live_with_are_refused(given, said, tmp_path, capsys):
    assert command.main([f"--work-dir={tmp_path / 'm'}", given]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_an_unknown_sorter_is_refused(capsys):
    with pytest.raises(SystemExit) as exited:
        command.main(["--role_sorter=fifo"])
    assert exited.value.code == 2
    assert "drf" in capsys.readouterr().err


def test_flags_are_shown_as_mesos_writes_them():
    world = MasterWorld(role_sorter="random", ping_interval_s=15.0, agent_reregister_timeout_s=600)
    shown = flags(world.state)
    assert shown["role_sorter"] == "random"
    assert shown["framework_sorter"] == "drf"
    assert shown["agent_ping_timeout"] == "15secs"
    assert shown["agent_reregister_timeout"] == "10mins"
    assert shown["require_agent_domain"] == "false"
