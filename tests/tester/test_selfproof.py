"""Every faulty server is detected and no conforming one has a breach. `--slow` runs all of them, else a sample."""

from __future__ import annotations

import pytest
from metastudio.tester import Report, Verdict
from metastudio.tester.verdicts import describe
from tester_runs import proven
from variants import Variant, conforming_servers, faulty_servers
from write_variants import conforming

SUITES = ("meaning", "auth", "shapes")
"""Fastest first."""
EXAMPLES = 20
"""Generated requests of a property of suite `shapes`; enough for every faulty server of the sample."""

FAULTY_SAMPLE = {
    "create_since: bound is exclusive": "filter.create_since",
    "create_since: compares last_update_time": "filter.create_since",
    "create_until: one second too loose": "filter.create_until",
    "create_until: compares dates only": "filter.create_until",
    "create_until: ignores the time zone": "filter.create_until.zones",
    "state: ignored": "filter.state",
    "state: ignores case": "filter.state.exact",
    "state: uses only the first value": "filter.state.several",
    "tag: matches substrings": "filter.tag.exact",
    "tag: also matches items without it": "filter.tag",
    "batch_name: supports wildcards": "filter.batch_name.exact",
    "model_resolution: inverted": "filter.model_resolution",
    "hand-written: filters are combined with OR": "filters.together",
    "offset: ignored": "page.joined",
    "offset: counts from one": "page.offset",
    "limit: clamped to half the maximum": "page.limit",
    "page: an error after the end": "page.end",
    "hand-written: an item is repeated in the list": "identity",
    "total: counts the page": "total",
    "total: ignores the filters": "filters.paged",
    "order create_time: only within the page": "order.create_time.ascending",
    "direction: ignored": "order.create_time.descending",
    "direction: descending by default": "order.create_time.default",
    "order create_time: ties in random order": "repeatable",
    "hand-written: items of another project are included": "scope.project_id",
    "header: always the same request id": "header.X-Request-Id",
    "auth: requests without credentials are accepted": "auth/none",
    "auth: without signature_matches": "signature.wrong-secret",
    "auth: without key_is_known": "signature.unknown-key",
    "auth: without date_is_within_tolerance": "signature.date-late",
    "auth: only a late date is refused": "signature.date-early",
    "auth: a signature without the query is accepted": "signature.query-unsigned",
    "auth: without project_belongs_to_caller": "token.foreign-path",
    "auth: without token_is_known": "token.made-up",
    "status: 302 for a success": "start",
    "content: HTML for a success": "start",
    "item state: in lower case": "shapes/body",
    "input limit: a value below the minimum is ignored": "input.limit",
    "error: with a Java stack trace": "shapes/leak",
    "writing: show has another value": "show.same",
    "writing: show does not find a listed item": "show.same",
    "writing: show has an empty success for an unknown item": "show.unknown",
    "writing: a created item is lost": "create.listed",
    "writing: a created item cannot be shown": "create.shown",
    "writing: a created item has another name": "create.shown",
    "writing: create accepts wrong bodies": "create.refused",
    "writing: create refuses wrong bodies with 422": "create.refused",
    "writing: an update is lost": "update.listed",
    "writing: an update does not find the item": "update.shown",
    "writing: update accepts wrong bodies": "update.refused",
    "writing: a command accepts wrong bodies": "command.refused",
    "writing: a deleted item stays": "delete.listed",
    "writing: a deleted item is still shown": "delete.shown",
    "writing: a second delete succeeds": "delete.again",
}
"""Faulty server to the property that detects it."""
CONFORMING_SAMPLE: dict[str, tuple[str, ...]] = {
    "newer states, extra fields, nulls": (),
    "shorter texts": ("meaning", "shapes"),
    "more items than fit into many pages": ("page.*", "order.*", "filters.*"),
    "limits above the maximum are clamped": ("meaning",),
    "an absent resolution counts as 1080P": ("meaning",),
    "an empty time range is refused": ("meaning",),
    "only plain characters in texts": ("meaning",),
    "404 for a foreign project": ("auth",),
    "sometimes an HTML error page": ("shapes", "auth"),
    "authentication failures are 400": ("auth",),
    **{each.name: ("create.*", "update.*", "delete.*", "command.*", "show.*") for each in conforming()},
}
"""Conforming server to the suites and properties that could find a breach."""
MOVING_SAMPLE = (
    "items are added during the run",
    "items are added and deleted during the run",
    "items are counted before they are read",
    "items are read after they were selected",
)


