"""The report in a terminal, and progress during the run."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table
from rich.text import Text

from metastudio.tester import curl
from metastudio.tester.verdicts import NOTHING_SEEN, PropertyResult, Report, Verdict

STYLES = {
    Verdict.PASS: ("✓", "green"),
    Verdict.BREACH: ("✗", "bold red"),
    Verdict.UNDECIDED: ("?", "yellow"),
    Verdict.NOT_EXERCISED: ("-", "dim"),
    Verdict.NOT_STATED: ("·", "cyan"),
}


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
    for result in report.results:
        if verbose or result.verdict not in (Verdict.PASS, Verdict.NOT_EXERCISED):
            for line in _lines(result):
                # No wrapping or truncation, so that commands can be copied.
                console.print(line, soft_wrap=True)
    if not verbose:
        for reason, skipped in _not_exercised(report).items():
            names = ", ".join(f"{each.property.suite}/{each.property.id}" for each in skipped)
            console.print(
                Text(f"- not exercised{f' ({reason})' if reason else ''}: {names}", style="dim"), soft_wrap=True
            )
    exercised = ", ".join(f"{count} {what}" for what, count in report.exercised.items() if count)
    if exercised:
        console.print(Text(f"exercised: {exercised}", style="dim"), soft_wrap=True)
    needed = curl.variables(report.commands)
    for note in [*report.notes, *([needed] if needed else [])]:
        console.print(Text(f"note: {note}", style="dim"), soft_wrap=True)
    console.print(_summary(report))
    if report.failure is not None:
        console.print(Text(f"could not run: {report.failure}", style="bold red"), soft_wrap=True)
    elif report.nothing_seen and not report.breaches:
        console.print(Text(NOTHING_SEEN, style="bold red"))


def _not_exercised(report: Report) -> dict[str, list[PropertyResult]]:
    """The properties that were not exercised, by reason."""
    found: dict[str, list[PropertyResult]] = {}
    for each in report.having(Verdict.NOT_EXERCISED):
        found.setdefault(each.note, []).append(each)
    return found


def _lines(result: PropertyResult) -> Iterator[Text]:
    mark, style = STYLES[result.verdict]
    name = f"{result.property.suite}/{result.property.id}"
    times = f"  {result.exercised} times" if result.exercised else ""
    yield Text.assemble((f"{mark} ", style), (name, "bold"), (f"  {result.verdict}", style), (times, "dim"))
    if result.verdict is not Verdict.PASS:
        yield Text(f"    {result.property.sentence}")
        yield Text(f"    {result.property.location}", style="dim")
    if result.note:
        yield Text(f"    {result.note}", style="dim")
    for each in result.evidence:
        yield Text(f"    expected  {each.expected}", style="green")
        yield Text(f"    seen      {each.seen}", style="red")
        yield from (Text(f"    $ {command}", style="dim") for command in each.commands)
    yield from (Text(f"    observed  {each}", style="cyan") for each in result.observations)


def _summary(report: Report) -> Table:
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
