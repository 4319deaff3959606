"""Interleaved samples, and rows of a table made of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Samples = dict[str, list[dict[str, float]]]


def interleave(rounds: int, measure: Mapping[str, Callable[[], dict[str, float]]]) -> Samples:
    """Measure each in turn, so many times, every other time the other way round: what disturbs one disturbs all."""
    samples: Samples = {name: [] for name in measure}
    for number in range(rounds):
        for name in list(measure)[:: 1 if number % 2 else -1]:
            samples[name].append(measure[name]())
    return samples


@dataclass(frozen=True)
class Spread:
    """A median, and the quartiles."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        if len(values) < 2:
            return cls(values[0], values[0], values[0])
        return cls(*statistics.quantiles(values, n=4, method="inclusive"))

    def __str__(self) -> str:
        digits = 0 if self.median >= 100 else 1 if self.median >= 10 else 2
        return f"{self.median:,.{digits}f} ({self.low:,.{digits}f}–{self.high:,.{digits}f})"


@dataclass(frozen=True)
class Target:
    """A limit of a ratio of medians, or of our median itself where `over` is None."""

    limit: float
    over: str | None = "vendor"


@dataclass(frozen=True)
class Row:
    """A line of the table: our samples, those of the others by column, and what is to be reached."""

    what: str
    unit: str
    ours: Sequence[float]
    others: Mapping[str, Sequence[float]] = field(default_factory=dict[str, Sequence[float]])
    targets: Sequence[Target] = ()

    def cell(self, column: str) -> str:
        values = self.ours if column == "ours" else self.others.get(column)
        return str(Spread.of(values)) if values else ""

    def ratio(self, over: str) -> float:
        return statistics.median(self.ours) / statistics.median(self.others[over])

    def verdicts(self) -> list[str]:
        found: list[str] = []
        for target in self.targets:
            value = statistics.median(self.ours) if target.over is None else self.ratio(target.over)
            of = "" if target.over in (None, "vendor") else f" of {target.over}"
            found.append(f"≤ {target.limit:g}{of}: {value:.2f}, {'met' if value <= target.limit else '**not met**'}")
        return found


def rows(
    what: str,
    samples: Samples,
    quantities: Mapping[str, tuple[str, float]],
    *,
    ours: str = "ours",
    targets: Mapping[str, Sequence[Target]] | None = None,
    net_of: str | None = None,
) -> list[Row]:
    """A row for each quantity: its unit and how many of that unit a second or byte is."""
    made: list[Row] = []
    for quantity, (unit, scale) in quantities.items():
        base = statistics.median(each[quantity] for each in samples[net_of]) if net_of else 0.0
        values = {name: [(each[quantity] - base) * scale for each in taken] for name, taken in samples.items()}
        others = {name: taken for name, taken in values.items() if name in ("vendor", "plain", "alone", "bare")}
        title = f"{what}, {'CPU' if quantity == 'cpu' else quantity}" if len(quantities) > 1 else what
        made.append(Row(title, unit, values[ours], others, (targets or {}).get(quantity, ())))
    return made
