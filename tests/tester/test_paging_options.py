"""What no contract of docs/your-api uses: links in the header `Link`, numbers that count items, glob wildcards."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest
from dialects import Dialect, DialectChange, JsonApi, PostgRest, SpringData, Window, articles
from metastudio.tester import Report, prove
from metastudio.tester.verdicts import describe


class LinkHeaders(JsonApi):
    def response(self, page: Any, total: int, window: Window, following: Any, headers: Any, query: Any) -> Any:
        status, _, body = super().response(page, total, window, following, headers, query)
        link = body["links"].pop("next")
        return status, {"Link": f'<{link}>; rel="next"'} if link else {}, body


class ItemNumbers(SpringData):
    def start_and_size(self, query: Any) -> tuple[int, int]:
        start, size = super().start_and_size(query)
        return start // size, size


class GlobFilter(PostgRest):
    filters: ClassVar = {**PostgRest.filters, "title": ("title", "glob folded")}

    def wanted(self, query: Any) -> Any:
        title = query.get("title", [""])[-1].removeprefix("ilike.").lower()
        plain = {name: values for name, values in query.items() if name != "title"}
        found = super().wanted(plain)
        return [*found, ("title", _glob(self.fault), [title])] if title else found


def _glob(change: DialectChange) -> Any:
    given = change.filters.get("title")
    return given if callable(given) else lambda have, texts: fnmatchcase(have.lower(), texts[0].replace("[", "[[]"))


class PagingOption(NamedTuple):
    """A contract of `dialect` with `old` replaced by `new`, a change of its server, and the property that finds it."""

    dialect: type[Dialect]
    old: str
    new: str
    change: DialectChange
    property: str


OPTIONS = {
    "links in a header": PagingOption(
        LinkHeaders, "next: /links/next", "next: Link",
        DialectChange(following=lambda link, window: None if window.start else link), "page.joined",
    ),
    "numbers count items": PagingOption(
        ItemNumbers, "first: 0, end", "first: 0, stride: size, end",
        DialectChange(window=lambda window: replace(window, start=max(0, window.start - 1))), "page.joined",
    ),
    "glob wildcards": PagingOption(
        GlobFilter, "wildcards: like", "wildcards: glob",
        DialectChange(filters={"title": lambda have, texts: have.lower() == texts[0]}), "filter.title.exact",
    ),
}  # fmt: skip


def proven(option: PagingOption, folder: Path, change: DialectChange) -> Report:
    app = option.dialect(articles(47), change)
    text = app.spec.read_text(encoding="utf-8")
    assert text.count(option.old) == 1
    spec = folder / app.spec.name
    spec.write_text(text.replace(option.old, option.new), encoding="utf-8")
    return prove(app, spec=spec, project_id="p", only=("meaning",))


@pytest.mark.parametrize("name", OPTIONS)
def test_conforming_server_passes(name: str, tmp_path: Path) -> None:
    report = proven(OPTIONS[name], tmp_path, DialectChange())
    assert report.exit_code == 0, "\n".join(map(describe, report.breaches))


@pytest.mark.parametrize("name", OPTIONS)
def test_faulty_server_is_found(name: str, tmp_path: Path) -> None:
    report = proven(OPTIONS[name], tmp_path, OPTIONS[name].change)
    assert OPTIONS[name].property in {each.property.id for each in report.breaches}
