"""Groups the breaches of a report that probably have one cause."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from metastudio.http.url import query_pairs
from metastudio.tester.verdicts import Evidence, PropertyResult, Suite

_VARYING = re.compile(r"\d+|'[^']*'|\"[^\"]*\"|(?<!\S)[^\s=]++=\S*")
"""Parts of evidence that differ between two breaches of the same kind."""
_URL = re.compile(r"""(?<![^\s'"])[^\s'"?]*+\?([^\s'"]*)""")
_ISOLATION = ("foreign", "visitor")


def causes(breaches: Sequence[PropertyResult]) -> list[list[PropertyResult]]:
    """Return the breaches in groups that probably have one cause, the largest group first.

    Breaches belong together if they differ from the contract in the same way, or if one is about a parameter that
    every request of the other carries. In a group, the likeliest cause comes first: the breach with the shortest
    requests, and among those the one that is broken most often.
    """
    groups: list[tuple[set[str], list[PropertyResult]]] = []
    for breach in breaches:
        marks, members = set(_marks(breach, breaches)), [breach]
        for other in [each for each in groups if each[0] & marks]:
            groups.remove(other)
            marks, members = marks | other[0], [*other[1], *members]
        groups.append((marks, members))
    return sorted((sorted(members, key=_unlikeliness) for _, members in groups), key=lambda each: -len(each))


def _marks(breach: PropertyResult, breaches: Sequence[PropertyResult]) -> Iterator[str]:
    """Yield texts of which breaches with one cause share one."""
    operation, id_ = breach.property.operation, breach.property.id
    yield f"{operation} {id_}"
    if breach.property.suite is Suite.AUTH:
        kind = id_.rpartition(".")[2].partition("-")[0]
        is_open = any(each.property.suite is Suite.AUTH and each.property.id == "none" for each in breaches)
        yield f"{operation} auth {'none' if is_open else 'isolation' if kind in _ISOLATION else kind}"
        return
    for evidence in breach.evidence:
        yield f"{operation} {_VARYING.sub('', f'{evidence.expected} | {evidence.seen}')}"
    sent = [_parameters(evidence) for evidence in breach.evidence] or [set[str]()]
    for name in {id_.split(".")[1]} if id_.startswith(("filter.", "input.")) else set.intersection(*sent):
        if any(each.property.id in (f"filter.{name}", f"input.{name}") for each in breaches):
            yield f"{operation} parameter {name}"


def _parameters(evidence: Evidence) -> set[str]:
    """Return the names of the query parameters that a request of the evidence carries."""
    queries = (found[1] for command in evidence.commands for found in _URL.finditer(command))
    return {name for query in queries for name, _ in query_pairs(urlsplit(f"?{query}").query)}


def _unlikeliness(breach: PropertyResult) -> tuple[int, float]:
    shortest = min((len(_parameters(each)) for each in breach.evidence), default=0)
    return shortest, -breach.broken / max(breach.exercised, 1)
