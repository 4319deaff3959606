"""The behaviour of the server as replaceable functions. The defaults are a conforming server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from metastudio.contract.operation import Filter, ListRules, Operation, Order, Parameter
from metastudio.sandbox import authentication, http, parameters, signature, store
from metastudio.sandbox.authentication import Rule
from metastudio.sandbox.http import Refusal, SandboxRequest, SandboxResponse
from metastudio.sandbox.listing import Listing, StoreColumn
from metastudio.sandbox.signature import ParsedAuthorization
from metastudio.sandbox.store import Columns, Condition, PageWindow


def methods(operation: Operation) -> tuple[str, ...]:
    """Return the methods that an operation supports."""
    return ("GET", "HEAD") if operation.method == "GET" else (operation.method,)


@dataclass(frozen=True)
class Overrides:
    """The replaceable functions, in the order in which a request meets them.

    Each is a pure function and may raise RefusedError. `metastudio.sandbox` describes what each one decides.
    """

    methods: Callable[[Operation], tuple[str, ...]] = methods
    refusals: Mapping[str, Refusal] = field(default_factory=lambda: http.REFUSALS)
    parse_authorization: Callable[[str], ParsedAuthorization | None] = signature.parse_authorization
    rules: Mapping[str, Rule] = field(default_factory=lambda: authentication.RULES)
    split_query: Callable[[bytes], list[tuple[str, str]]] = parameters.split_query
    choose: Callable[[Parameter, Sequence[str]], str | list[str]] = parameters.choose
    convert: Callable[[Mapping[str, Any], str], Any] = parameters.convert
    check: Callable[[Parameter, Any], None] = parameters.check
    check_all: Callable[[Any, Mapping[str, Any], Sequence[str]], None] = lambda _served, _values, _unknown: None
    scope: Callable[[ListRules, Columns, Mapping[str, Any]], list[Condition]] = store.scope
    condition: Callable[[Filter, StoreColumn | None, Sequence[Any]], Condition | None] = store.condition
    order: Callable[[Order | None, Columns, StoreColumn | None, Any, Any], str] = store.order
    window: Callable[[int | None, int | None, Listing], PageWindow] = store.window
    items: Callable[[list[dict[str, Any]], PageWindow], list[dict[str, Any]]] = lambda found, _window: found
    total: Callable[[int, Sequence[Any], PageWindow], int] = lambda matching, _items, _window: matching
    finish: Callable[[SandboxResponse, SandboxRequest], SandboxResponse] = lambda response, _request: response

    def without(self, rule: str) -> Overrides:
        """Return a copy without the authentication rule of this name. Raises KeyError if there is none."""
        _ = self.rules[rule]
        return replace(self, rules={name: each for name, each in self.rules.items() if name != rule})

    def with_rule(self, rule: str, replacement: Rule) -> Overrides:
        """Return a copy with another rule in the place of the named one. Raises KeyError if there is none."""
        _ = self.rules[rule]
        return replace(self, rules={**self.rules, rule: replacement})


CONFORMING = Overrides()
"""The conforming server: nothing is overridden."""
