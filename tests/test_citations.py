"""Every rule has a source that a reader can open: headings, files and commands that the project cites exist."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTES = ROOT / "docs" / "service-notes.md"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
UNREADABLE = {".svg", ".json"}
OLD_CITATION = re.compile(r"\bfacts(\.md)?[, ]+(sections? )?\d", re.IGNORECASE)


@cache
def tracked() -> tuple[Path, ...]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git repository")
    return tuple(path for name in done.stdout.splitlines() if (path := ROOT / name).suffix not in UNREADABLE)


@cache
def headings(page: Path) -> frozenset[str]:
    """Return the anchors that GitHub gives the headings of a Markdown file."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    anchors: set[str] = set()
    for heading in re.findall(r"^#+ (.+?)\s*$", text, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        copies = sum(anchor == slug or re.fullmatch(rf"{slug}-\d+", anchor) is not None for anchor in anchors)
        anchors.add(f"{slug}-{copies}" if copies else slug)
    return frozenset(anchors)


def found(pattern: re.Pattern[str]) -> dict[str, list[str]]:
    """Return the matches of `pattern` in all tracked text files except this one, by file name."""
    matches = {
        path.relative_to(ROOT).as_posix(): [match[0] for match in pattern.finditer(path.read_text(encoding="utf-8"))]
        for path in tracked()
        if path.exists() and path != Path(__file__)
    }
    return {name: texts for name, texts in matches.items() if texts}


def test_cited_headings_exist() -> None:
    citations = found(re.compile(r"service-notes\.md(#[\w-]*)?"))
    missing = {
        name: wrong
        for name, cited in citations.items()
        if (wrong := [c for c in cited if "#" in c and c.partition("#")[2] not in headings(NOTES)])
    }
    assert not missing


def test_no_citation_of_a_file_outside_the_repository() -> None:
    assert not found(OLD_CITATION)


@pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)\s]*)\)", text)
    broken = []
    for target in targets:
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in headings(file)):
            broken.append(target)
    assert not broken
    labels = set(re.findall(r"\]\[([\w-]+)\]", text))
    assert labels == set(re.findall(r"^\[([\w-]+)\]: https://\S+$", text, re.MULTILINE))


def test_commands_of_the_notes_run_tests_that_exist() -> None:
    paths = re.findall(r"`pytest (\S+?)`", NOTES.read_text(encoding="utf-8"))
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_vendors_sdk_sends_what_the_notes_say(tmp_path: Path) -> None:
    """Run the program below the last heading. `tmp_path` is its home directory, because the SDK leaves a file there."""
    (program,) = re.findall(r"```python\n(.*?)```", NOTES.read_text(encoding="utf-8"), re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={"HOME": str(tmp_path), "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "jobs?limit=10&name=a%20b%2Bc&state=TRAINING%2CJOB_FINISH HTTP/1.1" in done.stdout
    assert "SignedHeaders=content-type;host;user-agent;x-project-id;x-sdk-date," in done.stdout
    assert (tmp_path / ".huaweicloud" / "application_id").exists()
