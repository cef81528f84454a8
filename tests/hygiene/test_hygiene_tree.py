"""The tree itself: dead modules, leftover markers, docstrings, sizes, names, listed decisions."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "src" / "comity"
MODULES = sorted(SOURCE.rglob("*.py"))
CHECKED = sorted(
    path
    for folder in ("src", "tests", "tools", "bench", "examples")
    for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts and path != Path(__file__)
)
LINES_MAX = 500
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
MARKERS = re.compile(r"\b(TODO|FIXME|XXX|HACK|breakpoint\(\)|pdb\.set_trace)\b")
ENTRY_POINTS = {"comity.cli.comity", "comity.cli.dcos"}


def name_of(path):
    """Return a file's module name."""
    parts = path.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path):
    """Return every name that a file imports, `from a import b` as both a and a.b."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_module_is_used():
    imported = {name for path in MODULES for name in imports_of(path)}
    text = "\n".join(path.read_text() for path in MODULES)
    dead = [
        name
        for path in MODULES
        if path.name not in ("__init__.py", "__main__.py")
        and (name := name_of(path)) not in imported | ENTRY_POINTS
        and f'"{name}"' not in text  # loaded by name
        and "launcher" not in path.parts  # a program of its own, started by path
    ]
    public = [name for name in dead if not name.startswith("comity.sdk.")]
    assert not public


@pytest.mark.parametrize("path", CHECKED, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_is_tidy(path):
    text = path.read_text()
    assert not MARKERS.search(text)
    assert text.count("\n") <= LINES_MAX
    assert path.stem not in BANNED_NAMES


def test_every_package_and_module_says_what_it_is():
    silent = [
        name_of(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


def test_every_decision_is_listed():
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text()
    pages = sorted(page.name for page in folder.glob("[0-9]*.md"))
    assert pages
    assert [page for page in pages if f"]({page})" not in index] == []
    numbers = [int(page[:4]) for page in pages]
    assert numbers == list(range(1, len(pages) + 1))


def test_test_files_have_names_of_their_own():
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def links_of(page):
    """Return the relative targets that a page links to, without anchors."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" not in target and not target.startswith("#"):
            yield target.partition("#")[0]


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_links_lead_somewhere(page):
    assert [target for target in links_of(page) if not (page.parent / target).exists()] == []
