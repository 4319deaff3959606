"""Accessors for the contract's rules of a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metastudio.contract.structure import JsonArray, JsonObject

if TYPE_CHECKING:
    from metastudio.contract.operation import ListRules, Operation

CLIENT_PARAMETERS = frozenset({"project_id"})
"""Path parameters that the client fills in from its configuration."""


def rules_of(operation: Operation) -> ListRules:
    """Return the list rules of an operation that is known to be a list."""
    assert operation.list_rules is not None, f"{operation.id} is not a list"
    return operation.list_rules


def identity_parameter(operation: Operation) -> str | None:
    """Return the parameter that selects one item by its ID alone, or None if the list has none."""
    rules = rules_of(operation)
    parameters = operation.parameters.values()
    if any(each.location == "path" and each.name not in CLIENT_PARAMETERS for each in parameters):
        return None
    selecting = (name for name, rule in rules.filters.items() if rule.property == rules.identity and rule.op == "eq")
    return next(selecting, None)


def column_of(pointer: str) -> str:
    """Return the column name of a JSON pointer into an item: `/owner/name` becomes `owner.name`."""
    return ".".join(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])


def identity_column(operation: Operation) -> str | None:
    """Return the column of the item's ID, or None if items have none."""
    identity = rules_of(operation).identity
    return column_of(identity) if identity else None


def state_column(operation: Operation) -> str | None:
    """Return the column of the item's state, or None if items have no states."""
    return column_of(operation.state_property) if operation.state_property else None


def required_columns(operation: Operation) -> list[str]:
    """Return the columns of the item's required properties."""
    structure = next(iter(operation.success.values()))
    for token in column_of(rules_of(operation).items).split("."):
        structure = structure.properties.get(token) if isinstance(structure, JsonObject) else None
    item = structure.items if isinstance(structure, JsonArray) else None
    return [name for name in item.required if name in operation.fields] if isinstance(item, JsonObject) else []
