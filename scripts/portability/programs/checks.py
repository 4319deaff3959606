"""What every program here shares: the answers to read, and the lines in which it reports."""

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
ANSWERS: dict[str, Any] = json.loads(Path(os.environ["ANSWERS"]).read_text(encoding="utf-8"))
STATES = ["TRAINING", "SOMETHING_NEW"]


def attempt(check: str, function: Callable[[], object]) -> None:
    """Print whether `function` went through, with what it returns or why it failed."""
    try:
        note = function()
        print(json.dumps({"check": check, "ok": True, "note": note if isinstance(note, str) else ""}), flush=True)
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - whatever a tool raises is its verdict
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        print(json.dumps({"check": check, "ok": False, "note": reason}), flush=True)


def attempt_answers(function: Callable[[str, Any], object]) -> None:
    """Try `function(name, answer)` with the page's example, an answer full of the unknown, and one full of nulls."""
    for name, answer in ANSWERS.items():
        attempt(name, lambda name=name, answer=answer: function(name, answer))


def without_nulls(value: Any) -> Any:
    """For tools to which null and absent are one."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def equal(found: Any, expected: Any) -> None:
    """Compare JSON data; `+00:00` and `Z` are one zone."""
    found, expected = (
        re.sub(r"(?<=:\d\d)\+00:00", "Z", json.dumps(each, sort_keys=True)) for each in (found, expected)
    )
    if found != expected:
        at = next((i for i, pair in enumerate(zip(found, expected)) if pair[0] != pair[1]), 0)  # noqa: B905
        raise ValueError(f"{found[max(0, at - 60) : at + 60]} instead of {expected[max(0, at - 60) : at + 60]}")
