"""The `comity` dispatcher: what it lists, what it refuses, and that it stays lazy."""

import subprocess
import sys
import types

import pytest

from comity.cli import comity
from comity.core.errors import UserError


def test_help_lists_every_command(capsys):
    assert comity.main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name in comity.COMMANDS:
        assert f"\n  {name} " in shown
    assert "examples:" in shown


def test_nothing_to_do_is_a_usage_mistake(capsys):
    assert comity.main([]) == 2


def test_an_unknown_command_says_so(capsys):
    assert comity.main(["mister"]) == 2
    assert "'mister'" in capsys.readouterr().err


def test_version(capsys):
    assert comity.main(["version"]) == 0
    assert capsys.readouterr().out.startswith("comity 0.")


@pytest.fixture
def command(monkeypatch):
    """Register a command `probe` whose main is what the test gives."""

    def register(main):
        module = types.ModuleType("comity_probe_command")
        module.main = main
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(comity.COMMANDS, "probe", comity.Command(module.__name__, "probe"))

    return register


def test_a_command_gets_its_arguments_and_gives_its_code(command):
    seen = []
    command(lambda argv: seen.append(argv) or 7)
    assert comity.main(["probe", "--port", "0"]) == 7
    assert seen == [["--port", "0"]]


def test_a_refusal_is_a_sentence(command, capsys):
    def main(argv):
        raise UserError("port 5050 is taken", exit_code=3)

    command(main)
    assert comity.main(["probe"]) == 3
    assert capsys.readouterr().err == "comity: port 5050 is taken\n"


def test_the_dispatcher_imports_no_component():
    script = (
        "import sys; from comity.cli.comity import main; main(['version']);"
        "print([m for m in sys.modules if m.startswith('comity.') and 'cli' not in m"
        " and 'core' not in m])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
