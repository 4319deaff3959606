"""`metastudio contract-test`: test a server against the contract and write reports."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metastudio.cli.options import CONNECTION, Command, DurationType, Option, connection_options, current
from metastudio.cli.running import CommandError, ExitCode, describe_error, report_error, requires_extra
from metastudio.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metastudio.tester.options import RunOptions
    from metastudio.tester.verdicts import Report

_SHARED = {"profile", "project_id", "timeout", "allow_http", "debug"}
"""The connection options that apply: the URL is an argument, and the tester decides about retries."""


def contract_test_command() -> click.Command:
    """Return the command."""
    tests, limits, reports = (partial(Option, section=name) for name in ("Tests", "Limits", "Reports"))
    connection = partial(Option, section=CONNECTION)
    file = click.Path(dir_okay=False, path_type=Path)
    contract = click.Path(exists=True, dir_okay=False, path_type=Path)
    params: list[click.Parameter] = [
        click.Argument(["url"], envvar="METASTUDIO_BASE_URL", metavar="URL"),
        tests(["--spec"], type=contract, metavar="FILE", help="Contract to test against; by default the packaged one."),
        tests(
            ["--path", "path_values"], multiple=True, metavar="NAME=VALUE", help="Value of a further path parameter."
        ),
        tests(["--only"], multiple=True, metavar="NAME", help="Run only these: meaning, shapes, auth, 'filter.*'."),
        tests(["--skip"], multiple=True, metavar="NAME", help="Suites or properties to skip."),
        tests(["--freeze"], is_flag=True, help="Test only items that exist now."),
        tests(["--writes"], is_flag=True, help="Also test what creates, changes and deletes items."),
        tests(
            ["--forge/--no-forge"], default=None, help="Send forged credentials. By default not to the vendor's hosts."
        ),
        tests(["--seed"], type=int, default=0, show_default=True, metavar="N", help="Seed of the generated requests."),
        limits(
            ["--max-examples"],
            type=click.IntRange(min=1),
            default=50,
            show_default=True,
            metavar="N",
            help="Random requests to generate.",
        ),
        limits(
            ["--rate-limit"],
            type=click.FloatRange(min=0, min_open=True),
            metavar="N",
            help="Maximum requests per second.",
        ),
        limits(["--max-time"], type=DurationType(), help="Stop after this time; the rest is not exercised."),
        reports(["--junit"], type=file, metavar="FILE", help="Write a JUnit report."),
        reports(["--html"], type=file, metavar="FILE", help="Write an HTML report."),
        reports(["--json"], type=file, metavar="FILE", help="Write a JSON report."),
        reports(["--verbose", "-v"], is_flag=True, help="Show passing properties too."),
        *(option for option in connection_options() if option.name in _SHARED),
        connection(["--other-project-id"], metavar="ID", help="Project ID of the second caller."),
        connection(["--expired-token"], envvar="METASTUDIO_EXPIRED_TOKEN", hidden=True),
        connection(
            ["--ca-bundle"],
            type=click.Path(exists=True, path_type=Path),
            metavar="FILE",
            help="CA certificates to trust.",
        ),
        connection(["--insecure"], is_flag=True, help="Skip certificate verification."),
    ]
    return Command(
        "contract-test",
        callback=_test,
        params=params,
        help="Test the server at URL against the contract: response structure, list semantics and authentication.\n\n"
        "The key pair, the token and the project ID come from the environment or the credentials file, as for every "
        "command. The tenant isolation check needs a second caller: METASTUDIO_OTHER_AK, METASTUDIO_OTHER_SK, "
        "METASTUDIO_OTHER_TOKEN and METASTUDIO_OTHER_PROJECT_ID. METASTUDIO_TOKEN serves every scheme with a token, "
        "METASTUDIO_USER and METASTUDIO_PASSWORD serve HTTP Basic. Without --writes, only GET, HEAD and OPTIONS "
        "requests are sent.",
        notes={
            "Examples": """
                metastudio sandbox -- metastudio contract-test
                metastudio contract-test https://my-server.example.com --only meaning --html report.html
            """,
            "Exit codes": "\n".join(f"{code:<5d}{code.contract_test}" for code in ExitCode if code.contract_test),
        },
    )


def _test(**given: Any) -> None:
    """Run the tests and exit with the code of the report. Only a breach ends with 1: every other error ends with 2."""
    try:
        with requires_extra("contract"):
            code = _run(given)
    except KeyboardInterrupt as error:
        click.echo("interrupted; no report was written", err=True)
        for note in getattr(error, "__notes__", ()):  # items that could not be deleted
            click.echo(printable(note), err=True)
        raise
    except Exception as error:  # every error, see above
        shown = describe_error(error)
        raise CommandError(shown.message, shown.hint, ExitCode.USAGE) from error
    click.get_current_context().exit(code)


def _run(given: Mapping[str, Any]) -> int:
    from metastudio.contract import ContractError
    from metastudio.tester import reports
    from metastudio.tester.runner import run

    files = {name: given[name] for name in ("junit", "html", "json") if given[name] is not None}
    for file in files.values():
        if not file.absolute().parent.is_dir():
            raise CommandError(f"cannot write {file}: directory {file.parent} does not exist")
    try:
        with reports.progress() as report_progress:
            report = run(_run_options(given), report_progress)
    except ContractError as error:
        raise CommandError(str(error)) from None
    code = _write_reports(report, files)
    reports.terminal(report, verbose=given["verbose"])
    return report.exit_code or code


def _write_reports(report: Report, files: Mapping[str, Path]) -> int:
    """Write the report to the files. Return the exit code of a failure, 0 if there was none."""
    from metastudio.tester import reports

    code = 0
    writers = {"junit": reports.junit, "html": reports.html, "json": reports.as_json}
    for name, file in files.items():
        try:
            file.write_text(writers[name](report), encoding="utf-8")
        except OSError as error:
            code = report_error(CommandError(f"cannot write {file}: {error.strerror}", code=ExitCode.USAGE))
    return code


def _run_options(given: Mapping[str, Any]) -> RunOptions:
    from metastudio.tester.options import (
        RunOptions,
        credentials_from_environment,
        login_from_environment,
        other_credentials_from_environment,
    )

    connection = current().given
    if unused := sorted(connection.keys() - _SHARED):
        named = ", ".join(f"--{name.replace('_', '-')}" for name in unused)
        message = f"contract-test takes no {named}; give the URL of the server as its argument"
        raise click.UsageError(message, click.get_current_context())
    keys, token, project = credentials_from_environment(profile=connection.get("profile"))
    other_keys, other_token, other_project = other_credentials_from_environment()
    passed = ("url", "spec", "expired_token", "rate_limit", "max_time", "max_examples", "seed", "freeze", "writes",
              "forge", "only", "skip")  # fmt: skip
    return RunOptions(
        project_id=connection.get("project_id") or project,
        keys=keys,
        token=token,
        login=login_from_environment(),
        other_project_id=given["other_project_id"] or other_project,
        other_keys=other_keys,
        other_token=other_token,
        other_login=login_from_environment(prefix="METASTUDIO_OTHER"),
        path_values=_path_values(given["path_values"]),
        verify=not given["insecure"] and (str(given["ca_bundle"]) if given["ca_bundle"] else True),
        **{name: connection[name] for name in ("timeout", "allow_http") if name in connection},
        **{name: given[name] for name in passed},
    )


def _path_values(texts: Sequence[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"--path {text}: write it as NAME=VALUE", click.get_current_context())
        values[name] = value
    return values
