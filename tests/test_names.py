"""A class name stands for one thing in the whole repository."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("overlays", "scripts", "bench", "tests")  # not generated/: its names come from the contract


def test_class_names_are_unique() -> None:
    """A leading underscore does not make another name; the Test* classes of pytest may repeat."""
    places: dict[str, list[str]] = defaultdict(list)
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.parse(path.read_text(encoding="utf-8"), str(path)).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("Test"):
                    places[node.name.lstrip("_")].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert len(places) > 100, "no classes found; FOLDERS may be wrong"
    repeated = [f"{name}: {', '.join(found)}" for name, found in sorted(places.items()) if len(found) > 1]
    assert not repeated, "rename all but one of:\n" + "\n".join(repeated)
