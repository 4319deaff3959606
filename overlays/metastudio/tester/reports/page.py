"""The report as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from html import escape
from importlib import resources

from metastudio.tester import curl
from metastudio.tester.verdicts import Evidence, PropertyResult, Report, Suite, Verdict

_HEADLINES = {
    0: ("No breach found", "pass"),
    1: ("{count} properties are broken", "breach"),
    2: ("The run was not possible", "breach"),
    3: ("Nothing was tested: no response contained an item", "undecided"),
}
_ABOUT = {
    Suite.MEANING: "list semantics, as relations between responses",
    Suite.SHAPES: "statuses, headers and bodies, and which requests are accepted",
    Suite.AUTH: "which credentials are accepted and which are refused",
}


def html(report: Report) -> str:
    """Return the report as HTML."""
    style = resources.files("metastudio.tester.reports").joinpath("page.css").read_text(encoding="utf-8")
    headline, tone = _HEADLINES[report.exit_code]
    when = datetime.fromtimestamp(report.started, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    parts = [
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>Contract test: {escape(report.target)}</title>",
        "<meta name=viewport content='width=device-width, initial-scale=1'>",
        f"<style>{style}</style></head><body><header><h1 class={tone}>{_headline(report, headline)}</h1>",
        f"<p><code>{escape(report.target)}</code> against <code>{escape(report.contract)}</code>, {when}, "
        f"{sum(report.requests.values())} requests in {report.seconds:.1f} s</p>",
        *(f"<p class=failure>{escape(text)}</p>" for text in [report.failure] if text),
        "<ul class=tally>",
        *(f"<li class={_class(v)}><b>{len(report.having(v))}</b> {v}</li>" for v in Verdict),
        "</ul>",
        *_contents(report),
        f"<p class=about>{escape(curl.variables(report.commands))}</p></header><main>",
        *_suites(report),
        *_exercised(report),
        "</main></body></html>\n",
    ]
    return "".join(parts)


def _headline(report: Report, text: str) -> str:
    count = len(report.breaches)
    return escape(text.format(count=count) if count != 1 else "1 property is broken" if report.exit_code == 1 else text)


def _contents(report: Report) -> Iterator[str]:
    """Links to the breaches, if there are several."""
    if len(report.breaches) > 1:
        links = (
            f"<li><a href='#{escape(each.property.key)}'>{escape(f'{each.property.suite}/{each.property.id}')}</a></li>"
            for each in report.breaches
        )
        yield f"<ul class=contents>{''.join(links)}</ul>"


def _suites(report: Report) -> Iterator[str]:
    order = list(Verdict)
    order.sort(key=lambda each: (each is not Verdict.BREACH, each is not Verdict.UNDECIDED))
    for suite in Suite:
        results = [each for each in report.results if each.property.suite is suite]
        if results:
            sent = report.requests.get(str(suite), 0)
            yield f"<section id={suite}><h2>{suite}</h2><p class=about>{_ABOUT[suite]}; {sent} requests</p>"
            yield from (_result(each) for each in sorted(results, key=lambda each: order.index(each.verdict)))
            yield "</section>"


def _result(result: PropertyResult) -> str:
    property_, location = result.property, result.property.location
    opened = " open" if result.verdict is Verdict.BREACH else ""
    source = "" if location.source == "page" else f" <span class=source>{escape(location.source)}</span>"
    body = "".join(
        [
            f"<p class=place>{escape(location.file)}:{location.line} "
            f"<code>{escape(location.pointer)}</code>{source}</p>",
            f"<p>{escape(result.note)}</p>" if result.note else "",
            *(_evidence(each) for each in result.evidence),
            _list(result.observations),
        ]
    )
    count = result.exercised
    times = f"<span class=times title='compared {count} times'>{count}×</span>" if count else ""
    return (
        f"<details id='{escape(property_.key)}' class={_class(result.verdict)}{opened}><summary>"
        f"<span class=verdict>{result.verdict}</span>"
        f"<span class=id>{escape(property_.id)}</span><span class=sentence>{escape(property_.sentence)}</span>{times}"
        f"</summary><div>{body}</div></details>"
    )


def _evidence(evidence: Evidence) -> str:
    commands = "".join(f"<pre>{escape(command)}</pre>" for command in evidence.commands)
    return (
        f"<dl><dt>expected</dt><dd>{escape(evidence.expected)}</dd>"
        f"<dt>seen</dt><dd class=seen>{escape(evidence.seen)}</dd></dl>{commands}"
    )


def _exercised(report: Report) -> Iterator[str]:
    yield "<section id=met><h2>data exercised</h2><table>"
    yield from (f"<tr><td>{escape(what)}</td><td>{count}</td></tr>" for what, count in report.exercised.items())
    yield f"</table>{_list(report.notes)}</section>"


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(each)}</li>" for each in lines)
    return f"<ul class=observed>{items}</ul>" if items else ""


def _class(verdict: Verdict) -> str:
    return verdict.replace(" ", "-")
