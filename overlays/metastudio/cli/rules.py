"""What the contract says of a list, in the terms of the commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metastudio.contract.operation import ListRules, Operation

SETTINGS = frozenset({"project_id"})
"""Path parameters that the client fills in itself."""


def rules_of(operation: Operation) -> ListRules:
    """Return the rules of a list operation."""
    assert operation.list_rules is not None, f"{operation.id} is no list"
    return operation.list_rules


def identity_parameter(operation: Operation) -> str | None:
    """Return the parameter that asks for one item by its ID alone, or None where the list has none."""
    rules = rules_of(operation)
    if any(each.location == "path" and each.name not in SETTINGS for each in operation.parameters.values()):
        return None
    asking = (name for name, rule in rules.filters.items() if rule.property == rules.identity and rule.op == "eq")
    return next(asking, None)


def column_of(pointer: str) -> str:
    """Return the column of a JSON pointer into an item: /owner/name is owner.name."""
    return ".".join(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])


def identity_column(operation: Operation) -> str:
    """Return the column of an item's ID."""
    return column_of(rules_of(operation).identity)


def state_column(operation: Operation) -> str | None:
    """Return the column that says where an item stands, or None where items have no states."""
    return column_of(operation.state_property) if operation.state_property else None


def required_columns(operation: Operation) -> list[str]:
    """Return the properties that the contract promises for every item."""
    shape: Any = next(iter(operation.success.values())) or {}
    for token in column_of(rules_of(operation).items).split("."):
        shape = shape.get("properties", {}).get(token, {})
    return [name for name in shape.get("items", {}).get("required", []) if name in operation.fields]
