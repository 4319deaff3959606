"""The tester proves itself: every wrong server is found, no right one is blamed. `--slow` takes all of them."""

from __future__ import annotations

import pytest
from metastudio.tester import Report, Verdict
from metastudio.tester.verdicts import describe
from tester_runs import proven
from variants import Variant, faulty, lawful

SUITES = ("meaning", "auth", "shapes")
"""Cheapest first."""

FAULTY_SAMPLE = {
    "create_since: bound excluded": "filter.create_since",
    "create_since: compares last_update_time": "filter.create_since",
    "create_until: a second too loose": "filter.create_until",
    "create_until: compares days only": "filter.create_until",
    "create_until: ignores the zone": "filter.create_until.zones",
    "state: ignored": "filter.state",
    "state: ignores case": "filter.state.exact",
    "state: only the first value": "filter.state.several",
    "tag: part is enough": "filter.tag.exact",
    "tag: keeps items without it as well": "filter.tag",
    "batch_name: wildcards": "filter.batch_name.exact",
    "model_resolution: inverted": "filter.model_resolution",
    "by hand: filters are joined by or": "filters.together",
    "offset: ignored": "page.joined",
    "offset: counted from one": "page.offset",
    "limit: clamped at half the maximum": "page.limit",
    "page: an error after the end": "page.end",
    "by hand: the same item stands twice in the list": "identity",
    "total: of the page": "total",
    "total: always of the whole list": "filters.paged",
    "order create_time: only within the page": "order.create_time.ascending",
    "direction: ignored": "order.create_time.descending",
    "direction: descending by default": "order.create_time.default",
    "order create_time: ties at random": "repeatable",
    "by hand: items of another project come along": "scope.project_id",
    "header: always the same request id": "header.X-Request-Id",
    "auth: without credentials everybody is somebody": "auth/none",
    "auth: without signature_matches": "signature.wrong-secret",
    "auth: without key_is_known": "signature.unknown-key",
    "auth: without date_is_within_tolerance": "signature.date-late",
    "auth: only a late date is refused": "signature.date-early",
    "auth: a signature without the query will do": "signature.query-unsigned",
    "auth: without project_belongs_to_caller": "token.foreign-path",
    "auth: without token_is_known": "token.made-up",
    "status: 302 for a success": "start",
    "content: HTML for a success": "start",
    "item state: in lower case": "shapes/body",
    "input limit: below its least is taken for absent": "input.limit",
    "error: with a Java trace": "shapes/leak",
}
"""With the property that tells."""
LAWFUL_SAMPLE: dict[str, tuple[str, ...]] = {
    "newer states, extra fields, nulls": (),
    "shorter texts": ("meaning", "shapes"),
    "more items than pages can take": ("page.*", "order.*", "filters.*"),
    "a clamp above the maximum": ("meaning",),
    "an absent resolution is 1080P": ("meaning",),
    "since later than until refused": ("meaning",),
    "plain characters only in texts": ("meaning",),
    "404 for a foreign project": ("auth",),
    "now and then an error page": ("shapes", "auth"),
    "authentication failures are 400": ("auth",),
}
"""With what could blame them."""
MOVING_SAMPLE = (
    "items added all the time",
    "items come and go",
    "items are counted before they are read",
    "items are read after they were chosen",
)


def found(variant: Variant, suites: tuple[str, ...] = SUITES) -> Report:
    """The report of the first suite that finds something, or of the last."""
    report = proven(variant, only=suites[:1], max_examples=40)
    for suite in suites[1:]:
        if report.breaches:
            break
        report = proven(variant, only=(suite,), max_examples=40)
    return report


def _named(names: object) -> list[Variant]:
    every = {each.name: each for each in [*faulty(), *lawful()]}
    return [every[name] for name in names]  # type: ignore[attr-defined]


@pytest.mark.parametrize("variant", _named(FAULTY_SAMPLE), ids=lambda each: each.name)
def test_a_wrong_server_is_found_by_the_property_that_tells(variant: Variant) -> None:
    told = FAULTY_SAMPLE[variant.name]
    report = proven(variant, only=(told,), max_examples=1)
    assert report.exit_code == 1, f"{variant.name} was not found"
    assert told.rpartition("/")[2] in {each.property.id for each in report.breaches}
    for breach in report.breaches:
        assert breach.evidence[0].commands, breach.property.key
        assert breach.property.place.line > 1


@pytest.mark.parametrize("variant", _named(LAWFUL_SAMPLE), ids=lambda each: each.name)
def test_a_right_server_is_not_blamed(variant: Variant) -> None:
    report = proven(variant, max_examples=40, only=LAWFUL_SAMPLE[variant.name])
    assert not report.breaches, "\n".join(describe(each) for each in report.breaches)
    assert report.exit_code == 0


@pytest.mark.parametrize("variant", _named(MOVING_SAMPLE), ids=lambda each: each.name)
def test_data_in_motion_is_nobodys_fault(variant: Variant) -> None:
    report = proven(variant, only=("meaning",))
    assert not report.breaches, "\n".join(describe(each) for each in report.breaches)


def test_frozen_data_leaves_nothing_in_doubt() -> None:
    """The data changes with the number of requests, so that how fast they come makes no difference."""
    only, found = ("page.*", "total", "order.*"), [*_named(["items added all the time"]) * 2]
    moving, frozen = (proven(each, only=only, freeze=freeze) for each, freeze in zip(found, (False, True), strict=True))
    assert not moving.breaches
    assert moving.having(Verdict.UNDECIDED) or any("data had changed" in each.note for each in moving.results)
    assert {each.verdict for each in frozen.results} == {Verdict.PASS, Verdict.NOT_STATED}
    assert not any("data had changed" in each.note for each in frozen.results)


def test_there_are_enough_servers_and_each_undetectable_one_says_why() -> None:
    assert len([each for each in faulty() if not each.undetectable]) >= 80
    assert len(lawful()) >= 20
    assert all(len(each.undetectable) > 20 for each in faulty() if each.undetectable)


@pytest.mark.slow
@pytest.mark.parametrize("variant", [each for each in faulty() if not each.undetectable], ids=lambda each: each.name)
def test_every_wrong_server_is_found(variant: Variant) -> None:
    assert found(variant).exit_code == 1


@pytest.mark.slow
@pytest.mark.parametrize("variant", lawful(), ids=lambda each: each.name)
def test_no_right_server_is_blamed(variant: Variant) -> None:
    report = proven(variant)
    assert not report.breaches, "\n".join(describe(each) for each in report.breaches)
