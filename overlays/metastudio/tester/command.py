"""The command `metastudio contract-test`, also `python -m metastudio.tester`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from metastudio.errors import ConfigurationError, CredentialsError
from metastudio.redaction import mask, printable

if TYPE_CHECKING:
    from metastudio.tester.verdicts import Report

EXIT_CODES = """\b
Exit codes:
  0  no breach; undecided, not exercised and not stated properties do not count
  1  the server breaks the contract
  2  the run was not possible: server unreachable, not HTTP, credentials refused, invalid options, unexpected error
  3  no response contained an item, so nothing was tested"""


@click.command(
    "contract-test",
    epilog=EXIT_CODES,
    short_help="Test a server against the contract.",
    help="Test the server at URL against the contract: response structure, list semantics and authentication.\n\n"
    "The key pair, the token and the project ID come from the environment or the credentials file, as for every "
    "metastudio command. The tenant isolation check needs a second caller: METASTUDIO_OTHER_AK, METASTUDIO_OTHER_SK, "
    "METASTUDIO_OTHER_TOKEN and METASTUDIO_OTHER_PROJECT_ID. Without --writes, only GET, HEAD and OPTIONS requests are "
    "sent.",
)
@click.argument("url", envvar="METASTUDIO_BASE_URL", metavar="URL")
@click.option("--project-id", metavar="ID", help="Project ID in the request path.")
@click.option("--other-project-id", metavar="ID", help="Project ID of the second caller.")
@click.option("--expired-token", envvar="METASTUDIO_EXPIRED_TOKEN", hidden=True)
@click.option(
    "--spec",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Contract to test against (default: the packaged one).",
)
@click.option("--path", "path_values", multiple=True, metavar="NAME=VALUE", help="Value of a further path parameter.")
@click.option("--only", multiple=True, metavar="NAME", help="Run only these: meaning, shapes, auth, 'filter.*'.")
@click.option("--skip", multiple=True, metavar="NAME", help="Suites or properties to skip.")
@click.option("--rate-limit", type=float, metavar="N", help="Maximum requests per second.")
@click.option("--max-time", type=float, metavar="SECONDS", help="Stop after this time; the rest is not exercised.")
@click.option(
    "--max-examples", type=click.IntRange(min=1), default=50, show_default=True, help="Random requests to generate."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the generated requests.")
@click.option("--timeout", type=float, default=10.0, show_default=True, help="Seconds to wait for a response.")
@click.option("--freeze", is_flag=True, help="Test only items that exist now.")
@click.option("--writes", is_flag=True, help="Also send methods that may change data. POST may create tasks.")
@click.option("--forge/--no-forge", default=None, help="Send forged credentials. Default: not to the vendor's hosts.")
@click.option("--ca-bundle", type=click.Path(exists=True, path_type=Path), help="CA certificates to trust.")
@click.option("--insecure", is_flag=True, help="Skip certificate verification.")
@click.option("--allow-http", is_flag=True, help="Allow sending credentials over plain http.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write a JUnit report.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write an HTML report.")
@click.option("--json", type=click.Path(dir_okay=False, path_type=Path), help="Write a JSON report.")
@click.option("-v", "--verbose", is_flag=True, help="Show passing properties too.")
def contract_test(**given: Any) -> None:
    """Run the tests, write the reports and exit with the exit code of the report."""
    files = {name: given[name] for name in ("junit", "html", "json") if given[name] is not None}
    for file in files.values():
        if not file.absolute().parent.is_dir():
            _fail(f"cannot write {file}: directory {file.parent} does not exist")
    try:
        from metastudio.contract import ContractError
        from metastudio.tester import reports
        from metastudio.tester.runner import run

        try:
            options = _run_options(given)
            with reports.progress() as report_progress:
                report = run(options, report_progress)
        except (ConfigurationError, CredentialsError, ContractError) as error:
            _fail(str(error))
        write_error = _write_reports(report, files, verbose=given["verbose"])
        sys.exit(report.exit_code or write_error)
    except KeyboardInterrupt as error:
        click.echo("interrupted; no report was written", err=True)
        for note in getattr(error, "__notes__", ()):  # items that could not be deleted
            click.echo(printable(note), err=True)
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - exit code 1 means a breach, so no other error may end in it
        name = error.name if isinstance(error, ModuleNotFoundError) else None
        if name and not name.startswith("metastudio"):
            _fail(f"contract-test needs {name}, which is not installed; install metastudio-client[contract]")
        _fail(f"unexpected {type(error).__name__}: {mask(str(error))}; this looks like a bug of the tester")


def _write_reports(report: Report, files: Mapping[str, Path], *, verbose: bool) -> int:
    """Write the report to the files and the terminal. Return 2 if a file could not be written, else 0."""
    from metastudio.tester import reports

    code = 0
    writers = {"junit": reports.junit, "html": reports.html, "json": reports.as_json}
    for name, file in files.items():
        try:
            file.write_text(writers[name](report), encoding="utf-8")
        except OSError as error:
            click.echo(f"error: cannot write {file}: {error.strerror}", err=True)
            code = 2
    reports.terminal(report, verbose=verbose)
    return code


def _fail(message: str) -> NoReturn:
    for line in f"error: {message}".split("\n"):
        click.echo(printable(line), err=True)
    sys.exit(2)


def _run_options(given: dict[str, Any]) -> Any:
    from metastudio.tester.options import RunOptions, credentials_from_environment, other_credentials_from_environment

    keys, token, project = credentials_from_environment()
    other_keys, other_token, other_project = other_credentials_from_environment()
    path_values: dict[str, str] = {}
    for each in given["path_values"]:
        name, equals, value = each.partition("=")
        if not equals:
            raise ConfigurationError(f"--path {each}: write it as NAME=VALUE")
        path_values[name] = value
    passed = ("url", "spec", "expired_token", "rate_limit", "max_time", "max_examples", "seed", "timeout", "freeze",
              "writes", "forge", "allow_http", "only", "skip")  # fmt: skip
    return RunOptions(
        project_id=given["project_id"] or project,
        keys=keys,
        token=token,
        other_project_id=given["other_project_id"] or other_project,
        other_keys=other_keys,
        other_token=other_token,
        path_values=path_values,
        verify=not given["insecure"] and (str(given["ca_bundle"]) if given["ca_bundle"] else True),
        **{name: given[name] for name in passed},
    )
