"""Print docs/reference/config.md: every setting of every component, out of its config module."""

import ast
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src" / "comity"
COMPONENTS = ("master", "agent", "marathon", "cosmos", "gateway")


def settings(component: str) -> list[tuple[str, str, str]]:
    """Return name, default and meaning of each setting of a component."""
    tree = ast.parse((SOURCE / component / "config.py").read_text())
    config, *_ = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name.endswith("Config")]
    found = []
    for field, text in zip(config.body, [*config.body[1:], None], strict=True):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        default = ast.unparse(field.value) if field.value is not None else "required"
        meaning = ""
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            meaning = " ".join(str(text.value.value).split())
        found.append((field.target.id, default, meaning))
    return found


def main() -> int:
    """Print the page."""
    print("# Settings\n")
    print("Made by `make docs` from the `config.py` of each component. A flag is a setting's")
    print("name with dashes (`--work-dir`); `comity COMPONENT --help` lists those that have one.")
    for component in COMPONENTS:
        print(f"\n## {component}\n\n| setting | default | meaning |\n| --- | --- | --- |")
        for name, default, meaning in settings(component):
            cells = (f"`{name}`", f"`{default}`", meaning)
            print("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
