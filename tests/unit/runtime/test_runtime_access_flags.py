"""The flags of who may call, as masters and agents have them."""

import json
from pathlib import Path

import msgspec
import pytest

from comity.agent import __main__ as agent
from comity.agent.config import AgentConfig
from comity.master import __main__ as master
from comity.master.config import MasterConfig
from comity.runtime import access_flags

PROGRAMS = [
    (master, MasterConfig, {"readonly", "readwrite", "frameworks"}),
    (agent, AgentConfig, {"readonly", "readwrite", "executors"}),
]


@pytest.mark.parametrize(("program", "config", "realms"), PROGRAMS)
def test_every_setting_of_access_has_its_flag(program, config, realms, tmp_path):
    parser = program._parser()
    nothing = access_flags.settings(parser.parse_args([]))
    fields = {one.name for one in msgspec.structs.fields(config)}
    assert set(nothing) == {
        name
        for name in fields
        if name in ("credentials", "acls") or name.startswith("authenticate_http_")
    }
    assert msgspec.structs.replace(config(), **nothing) == config()
    lists = tmp_path / "acls.json"
    lists.write_text(json.dumps({"permissive": False}))
    said = ["--credentials", "/c", "--acls", str(lists)]
    for name in sorted(realms):
        found = access_flags.settings(parser.parse_args([*said, f"--no-authenticate-http-{name}"]))
        assert found == {
            **nothing,
            "credentials": Path("/c"),
            "acls": lists.read_text(),
            f"authenticate_http_{name}": False,
        }


@pytest.mark.parametrize(("program", "config", "realms"), PROGRAMS)
def test_lists_that_are_none_are_refused(program, config, realms, tmp_path, capsys):
    lists = tmp_path / "acls.json"
    lists.write_text("[")
    for path in (lists, tmp_path / "nowhere"):
        with pytest.raises(SystemExit):
            program._parser().parse_args(["--acls", str(path)])
        assert str(path) in capsys.readouterr().err
