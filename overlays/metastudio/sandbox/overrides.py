"""The behaviour of the server as replaceable functions. The defaults are a conforming server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from metastudio.contract.operation import Filter, ListRules, Operation, Order, Parameter
from metastudio.sandbox import authentication, gateway, parameters, query, signature
from metastudio.sandbox.authentication import ProjectRule, SignatureRule, TokenRule
from metastudio.sandbox.gateway import Refusal
from metastudio.sandbox.http import SandboxRequest, SandboxResponse
from metastudio.sandbox.listing import Listing, ServedOperation, StoreColumn
from metastudio.sandbox.query import Condition, PageWindow
from metastudio.sandbox.signature import ParsedAuthorization

Values = Mapping[str, Any]


def methods(operation: Operation) -> tuple[str, ...]:
    """Return the methods that an operation answers."""
    return ("GET", "HEAD") if operation.method == "GET" else (operation.method,)


def check_all(_served: ServedOperation, _values: Values, _unknown: Sequence[str]) -> None:
    """Check the parameters together, with the names of unknown ones. The default ignores unknown parameters."""


def total(matching: int, _items: Sequence[Any], _window: PageWindow) -> int:
    """Return the total to send: the number of matching items on all pages."""
    return matching


def items(found: list[dict[str, Any]], _window: PageWindow) -> list[dict[str, Any]]:
    """Return the items to send."""
    return found


def finish(response: SandboxResponse, _request: SandboxRequest) -> SandboxResponse:
    """Return the response to send. Its headers are complete except for Content-Length."""
    return response


@dataclass(frozen=True)
class Overrides:
    """The replaceable functions, in the order in which a request meets them.

    Each is a pure function and may raise RefusedError. `metastudio.sandbox` describes what each one decides.
    """

    methods: Callable[[Operation], tuple[str, ...]] = methods
    refusals: Mapping[str, Refusal] = field(default_factory=lambda: gateway.REFUSALS)
    parse_authorization: Callable[[str], ParsedAuthorization | None] = signature.parse_authorization
    key_rules: tuple[SignatureRule, ...] = authentication.KEY_RULES
    signature_rules: tuple[SignatureRule, ...] = authentication.SIGNATURE_RULES
    token_rules: tuple[TokenRule, ...] = authentication.TOKEN_RULES
    project_rules: tuple[ProjectRule, ...] = authentication.PROJECT_RULES
    split_query: Callable[[bytes], list[tuple[str, str]]] = parameters.split_query
    choose: Callable[[Parameter, Sequence[str]], str | list[str]] = parameters.choose
    convert: Callable[[Mapping[str, Any], str], Any] = parameters.convert
    check: Callable[[Parameter, Any], None] = parameters.check
    check_all: Callable[[Any, Values, Sequence[str]], None] = check_all
    scope: Callable[[ListRules, Mapping[str, StoreColumn], Values], list[Condition]] = query.scope
    condition: Callable[[Filter, StoreColumn | None, Sequence[Any]], Condition | None] = query.condition
    order: Callable[[Order | None, Mapping[str, StoreColumn], StoreColumn | None, Any, Any], str] = query.order
    window: Callable[[int | None, int | None, Listing], PageWindow] = query.window
    total: Callable[[int, Sequence[Any], PageWindow], int] = total
    items: Callable[[list[dict[str, Any]], PageWindow], list[dict[str, Any]]] = items
    finish: Callable[[SandboxResponse, SandboxRequest], SandboxResponse] = finish

    def without(self, rule: str) -> Overrides:
        """Return a copy without the authentication rule of this name. Raises KeyError if there is none."""
        return self._replace_rule(rule, ())

    def with_rule(self, rule: str, replacement: Callable[[Any], None] | TokenRule) -> Overrides:
        """Return a copy with another rule in the place of the named one. Raises KeyError if there is none."""
        return self._replace_rule(rule, (replacement,))

    def _replace_rule(self, rule: str, replacement: tuple[Any, ...]) -> Overrides:
        for field_name in ("key_rules", "signature_rules", "token_rules", "project_rules"):
            rules: tuple[Any, ...] = getattr(self, field_name)
            names = [each.__name__ for each in rules]
            if rule in names:
                at = names.index(rule)
                changed: dict[str, Any] = {field_name: (*rules[:at], *replacement, *rules[at + 1 :])}
                return replace(self, **changed)
        raise KeyError(rule)


CONFORMING = Overrides()
"""The conforming server: nothing is overridden."""