@pytest.fixture(autouse=True)
def no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look as often for the effect of a write as in a real run, but without pauses."""
    monkeypatch.setattr("metastudio.tester.relations.writes.WAITS", (0.0,) * 5)


def found(variant: Variant, suites: tuple[str, ...] = SUITES) -> Report:
    """Return the report of the first suite with a breach, or of the last."""
    report = proven(variant, only=suites[:1], max_examples=EXAMPLES)
    for suite in suites[1:]:
        if report.breaches:
            break
        report = proven(variant, only=(suite,), max_examples=EXAMPLES)
    return report


def _named(names: object) -> list[Variant]:
    every = {each.name: each for each in [*faulty_servers(), *conforming_servers()]}
    return [every[name] for name in names]  # type: ignore[attr-defined]


@pytest.mark.parametrize("variant", _named(FAULTY_SAMPLE), ids=lambda each: each.name)
def test_faulty_server_is_detected_by_its_property(variant: Variant) -> None:
    name = FAULTY_SAMPLE[variant.name]
    report = proven(variant, only=(name,), max_examples=1)
    assert report.exit_code == 1, f"{variant.name} was not detected"
    assert name.rpartition("/")[2] in {each.property.id for each in report.breaches}
    for breach in report.breaches:
        assert breach.evidence[0].commands, breach.property.key
        assert breach.property.location.line > 1


@pytest.mark.parametrize("variant", _named(CONFORMING_SAMPLE), ids=lambda each: each.name)
def test_conforming_server_has_no_breach(variant: Variant) -> None:
    report = proven(variant, max_examples=EXAMPLES, only=CONFORMING_SAMPLE[variant.name])
    assert not report.breaches, "\n".join(describe(each) for each in report.breaches)
    assert report.exit_code == 0


@pytest.mark.parametrize("variant", _named(MOVING_SAMPLE), ids=lambda each: each.name)
def test_changing_data_is_not_a_breach(variant: Variant) -> None:
    report = proven(variant, only=("meaning",))
    assert not report.breaches, "\n".join(describe(each) for each in report.breaches)


def test_frozen_data_has_no_undecided_property() -> None:
    """The data changes with the number of requests, so the speed of the machine does not matter."""
    only, found = ("page.*", "total", "order.*"), [*_named(["items are added during the run"]) * 2]
    moving, frozen = (proven(each, only=only, freeze=freeze) for each, freeze in zip(found, (False, True), strict=True))
    assert not moving.breaches
    assert moving.having(Verdict.UNDECIDED) or any("data had changed" in each.note for each in moving.results)
    assert {each.verdict for each in frozen.results} == {Verdict.PASS, Verdict.NOT_STATED}
    assert not any("data had changed" in each.note for each in frozen.results)


def test_number_of_servers_and_reasons_of_undetectable_ones() -> None:
    assert len([each for each in faulty_servers() if not each.undetectable]) >= 80
    assert len(conforming_servers()) >= 20
    assert all(len(each.undetectable) > 20 for each in faulty_servers() if each.undetectable)


@pytest.mark.slow
@pytest.mark.parametrize(
    "variant", [each for each in faulty_servers() if not each.undetectable], ids=lambda each: each.name
)
def test_every_faulty_server_is_detected(variant: Variant) -> None:
    assert found(variant).exit_code == 1


@pytest.mark.slow
@pytest.mark.parametrize("variant", conforming_servers(), ids=lambda each: each.name)
def test_every_conforming_server_has_no_breach(variant: Variant) -> None:
    report = proven(variant)
    assert not report.breaches, "\n".join(describe(each) for each in report.breaches)
