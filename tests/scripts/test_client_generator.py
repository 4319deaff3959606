"""The generator's templates: an override that no longer fits fails loudly, an option is written once."""

from __future__ import annotations

import shutil
from pathlib import Path

import client_generator
import pytest
from metastudio.contract import ContractError, load
from repository import ROOT, Repository

OVERRIDES = sorted(
    str(path.relative_to(ROOT / "templates"))
    for path in (ROOT / "templates").rglob("*.jinja")
    if "replace_once(" in path.read_text(encoding="utf-8")
)


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the templates that the generator uses instead of its own."""
    copy = tmp_path / "templates"
    shutil.copytree(ROOT / "templates", copy)
    monkeypatch.setattr(client_generator, "TEMPLATES", copy)
    return copy


@pytest.mark.parametrize("name", OVERRIDES)
def test_an_override_that_no_longer_fits_stops_the_generation(name: str, templates: Path, tmp_path: Path) -> None:
    """Its text is changed here instead of the stock template's, which has the same effect."""
    override = templates / name
    text = override.read_text(encoding="utf-8")
    override.write_text(text.replace("replace_once(", 'replace_once("no longer there" ~ ', 1), encoding="utf-8")
    with pytest.raises(ContractError, match="no longer there") as caught:
        client_generator.generate(load(ROOT / "openapi.yaml"), tmp_path / "fresh")
    assert f"templates/{name} replaces" in str(caught.value)
    assert "adapt the override" in str(caught.value)


def test_text_that_is_there_more_than_once_stops_the_generation_too(templates: Path, tmp_path: Path) -> None:
    override = templates / "str_enum.py.jinja"
    text = override.read_text(encoding="utf-8")
    override.write_text(text.replace("replace_once(head,", 'replace_once(" = ",'), encoding="utf-8")
    with pytest.raises(ContractError, match="times, not 1"):
        client_generator.generate(load(ROOT / "openapi.yaml"), tmp_path / "fresh")


def test_every_replacement_in_a_stock_template_is_checked() -> None:
    for path in (ROOT / "templates").rglob("*.jinja"):
        plain = path.read_text(encoding="utf-8").replace("replace_once(", "")
        included = "stock/" in plain
        assert not (included and "| replace(" in plain), f"{path.name}: use replace_once on stock text"


def test_an_option_of_iterate_is_written_in_one_place(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    options = repository.root / "overlays" / "metastudio" / "lists" / "options.py"
    text = options.read_text(encoding="utf-8")
    field = '    newest_first: bool = field(default=False, metadata={"doc": "Whether to begin at the end."})\n'
    assert text.count("    consistent: bool = field(") == 1
    options.write_text(text.replace("    consistent: bool = field(", field + "    consistent: bool = field("), "utf-8")
    done = repository.generate()
    assert done.returncode == 0, done.stderr
    resource = (repository.generated / "api" / "training_jobs" / "__init__.py").read_text(encoding="utf-8")
    assert resource.count("        newest_first: bool = False,\n") == 4  # iterate and iterate_pages, sync and async
    assert resource.count("newest_first: Whether to begin at the end.") == 4
    assert resource.count("newest_first=newest_first") == 4
