"""A report in a terminal, and what is shown while the run goes on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table
from rich.text import Text

from metastudio.tester import curl
from metastudio.tester.verdicts import Report, Result, Verdict

STYLES = {
    Verdict.PASS: ("✓", "green"),
    Verdict.BREACH: ("✗", "bold red"),
    Verdict.UNDECIDED: ("?", "yellow"),
    Verdict.NOT_EXERCISED: ("-", "dim"),
    Verdict.NOT_STATED: ("·", "cyan"),
}


@contextmanager
def progress() -> Generator[Callable[[str, int], None], None, None]:
    """Show what is looked at, where somebody watches; the function is told of it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _what, _sent: None
        return
    with console.status("contacting the server") as status:
        yield lambda what, sent: status.update(f"{what}  [dim]{sent} requests[/dim]")


def terminal(report: Report, *, verbose: bool = False, console: Console | None = None) -> None:
    """Print the report. `verbose` shows the properties that hold, or were not exercised, one by one as well."""
    console = console or Console(highlight=False)
    for result in report.results:
        if verbose or result.verdict not in (Verdict.PASS, Verdict.NOT_EXERCISED):
            for line in _lines(result):
                # Never folded or cut: a command is there to be copied.
                console.print(line, soft_wrap=True)
    if not verbose:
        for why, left in _left_out(report).items():
            names = ", ".join(f"{each.property.suite}/{each.property.id}" for each in left)
            console.print(Text(f"- not exercised{f' ({why})' if why else ''}: {names}", style="dim"), soft_wrap=True)
    met = ", ".join(f"{count} {what}" for what, count in report.exercised.items() if count)
    if met:
        console.print(Text(f"met: {met}", style="dim"), soft_wrap=True)
    needed = curl.variables(report.commands)
    for note in [*report.notes, *([needed] if needed else [])]:
        console.print(Text(f"note: {note}", style="dim"), soft_wrap=True)
    console.print(_summary(report))
    if report.failure is not None:
        console.print(Text(f"could not run: {report.failure}", style="bold red"), soft_wrap=True)
    elif report.nothing_seen and not report.breaches:
        console.print(Text("no answer held a single item: nothing was proven", style="bold red"))


def _left_out(report: Report) -> dict[str, list[Result]]:
    """What was not exercised, by the reason for it."""
    found: dict[str, list[Result]] = {}
    for each in report.having(Verdict.NOT_EXERCISED):
        found.setdefault(each.note, []).append(each)
    return found


def _lines(result: Result) -> Iterator[Text]:
    mark, style = STYLES[result.verdict]
    name = f"{result.property.suite}/{result.property.id}"
    times = f"  {result.exercised} times" if result.exercised else ""
    yield Text.assemble((f"{mark} ", style), (name, "bold"), (f"  {result.verdict}", style), (times, "dim"))
    if result.verdict is not Verdict.PASS:
        yield Text(f"    {result.property.sentence}")
        yield Text(f"    {result.property.place}", style="dim")
    if result.note:
        yield Text(f"    {result.note}", style="dim")
    for each in result.evidence:
        yield Text(f"    expected  {each.expected}", style="green")
        yield Text(f"    seen      {each.seen}", style="red")
        yield from (Text(f"    $ {command}", style="dim") for command in each.commands)
    yield from (Text(f"    observed  {each}", style="cyan") for each in result.observations)


def _summary(report: Report) -> Table:
    table = Table(title=f"{report.target} against {report.contract}", title_justify="left", box=None, pad_edge=False)
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
