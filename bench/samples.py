"""Interleaved samples and their spread."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Samples = dict[str, list[dict[str, float]]]


def interleave(rounds: int, measure: Mapping[str, Callable[[], dict[str, float]]]) -> Samples:
    """Measure each in turn, `rounds` times, in reverse order every other time, so that a disturbance affects all."""
    samples: Samples = {name: [] for name in measure}
    for number in range(rounds):
        for name in list(measure)[:: 1 if number % 2 else -1]:
            samples[name].append(measure[name]())
    return samples


@dataclass(frozen=True)
class Spread:
    """A median and its quartiles."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        if len(values) < 2:
            return cls(values[0], values[0], values[0])
        return cls(*statistics.quantiles(values, n=4, method="inclusive"))

    def __str__(self) -> str:
        digits = next((digits for digits, least in enumerate((100, 10, 1)) if self.median >= least), 3)
        return f"{self.median:,.{digits}f} ({self.low:,.{digits}f}–{self.high:,.{digits}f})"
