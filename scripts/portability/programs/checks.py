"""Shared by the test programs: the responses to parse, and the lines that report a verdict."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

SERVER = os.environ["SERVER"]
CONTRACT = os.environ["CONTRACT"]
DOCUMENT: dict[str, Any] = json.loads(Path(os.environ["CONTRACT_JSON"]).read_text(encoding="utf-8"))
RESPONSES: dict[str, Any] = json.loads(Path(os.environ["RESPONSES"]).read_text(encoding="utf-8"))
STATES = ["TRAINING", "SOMETHING_NEW"]


def check(name: str, function: Callable[[], object]) -> None:
    """Run `function` and print the verdict: the text that it returned, or why it failed."""
    try:
        note = function()
        print(json.dumps({"check": name, "ok": True, "note": note if isinstance(note, str) else ""}), flush=True)
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - any exception of a tool is its verdict
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        print(json.dumps({"check": name, "ok": False, "note": reason}), flush=True)


def check_responses(function: Callable[[str, Any], object]) -> None:
    """Check `function(name, response)` with the example, with unknown values, and with nulls."""
    for name, response in RESPONSES.items():
        check(name, lambda name=name, response=response: function(name, response))


def without_nulls(value: Any) -> Any:
    """Remove nulls, for tools that treat null as absent."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def equal(found: Any, expected: Any) -> None:
    """Compare JSON data; `+00:00` and `Z` are equal."""
    found, expected = (
        re.sub(r"(?<=:\d\d)\+00:00", "Z", json.dumps(each, sort_keys=True)) for each in (found, expected)
    )
    if found != expected:
        at = next((i for i, pair in enumerate(zip(found, expected)) if pair[0] != pair[1]), 0)  # noqa: B905
        raise ValueError(f"{found[max(0, at - 60) : at + 60]} instead of {expected[max(0, at - 60) : at + 60]}")
