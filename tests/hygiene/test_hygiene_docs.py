"""Pages that are made from the code are as the code is."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_page_of_settings_is_current():
    made = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "config_reference.py")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout == (ROOT / "docs" / "reference" / "config.md").read_text()


def test_every_howto_is_listed():
    folder = ROOT / "docs" / "howto"
    index = (folder / "README.md").read_text()
    pages = {page.name for page in folder.glob("*.md")} - {"README.md"}
    assert pages
    assert [page for page in sorted(pages) if f"]({page})" not in index] == []
