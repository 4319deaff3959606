"""All relations of one list operation."""

from __future__ import annotations

from metastudio.tester.operation_under_test import Subject
from metastudio.tester.relations import filters, items, orders, pages
from metastudio.tester.relations.judge import Relation


def relations(subject: Subject) -> tuple[Relation, ...]:
    """Compile what the contract says of a list into relations.

    Those that look at every answer stand last, so that they see all.
    """
    everything = [*pages.relations(subject), *orders.relations(subject), *filters.relations(subject)]
    return (*everything, *items.relations(subject))
