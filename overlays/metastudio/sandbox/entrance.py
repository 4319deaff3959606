"""Finds out who sends a request: by a signature or by a token, as the contract allows."""

from __future__ import annotations

from collections.abc import Iterable

from metastudio.sandbox.authentication import Attempt, Gate
from metastudio.sandbox.http import RefusedError, Request
from metastudio.sandbox.overrides import Parts
from metastudio.sandbox.settings import Account

SIGNED, TOKEN = "authorization", "x-auth-token"
"""The headers that choose the way in; a signature comes before a token."""


def identify(request: Request, ways: Iterable[frozenset[str]], gate: Gate, parts: Parts) -> Account:
    """Return who sent a request. A way in is the set of headers (lower case) that it needs. Raises RefusedError."""
    for leading, enter in ((SIGNED, _by_signature), (TOKEN, _by_token)):
        for way in ways:
            if leading in way and request.header(leading):
                for name in sorted(way):
                    if not request.header(name):
                        raise RefusedError("missing_header", header=name)
                return enter(request, gate, parts)
    raise RefusedError("no_credentials")


def _by_signature(request: Request, gate: Gate, parts: Parts) -> Account:
    headers = request.header(SIGNED)
    claim = parts.read_authorization(headers[0]) if len(headers) == 1 else None
    if claim is None:
        raise RefusedError("malformed_authorization")
    attempt = Attempt(request, claim, gate)
    for rule in parts.key_rules:
        rule(attempt)
    try:
        for rule in parts.signature_rules:
            rule(attempt)
    except RefusedError:
        gate.note(claim.access_key, success=False)
        raise
    gate.note(claim.access_key, success=True)
    return attempt.account


def _by_token(request: Request, gate: Gate, parts: Parts) -> Account:
    for rule in parts.token_rules:
        rule(request, gate)
    known = gate.tokens.get(request.header(TOKEN)[0])
    return known[0] if known else gate.accounts[0]
