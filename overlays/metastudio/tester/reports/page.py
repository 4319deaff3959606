"""The report as one self-contained HTML page, made from `page.html.jinja`."""

from __future__ import annotations

from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from metastudio.tester import curl
from metastudio.tester.causes import causes
from metastudio.tester.verdicts import Report, Suite, Verdict

_ABOUT = {
    Suite.MEANING: "list semantics, as relations between responses",
    Suite.SHAPES: "statuses, headers and bodies, and which requests are accepted",
    Suite.AUTH: "which credentials are accepted and which are refused",
}
_TONES = {0: Verdict.PASS, 1: Verdict.BREACH, 2: Verdict.BREACH, 3: Verdict.UNDECIDED}


def html(report: Report) -> str:
    """Return the report as HTML."""
    environment = Environment(
        loader=PackageLoader("metastudio.tester.reports", ""), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    rest = [each for each in Verdict if each is not Verdict.BREACH]
    suites = [(s, about, [r for r in report.results if r.property.suite is s]) for s, about in _ABOUT.items()]
    return environment.get_template("page.html.jinja").render(
        report=report,
        tone=_TONES[report.exit_code],
        when=datetime.fromtimestamp(report.started, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        verdicts=list(Verdict),
        causes=causes(report.breaches),
        suites=[each for each in suites if each[2]],
        rest=sorted(rest, key=lambda each: (each is Verdict.PASS, each is not Verdict.UNDECIDED)),
        variables=curl.variables(report.commands),
    )
