"""Compiles the relations of a list operation."""

from __future__ import annotations

from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations import filters, invalid, items, orders, pages
from metastudio.tester.relations.judge import Relation


def relations(tested: OperationUnderTest) -> tuple[Relation, ...]:
    """Return the relations of a list operation.

    Relations over all responses of the run come last.
    """
    everything = [*pages.relations(tested), *orders.relations(tested), *filters.relations(tested)]
    everything += invalid.relations(tested)
    everything += items.show_relations(tested)
    return (*everything, *items.relations(tested))
