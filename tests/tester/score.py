"""Score table: which faulty servers the contract tester detects, compared with plain schemathesis.

    python tests/tester/score.py            prints the table
    python tests/tester/score.py --write    also writes it into docs/contract-testing.md

    python tests/tester/score.py --dialects [--write]   the same for the servers of seven vocabularies

Takes about half an hour. `--jobs N` tests N servers in parallel, `--match TEXT` only some servers. To resume, save the
output to a file and pass it with `--resume FILE`; servers in that file are not tested again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import schemathesis  # noqa: E402
from dialect_variants import DialectVariant, conforming_dialects, faulty_dialects  # noqa: E402
from dialects import DIALECTS  # noqa: E402
from metastudio.tester.caller import Caller  # noqa: E402
from schemathesis.engine import Status, events, from_schema  # noqa: E402
from tester_runs import credentials_of, proven, serving  # noqa: E402
from variants import Variant, conforming_servers, faulty_servers  # noqa: E402

PAGE = ROOT / "docs" / "contract-testing.md"
MARKS = "<!-- {0}: begin -->", "<!-- {0}: end -->"
SUITES = ("meaning", "auth", "shapes")
GROUPS = ("filters", "pages and totals", "order", "items and bodies", "input", "statuses, headers, errors",
          "authentication", "hand-written", "writing")  # fmt: skip


@dataclass(frozen=True)
class VariantScore:
    """Score of one server: the first suite with a breach, and whether plain schemathesis found a failure."""

    name: str
    suite: str | None
    plain: bool
    undetectable: str
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--dialects", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--match", default="")
    parser.add_argument("--resume", type=Path)
    arguments = parser.parse_args()
    known = dict(_read(arguments.resume)) if arguments.resume else {}
    with multiprocessing.get_context("fork").Pool(arguments.jobs, maxtasksperchild=10) as pool:
        if arguments.dialects:
            faulty = _all(pool, _score_dialect, faulty_dialects(), known, arguments.match)
            right = _all(pool, _score_conforming_dialect, conforming_dialects(), known, arguments.match)
            table = "\n".join(_dialect_table(faulty, right))
        else:
            scores = _all(pool, _score, faulty_servers(), known, arguments.match)
            conforming = _all(pool, _score_conforming, conforming_servers(), known, arguments.match)
            table = "\n".join(_table(scores, conforming))
    print(table)
    if arguments.write:
        begin, end = (each.format("dialects" if arguments.dialects else "score") for each in MARKS)
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(
            re.sub(f"{begin}.*{end}", lambda _: f"{begin}\n{table}\n{end}", text, flags=re.DOTALL), encoding="utf-8"
        )


def _all(
    pool: Any,
    score: Any,
    variants: Sequence[Variant] | Sequence[DialectVariant],
    known: Mapping[str, VariantScore],
    match: str,
) -> list[VariantScore]:
    chosen = [each for each in variants if match in each.name]
    missing = [number for number, each in enumerate(variants) if each in chosen and each.name not in known]
    found = {**known}
    for each in pool.imap_unordered(score, missing):
        suite = each.suite or ("-" if not each.undetectable else "undetectable")
        print(f"{suite:18} {'schemathesis' if each.plain else '-':13} {each.seconds:5.1f} s  {each.name}", flush=True)
        found[each.name] = each
    return [replace(found[each.name], undetectable=each.undetectable) for each in chosen]


def _read(file: Path) -> Iterator[tuple[str, VariantScore]]:
    for line in file.read_text(encoding="utf-8").splitlines():
        row = re.fullmatch(r"(.+?)\s+(-|schemathesis)\s+([0-9.]+) s  (.+)", line)
        if row:
            suite = None if row[1] in ("-", "undetectable") else row[1]
            yield row[4], VariantScore(row[4], suite, row[2] == "schemathesis", "", float(row[3]))


def _score(number: int) -> VariantScore:
    variant, start, suite = faulty_servers()[number], time.monotonic(), None
    for each in SUITES:
        if proven(variant, only=(each,)).breaches:
            suite = each
            break
    seconds = time.monotonic() - start
    return VariantScore(variant.name, suite, plain(variant), variant.undetectable, seconds)


def _score_conforming(number: int) -> VariantScore:
    variant, start = conforming_servers()[number], time.monotonic()
    report = proven(variant)
    suite = ", ".join(each.property.key for each in report.breaches) or None
    return VariantScore(variant.name, suite, plain(variant), "", time.monotonic() - start)


def _score_dialect(number: int) -> VariantScore:
    variant, start = faulty_dialects()[number], time.monotonic()
    suite = variant.finding_suite()
    return VariantScore(variant.name, suite, False, variant.undetectable, time.monotonic() - start)


def _score_conforming_dialect(number: int) -> VariantScore:
    variant, start = conforming_dialects()[number], time.monotonic()
    suite = ", ".join(each.property.key for each in variant.proven("meaning", "shapes").breaches) or None
    return VariantScore(variant.name, suite, False, "", time.monotonic() - start)


def plain(variant: Variant) -> bool:
    """Whether plain schemathesis finds a failure, with default checks, signing and the project ID."""
    with serving(variant) as sandbox:
        known = credentials_of(sandbox)
        config = schemathesis.Config.from_dict(
            {
                "base-url": sandbox.url,
                "seed": 1,
                "max-failures": 1,
                "request-timeout": 10,
                "generation": {"max-examples": 50, "database": "none", "no-shrink": True},
                "parameters": {"path.project_id": sandbox.project_id},
            }
        )
        schema = schemathesis.openapi.from_path(variant.settings.spec or ROOT / "openapi.yaml", config=config)
        schema.auth.set_from_requests(Caller(sandbox.project_id, known["keys"]).sign)  # type: ignore[arg-type]
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished) and event.status is Status.FAILURE:
                return True
    return False


def _group(name: str) -> str:
    starts = {
        "offset": 1, "limit": 1, "page": 1, "total": 1, "order ": 2, "order:": 2, "direction": 2, "item ": 3,
        "body ": 3, "input ": 4, "status": 5, "content": 5, "header": 5, "error": 5, "auth": 6, "hand-written": 7,
        "writing": 8,
    }  # fmt: skip
    return GROUPS[next((group for start, group in starts.items() if name.startswith(start)), 0)]


def _table(scores: Sequence[VariantScore], conforming: Sequence[VariantScore]) -> Iterator[str]:
    yield "| faulty servers | number | contract tester | by meaning / auth / shapes | plain schemathesis |"
    yield "|---|---|---|---|---|"
    stated = [each for each in scores if not each.undetectable]
    for group in (*GROUPS, "all"):
        mine = [each for each in stated if group in ("all", _group(each.name))]
        if mine:
            by = " / ".join(str(sum(each.suite == suite for each in mine)) for suite in SUITES)
            found, plainly = sum(each.suite is not None for each in mine), sum(each.plain for each in mine)
            row = [group, len(mine), f"{found} ({found / len(mine):.0%})", by, f"{plainly} ({plainly / len(mine):.0%})"]
            yield f"| {' | '.join(f'**{cell}**' if group == 'all' else str(cell) for cell in row)} |"
    ours, theirs = sum(each.suite is not None for each in conforming), sum(each.plain for each in conforming)
    yield ""
    yield (
        f"Of {len(conforming)} conforming servers, the contract tester finds a breach in {ours}, "
        f"plain schemathesis in {theirs}."
    )
    missed = [each for each in stated if each.suite is None]
    if missed:
        yield ""
        yield f"Not detected: {'; '.join(each.name for each in missed)}."
    yield ""
    yield "Not detectable:"
    yield ""
    yield from (f"- {each.name}: {each.undetectable}." for each in scores if each.undetectable)


def _dialect_table(faulty: Sequence[VariantScore], right: Sequence[VariantScore]) -> Iterator[str]:
    yield "| vocabulary | faulty servers | found | by meaning / shapes | conforming servers | blamed |"
    yield "|---|---|---|---|---|---|"
    for name in (*(each.name for each in DIALECTS), "all"):
        wrong, fine = (
            [each for each in scores if name in ("all", each.name.partition(":")[0]) and not each.undetectable]
            for scores in (faulty, right)
        )
        found = [each.suite for each in wrong if each.suite]
        by = " / ".join(str(found.count(suite)) for suite in ("meaning", "shapes"))
        row = [name, len(wrong), len(found), by, len(fine), sum(each.suite is not None for each in fine)]
        yield f"| {' | '.join(f'**{cell}**' if name == 'all' else str(cell) for cell in row)} |"
    missed = [each.name for each in faulty if not each.suite and not each.undetectable]
    if missed:
        yield from ("", f"Not detected: {'; '.join(missed)}.")
    yield from ("", "Not detectable:", "")
    yield from (f"- {each.name}: {each.undetectable}." for each in faulty if each.undetectable)


if __name__ == "__main__":
    main()
