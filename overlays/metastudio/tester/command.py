"""The command `contract-test`; also `python -m metastudio.tester`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from metastudio.errors import ConfigurationError, CredentialsError

EXIT_CODES = """\b
Exit codes:
  0  no breach; what is undecided, not exercised or not stated never changes that
  1  the server breaks the contract
  2  the run could not be made: unreachable, not HTTP, the credentials refused, wrong options
  3  no answer held a single item: nothing was proven"""


@click.command(
    "contract-test",
    epilog=EXIT_CODES,
    short_help="Prove a server against the contract.",
    help="Prove the server at URL against the contract: shapes, meaning and authentication.\n\n"
    "The key pair, the token and the project come from the environment or the credentials file, as everywhere; "
    "those of another caller, for the tenant check, from METASTUDIO_OTHER_AK, METASTUDIO_OTHER_SK, "
    "METASTUDIO_OTHER_TOKEN and METASTUDIO_OTHER_PROJECT_ID. Without --writes, nothing is sent but GET, HEAD and "
    "OPTIONS.",
)
@click.argument("url", envvar="METASTUDIO_BASE_URL", metavar="URL")
@click.option("--project-id", metavar="ID", help="The project whose list is asked for.")
@click.option("--other-project-id", metavar="ID", help="A project of the other caller.")
@click.option("--expired-token", envvar="METASTUDIO_EXPIRED_TOKEN", hidden=True)
@click.option("--spec", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Another contract.")
@click.option("--path", "path_values", multiple=True, metavar="NAME=VALUE", help="Value of another path parameter.")
@click.option("--only", multiple=True, metavar="NAME", help="Suites or properties: meaning, shapes, auth, 'filter.*'.")
@click.option("--skip", multiple=True, metavar="NAME", help="Suites or properties to leave out.")
@click.option("--rate-limit", type=float, metavar="N", help="Requests per second at most.")
@click.option("--max-time", type=float, metavar="SECONDS", help="End after so long; the rest is not exercised.")
@click.option("--max-examples", type=click.IntRange(min=1), default=50, show_default=True, help="Random requests.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed draws the same requests.")
@click.option("--timeout", type=float, default=10.0, show_default=True, help="Seconds to wait for an answer.")
@click.option("--freeze", is_flag=True, help="Pin the list to what is there now, if it changes all the time.")
@click.option("--writes", is_flag=True, help="Send methods that may change something too. POST may create tasks.")
@click.option("--forge/--no-forge", default=None, help="Send forged credentials. Default: not to public hosts.")
@click.option("--ca-bundle", type=click.Path(exists=True, path_type=Path), help="Certificates to trust.")
@click.option("--insecure", is_flag=True, help="Check no certificate.")
@click.option("--allow-http", is_flag=True, help="Send credentials over plain http to another machine.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write a JUnit report.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page of HTML.")
@click.option("--json", type=click.Path(dir_okay=False, path_type=Path), help="Write the report as JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Show properties that hold as well.")
def contract_test(**given: Any) -> None:
    """Run, report, and exit with the report's code."""
    files = {name: given[name] for name in ("junit", "html", "json") if given[name] is not None}
    for file in files.values():
        if not file.absolute().parent.is_dir():
            _cannot(f"{file} cannot be written: there is no directory {file.parent}")
    try:
        from metastudio.contract import ContractError
        from metastudio.tester import reports
        from metastudio.tester.runner import run

        try:
            options = _options(given)
            with reports.progress() as told:
                report = run(options, told)
        except (ConfigurationError, CredentialsError, ContractError) as error:
            _cannot(str(error))
    except KeyboardInterrupt:
        click.echo("interrupted: nothing is reported", err=True)
        sys.exit(130)
    except ModuleNotFoundError as error:
        if (error.name or "metastudio").startswith("metastudio"):
            raise
        _cannot(f"this needs {error.name}, which is not installed: pip install 'metastudio-client[contract]'")
    unwritten = 0
    writers = {"junit": reports.junit, "html": reports.html, "json": reports.as_json}
    for name, file in files.items():
        try:
            file.write_text(writers[name](report), encoding="utf-8")
        except OSError as error:
            click.echo(f"error: {file} cannot be written: {error.strerror}", err=True)
            unwritten = 2
    reports.terminal(report, verbose=given["verbose"])
    sys.exit(report.exit_code or unwritten)


def _cannot(why: str) -> NoReturn:
    click.echo(f"error: {why}", err=True)
    sys.exit(2)


def _options(given: dict[str, Any]) -> Any:
    from metastudio.tester.options import Options, found_credentials, other_credentials

    keys, token, project = found_credentials()
    other_keys, other_token, other_project = other_credentials()
    path_values: dict[str, str] = {}
    for each in given["path_values"]:
        name, equals, value = each.partition("=")
        if not equals:
            raise ConfigurationError(f"--path {each} is not NAME=VALUE")
        path_values[name] = value
    passed = ("url", "spec", "expired_token", "rate_limit", "max_time", "max_examples", "seed", "timeout", "freeze",
              "writes", "forge", "allow_http", "only", "skip")  # fmt: skip
    return Options(
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
