"""Suite `meaning`: metamorphic relations between responses of a list, compiled from `x-list` and the response schema.

The filter comparisons are written in Python, separate from the SQL of the sandbox, so that both do not share an error.
Sample values come from the list of the server. A difference that a change of the list can explain is not a breach.

Reading order: `list_client` (pages, items, snapshots), `judge` (from comparisons to a verdict), `pages`, `orders`,
`items`, then `filters` with `sample_values` (values to ask for) and `filter_oracle` (comparison with the expected
items). `narrowing` finds a part of a list that is too long to be read completely. `writes` creates, changes and deletes
an item, with request bodies of `bodies`.
"""

from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations import filters, items, orders, pages
from metastudio.tester.relations.judge import Relation, judge
from metastudio.tester.relations.list_client import ListClient

__all__ = ["ListClient", "judge", "relations"]


def relations(tested: OperationUnderTest) -> tuple[Relation, ...]:
    """Return the relations of a list operation. Those over all responses of the run come last."""
    order = (pages.relations, orders.relations, filters.relations, items.invalid_relations, items.show_relations)
    return tuple(relation for each in (*order, items.relations) for relation in each(tested))
