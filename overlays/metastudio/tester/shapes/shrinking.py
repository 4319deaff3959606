"""Shrinks a failing query: parameters are dropped and values shortened while the failure stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

Pairs = Sequence[tuple[str, str]]
MAX_REQUESTS = 60
"""Maximum number of queries that are tried for one failure."""
MAX_CUT_SINGLY = 16
"""Values up to this length are shortened by single characters, longer ones by halves."""


def shrink(query: Pairs, fails: Callable[[Pairs], bool]) -> Pairs:
    """Return the smallest query found that still fails.

    Args:
        query: the failing query.
        fails: sends a query and returns whether it fails in the same way.
    """
    left = MAX_REQUESTS

    def still_fails(tried: Pairs) -> bool:
        nonlocal left
        left -= 1
        return left >= 0 and fails(tried)

    if still_fails([]):
        return []
    if len(query) > 1:
        query = next((each for each in ([pair] for pair in query) if still_fails(each)), query)
    for pair in query if len(query) > 2 else ():
        without = [each for each in query if each != pair]
        query = without if still_fails(without) else query
    for name, value in query:
        shortest: str | None = value
        while shortest is not None:
            query = _with(query, name, shortest)
            shortest = next((text for text in _shorter(shortest) if still_fails(_with(query, name, text))), None)
    return query


def _with(query: Pairs, name: str, text: str) -> Pairs:
    return [(each, text if each == name else value) for each, value in query]


def _shorter(value: str) -> Iterator[str]:
    half = len(value) // 2
    if half:
        yield value[:half]
        yield value[half:]
    if 2 < len(value) <= MAX_CUT_SINGLY:
        yield from (value[:n] + value[n + 1 :] for n in range(len(value)))
