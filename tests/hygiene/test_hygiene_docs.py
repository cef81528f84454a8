"""Pages that are made from the code are as the code is."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_page_of_settings_is_current():
    assert printed("config_reference.py") == page("config.md"), "run `make docs`"


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="each Python words its help otherwise")
def test_the_page_of_commands_is_current():
    assert printed("cli_reference.py") == page("cli.md"), "run `make docs`"


def printed(tool):
    argv = [sys.executable, str(ROOT / "tools" / tool)]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def page(name):
    return (ROOT / "docs" / "reference" / name).read_text()


def test_every_howto_is_listed():
    folder = ROOT / "docs" / "howto"
    index = (folder / "README.md").read_text()
    pages = {page.name for page in folder.glob("*.md")} - {"README.md"}
    assert pages
    assert [page for page in sorted(pages) if f"]({page})" not in index] == []
