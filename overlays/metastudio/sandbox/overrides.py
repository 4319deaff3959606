"""The parts of the server that decide something, each a function that can be exchanged for another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from metastudio.contract.operation import Filter, ListRules, Operation, Order, Parameter
from metastudio.sandbox import authentication, gateway, parameters, query, signature
from metastudio.sandbox.authentication import ProjectRule, SignatureRule, TokenRule
from metastudio.sandbox.gateway import Refusal
from metastudio.sandbox.http import Answer, Request
from metastudio.sandbox.listing import Column, Listing
from metastudio.sandbox.query import Condition, Window
from metastudio.sandbox.signature import Claim

Values = Mapping[str, Any]


def methods(_operation: Operation) -> tuple[str, ...]:
    """Return the methods that the path of an operation answers; HEAD is GET without the body."""
    return ("GET", "HEAD")


def check_all(_listing: Listing, _values: Values, _unknown: Sequence[str]) -> None:
    """Check the parameters together, with the names the contract does not know. Everything goes: they are ignored."""


def total(matching: int, _items: Sequence[Any], _window: Window) -> int:
    """Return the total that is answered: all that match, on all pages together."""
    return matching


def items(found: list[dict[str, Any]], _window: Window) -> list[dict[str, Any]]:
    """Return the items as they are answered."""
    return found


def finish(answer: Answer, _request: Request) -> Answer:
    """Return the answer as it is sent, headers and all."""
    return answer


@dataclass(frozen=True)
class Parts:
    """Everything that decides something, in the order in which it is asked. `replace` (dataclasses) exchanges it."""

    methods: Callable[[Operation], tuple[str, ...]] = methods
    refusals: Mapping[str, Refusal] = field(default_factory=lambda: gateway.REFUSALS)
    read_authorization: Callable[[str], Claim | None] = signature.read_authorization
    key_rules: tuple[SignatureRule, ...] = authentication.KEY_RULES
    signature_rules: tuple[SignatureRule, ...] = authentication.SIGNATURE_RULES
    token_rules: tuple[TokenRule, ...] = authentication.TOKEN_RULES
    project_rules: tuple[ProjectRule, ...] = authentication.PROJECT_RULES
    split_query: Callable[[bytes], list[tuple[str, str]]] = parameters.split_query
    choose: Callable[[Parameter, Sequence[str]], str | list[str]] = parameters.choose
    convert: Callable[[Mapping[str, Any], str], Any] = parameters.convert
    check: Callable[[Parameter, Any], None] = parameters.check
    check_all: Callable[[Listing, Values, Sequence[str]], None] = check_all
    scope: Callable[[ListRules, Mapping[str, Column], Values], list[Condition]] = query.scope
    condition: Callable[[Filter, Column | None, Sequence[Any]], Condition | None] = query.condition
    order: Callable[[Order | None, Mapping[str, Column], Column, Any, Any], str] = query.order
    window: Callable[[int | None, int | None, Listing], Window] = query.window
    total: Callable[[int, Sequence[Any], Window], int] = total
    items: Callable[[list[dict[str, Any]], Window], list[dict[str, Any]]] = items
    finish: Callable[[Answer, Request], Answer] = finish

    def without(self, rule: str) -> Parts:
        """Return the parts without the rule of this name. Raises KeyError where there is none."""
        return self._change(rule, ())

    def with_rule(self, rule: str, instead: Callable[[Any], None] | TokenRule) -> Parts:
        """Return the parts with another rule in the place of the one of this name. Raises KeyError."""
        return self._change(rule, (instead,))

    def _change(self, rule: str, instead: tuple[Any, ...]) -> Parts:
        for field_name in ("key_rules", "signature_rules", "token_rules", "project_rules"):
            rules: tuple[Any, ...] = getattr(self, field_name)
            names = [each.__name__ for each in rules]
            if rule in names:
                at = names.index(rule)
                changed: dict[str, Any] = {field_name: (*rules[:at], *instead, *rules[at + 1 :])}
                return replace(self, **changed)
        raise KeyError(rule)


PARTS = Parts()
"""The parts of the correct server."""
