"""Known clusters, as the real CLI keeps them: `$DCOS_DIR/clusters/<id>/dcos.toml`.

A file `attached` beside it marks the cluster in use. Tokens are in these files: mode 0600.
Environment variables come first: DCOS_CLUSTER (name or id), DCOS_URL, DCOS_ACS_TOKEN.
"""

import os
import shutil
import tomllib
from pathlib import Path
from typing import Any

from comity.core.errors import UserError

KEYS = {
    "core.dcos_url": "where the cluster's gateway is",
    "core.dcos_acs_token": "the login token",
    "cluster.name": "what the cluster is called here",
}


def home() -> Path:
    """Return the directory of all settings."""
    return Path(os.environ.get("DCOS_DIR") or Path.home() / ".dcos")


class Settings:
    """The settings of one cluster."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.values: dict[str, Any] = {}
        path = folder / "dcos.toml"
        if path.exists():
            try:
                self.values = tomllib.loads(path.read_text())
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise UserError(f"{path} is not TOML: {error}") from error

    @property
    def id(self) -> str:
        """The cluster's id."""
        return self.folder.name

    @property
    def name(self) -> str:
        """What the cluster is called here."""
        return str(self.get("cluster.name") or self.id)

    @property
    def is_attached(self) -> bool:
        """Whether commands go to this cluster."""
        return (self.folder / "attached").exists()

    def get(self, key: str) -> Any:
        """Return the value of `section.name`, None when it is not set."""
        section, _, name = key.partition(".")
        values = self.values.get(section)
        return values.get(name) if isinstance(values, dict) else None

    def set(self, key: str, value: str | None) -> None:
        """Change a value, or remove it (None), on disk too."""
        if key not in KEYS:
            raise UserError(f"there is no setting {key!r}; there are: {', '.join(KEYS)}")
        section, _, name = key.partition(".")
        values = self.values.setdefault(section, {})
        if value is None:
            values.pop(name, None)
        else:
            values[name] = value
        self.save()

    def save(self) -> None:
        """Write the file so that it is whole or not there, readable by its owner only."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = "".join(_section(name, values) for name, values in self.values.items())
        draft = self.folder / "dcos.toml.new"
        handle = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(text)
        draft.replace(self.folder / "dcos.toml")

    def attach(self) -> None:
        """Let commands go to this cluster from now on."""
        for other in known():
            (other.folder / "attached").unlink(missing_ok=True)
        (self.folder / "attached").touch(mode=0o600)

    def remove(self) -> None:
        """Forget the cluster and its token."""
        shutil.rmtree(self.folder)


def _section(name: str, values: Any) -> str:
    if not isinstance(values, dict):
        return f"{name} = {_toml(values)}\n"
    lines = [f"{key} = {_toml(value)}\n" for key, value in values.items()]
    return "".join([f"[{name}]\n", *lines])


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    escaped = "".join(_escaped(char) for char in str(value))
    return f'"{escaped}"'


def _escaped(char: str) -> str:
    if char in ('"', "\\"):
        return "\\" + char
    return char if char.isprintable() else f"\\u{ord(char):04x}"


def known() -> list[Settings]:
    """Return all clusters that were set up here."""
    folder = home() / "clusters"
    if not folder.is_dir():
        return []
    return [Settings(path) for path in sorted(folder.iterdir()) if (path / "dcos.toml").exists()]


def find(name: str) -> Settings:
    """Return a cluster by id, by name, or by the beginning of its id."""
    clusters = known()
    found = [each for each in clusters if name in (each.id, each.name)]
    found = found or [each for each in clusters if each.id.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(f"several clusters are called {name!r}; give an id (dcos cluster list)")
    raise UserError(f"there is no cluster {name!r} here; `dcos cluster list` lists them")


def attached() -> Settings | None:
    """Return the cluster in use, None when there is none."""
    if chosen := os.environ.get("DCOS_CLUSTER"):
        return find(chosen)
    clusters = known()
    marked = [each for each in clusters if each.is_attached]
    if marked:
        return marked[0]
    return clusters[0] if len(clusters) == 1 else None
