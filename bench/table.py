"""The rows of the benchmark table, and the table in Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.samples import Samples, Spread

COLUMNS = {
    "ours": "this client",
    "vendor": "vendor's SDK",
    "plain": "plain generated",
    "alone": "httpx alone",
    "bare": "bare sockets",
}
_OF = {"vendor": "of the vendor's", "alone": "of httpx alone", "bare": "of bare sockets"}


@dataclass(frozen=True)
class Goal:
    """An upper limit of the ratio of our median to that of `over`, or of our median itself if `over` is None."""

    limit: float
    over: str | None = "vendor"


@dataclass(frozen=True)
class BenchmarkRow:
    """A row of the table: our samples, the samples of the others by column, and the goals."""

    what: str
    unit: str
    ours: Sequence[float]
    others: Mapping[str, Sequence[float]]
    goals: Sequence[Goal] = ()

    def ratio(self, over: str) -> float:
        return statistics.median(self.ours) / statistics.median(self.others[over])

    def cells(self) -> list[str]:
        samples = {"ours": self.ours, **self.others}
        spreads = [str(Spread.of(samples[name])) if name in samples else "" for name in COLUMNS]
        ratios = [f"{self.ratio(over):.2f}" if over in self.others else "" for over in ("vendor", "alone")]
        return [self.what, self.unit, *spreads, *ratios, "; ".join(map(self._verdict, self.goals))]

    def _verdict(self, goal: Goal) -> str:
        value = self.ratio(goal.over) if goal.over else statistics.median(self.ours)
        of = f" {_OF[goal.over]}" if goal.over else f" {self.unit}"
        return f"≤ {goal.limit:g}{of}: {value:.3g}, {'met' if value <= goal.limit else '**not met**'}"


def rows(
    what: str,
    samples: Samples,
    quantities: Mapping[str, tuple[str, float]],
    *,
    goals: Mapping[str, Sequence[Goal]] | None = None,
    net_of: str | None = None,
    names: Mapping[str, str] | None = None,
) -> list[BenchmarkRow]:
    """Make one row for each quantity.

    Args:
        what: Title of the rows.
        samples: Samples by name.
        quantities: For each quantity, its unit and the factor from seconds or bytes to that unit.
        goals: Goals by quantity.
        net_of: Name of the samples whose median is subtracted from all others.
        names: Names of the samples of some columns, if they are not the names of the columns.
    """
    keys = {column: (names or {}).get(column, column) for column in COLUMNS}
    made: list[BenchmarkRow] = []
    for quantity, (unit, scale) in quantities.items():
        base = statistics.median(each[quantity] for each in samples[net_of]) if net_of else 0.0
        values = {
            column: [(each[quantity] - base) * scale for each in samples[key]]
            for column, key in keys.items()
            if key in samples
        }
        title = f"{what}, {'CPU' if quantity == 'cpu' else quantity}" if len(quantities) > 1 else what
        made.append(BenchmarkRow(title, unit, values.pop("ours"), values, (goals or {}).get(quantity, ())))
    return made


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Format a table in Markdown: columns after the second are right-aligned, except the last."""
    rule = ["---", "---", *["---:"] * (len(head) - 3), "---"]
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, rule, *lines))


def table(found: Sequence[BenchmarkRow]) -> str:
    """Format the rows in Markdown."""
    head = ["what", "unit", *COLUMNS.values(), _OF["vendor"], _OF["alone"], "goal"]
    return markdown(head, [row.cells() for row in found])
