"""The report in a terminal, and progress during the run."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table
from rich.text import Text

from metastudio.tester import curl
from metastudio.tester.causes import causes
from metastudio.tester.verdicts import MAX_SHOWN_BREACHES, PropertyResult, Report, Verdict

STYLES = {
    Verdict.PASS: ("✓", "green"),
    Verdict.BREACH: ("✗", "bold red"),
    Verdict.UNDECIDED: ("?", "yellow"),
    Verdict.NOT_EXERCISED: ("-", "dim"),
    Verdict.NOT_STATED: ("·", "cyan"),
}

_BRIEF = (Verdict.PASS, Verdict.NOT_EXERCISED)
"""Verdicts that are summarised unless all properties are shown."""


@contextmanager
def progress() -> Generator[Callable[[str, int], None], None, None]:
    """Show progress if stderr is a terminal. Yields the function to call with the step and the number of requests."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _what, _sent: None
        return
    with console.status("contacting the server") as status:
        yield lambda what, sent: status.update(f"{what}  [dim]{sent} requests[/dim]")


def terminal(report: Report, *, verbose: bool = False, console: Console | None = None) -> None:
    """Print the report.

    Args:
        report: the report.
        verbose: also show passed and not exercised properties one by one.
        console: where to print; None for stdout.
    """
    console = console or Console(highlight=False)

    def show(lines: Iterable[Text]) -> None:
        for line in lines:
            console.print(line, soft_wrap=True)  # no wrapping or truncation, so that commands can be copied

    for result in report.results:
        if result.verdict is not Verdict.BREACH and (verbose or result.verdict not in _BRIEF):
            show(_lines(result))
    for group in causes(report.breaches):
        if len(group) > 1:
            show([Text(f"{len(group)} breaches that probably have one cause, the likeliest first:", style="bold")])
        for result in group:
            show(_lines(result, MAX_SHOWN_BREACHES if verbose or result is group[0] else 1))
    unexercised: dict[str, list[str]] = {}
    for each in report.having(Verdict.NOT_EXERCISED) if not verbose else ():
        unexercised.setdefault(each.note, []).append(f"{each.property.suite}/{each.property.id}")
    for reason, names in unexercised.items():
        show([Text(f"- not exercised ({reason}): {', '.join(names)}", style="dim")])
    exercised = ", ".join(f"{count} {what}" for what, count in report.exercised.items() if count)
    needed = curl.variables(report.commands)
    if exercised:
        show([Text(f"exercised: {exercised}", style="dim")])
    show(Text(f"note: {note}", style="dim") for note in [*report.notes, needed] if note)
    console.print(_counts(report))
    show([Text(report.summary, style="bold green" if report.exit_code == 0 else "bold red")])


def _lines(result: PropertyResult, max_evidence: int = MAX_SHOWN_BREACHES) -> Iterator[Text]:
    mark, style = STYLES[result.verdict]
    name = f"{result.property.suite}/{result.property.id}"
    looks = f"  {result.looks()}" if result.looks() else ""
    yield Text.assemble((f"{mark} ", style), (name, "bold"), (f"  {result.verdict}", style), (looks, "dim"))
    if result.verdict is not Verdict.PASS:
        yield Text(f"    {result.property.sentence}")
        yield Text(f"    {result.property.location}", style="dim")
    if result.note:
        yield Text(f"    {result.note}", style="dim")
    for each in result.evidence[:max_evidence]:
        yield Text(f"    expected  {each.expected}", style="green")
        yield Text(f"    seen      {each.seen}", style="red")
        yield from (Text(f"    $ {command}", style="dim") for command in each.commands)
    yield from (Text(f"    observed  {each}", style="cyan") for each in result.observations)


def _counts(report: Report) -> Table:
    title = Text(f"{report.target} against {report.contract}", style="italic")  # no markup: IPv6 has brackets
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("suite")
    for verdict, (_, style) in STYLES.items():
        table.add_column(str(verdict), justify="right", style=style)
    table.add_column("requests", justify="right")
    for suite in dict.fromkeys(each.property.suite for each in report.results):
        mine = [each.verdict for each in report.results if each.property.suite is suite]
        counts = [str(mine.count(verdict) or "") for verdict in STYLES]
        table.add_row(str(suite), *counts, str(report.requests.get(str(suite), "")))
    total = [str(len(report.having(verdict)) or "") for verdict in STYLES]
    table.add_row("all", *total, f"{sum(report.requests.values())} in {report.seconds:.1f} s", end_section=True)
    return table
