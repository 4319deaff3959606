"""A list operation from another contract is tested without any Python for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from metastudio.sandbox import CONFORMING, Overrides, SandboxSettings
from metastudio.tester import Report, Verdict, prove
from metastudio.tester.verdicts import describe
from tester_runs import serving
from variants import Variant

SPEC = Path(__file__).with_name("second.yaml")


def proven(overrides: Overrides = CONFORMING, **options: Any) -> Report:
    with serving(Variant("second", overrides, SandboxSettings(spec=SPEC))) as sandbox:
        return prove(sandbox.url, spec=SPEC, project_id=sandbox.project_id, token=sandbox.token, **options)


def test_conforming_server_passes() -> None:
    report = proven(max_examples=10)
    assert report.exit_code == 0, "\n".join(describe(each) for each in report.results if each.verdict is Verdict.BREACH)
    for name in ("page.joined", "total", "order.size.ascending", "order.born.default", "filter.open", "filter.rated",
                 "filter.owner.several", "filter.not_kind", "filter.below", "filter.label_part", "filter.language",
                 "filter.after.zones", "filters.together", "filters.paged", "scope.project_id"):  # fmt: skip
        result = report[f"meaning/{name}"]
        assert result.verdict is Verdict.PASS, describe(result)
    assert report["auth/token.made-up"].verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("name", "op"),
    [
        ("min_size", "gt"), ("below", "le"), ("after", "ge"), ("label_part", "eq"), ("label_start", "substring"),
        ("not_kind", "eq"), ("language", "ne"), ("open", "ne"), ("owner", "prefix"), ("rated", "unstated"),
    ],
)  # fmt: skip
def test_wrong_comparison_is_a_breach(name: str, op: str) -> None:
    def condition(rule: Any, column: Any, values: Any) -> Any:
        return CONFORMING.condition(rule._replace(op=op) if rule.parameter == name else rule, column, values)

    report = proven(replace(CONFORMING, condition=condition), only=(f"filter.{name}*",))
    assert report.exit_code == 1


def test_default_order_comes_from_the_contract() -> None:
    def order(rules: Any, columns: Any, identity: Any, key: Any, direction: Any) -> str:
        return CONFORMING.order(rules, columns, identity, key, direction or "up")

    report = proven(replace(CONFORMING, order=order), only=("order.*",))
    assert {each.property.id for each in report.breaches} == {"order.size.default", "order.born.default"}
