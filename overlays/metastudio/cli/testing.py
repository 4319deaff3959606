"""Commands for people who test: `metastudio sandbox` and `metastudio contract-test`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metastudio.cli.errors import TEST_MEANINGS, CommandError, ExitCode, describe_error, report_error
from metastudio.cli.options import (
    CONNECTION,
    DELAY,
    DURATION,
    Command,
    FilePath,
    Option,
    completer,
    connection_options,
    current,
)
from metastudio.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from metastudio.tester.options import RunOptions
    from metastudio.tester.verdicts import Report

_SHARED = {"profile", "project_id", "timeout", "allow_http", "debug"}
"""The connection options of contract-test: the URL is an argument, and the tester decides about retries."""
_FILE = FilePath(dir_okay=False, path_type=Path)
_CONTRACT = FilePath(exists=True, dir_okay=False, path_type=Path)


def sandbox_command() -> click.Command:
    """Return the command that runs the sandbox in the foreground."""
    option = partial(Option, "Options")
    params: list[click.Parameter] = [
        option("--port", "Port to listen on; 0 selects a free one.", type=click.IntRange(0, 65535), default=0),
        option("--jobs", "Number of items in each list.", type=click.IntRange(min=0), default=101),
        option("--seed", "Seed of the generated items and faults.", type=click.INT, default=0),
        option("--latency", "Delay of each response.", type=DELAY, default="0"),
        option("--fault", "Fail all requests, or this share of them, such as 503:0.2. Repeatable; ? lists the kinds.",
               multiple=True, metavar="KIND[:RATE]", shell_complete=completer(_fault_kinds)),
        option("--newer", "Add unlisted values and unknown properties, as newer servers send.", is_flag=True),
        option("--progress", "Let tasks move through their states: at this interval, a third of the unfinished ones.",
               type=DURATION),
        option("--data", "SQLite file that keeps the items between runs.", type=_FILE),
        option("--spec", "Contract to serve; by default the packaged one.", type=_CONTRACT),
        click.Argument(["command"], nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]"),
    ]  # fmt: skip
    return Command(
        "sandbox",
        callback=_serve,
        params=params,
        help="Serve the contract on 127.0.0.1 until Ctrl-C, with generated items. Signatures, tokens, projects and "
        "parameters are checked. Prints environment variables for the client once it listens; /docs has Swagger UI. "
        "With a command, runs it with these variables and ends with it.",
        notes={
            "Examples": """
                metastudio sandbox -- metastudio jobs
                metastudio sandbox --progress 5s -- $SHELL
            """
        },
    )


def _serve(**given: Any) -> None:
    try:
        _run_sandbox(**given)
    except ModuleNotFoundError as error:
        raise describe_error(error, extra="sandbox") from None


def _run_sandbox(port: int, fault: Sequence[str], command: Sequence[str], **given: Any) -> None:
    from metastudio.contract import ContractError
    from metastudio.sandbox import FAULT_KINDS, DataFileError, Fault, PortTakenError, SandboxSettings, run

    if "?" in fault:
        for kind, meaning in FAULT_KINDS.items():
            click.echo(f"{kind:<12}{meaning}")
        return
    try:
        settings = SandboxSettings(faults=tuple(Fault.parse(text) for text in fault), recent=True, **given)
    except ValueError as error:
        raise click.UsageError(str(error), click.get_current_context()) from None
    try:
        click.get_current_context().exit(run(settings, port=port, command=command))
    except (ContractError, DataFileError, PortTakenError) as error:
        raise CommandError(str(error), code=ExitCode.USAGE) from None
    except OSError as error:
        raise CommandError(f"cannot run {command[0]}: {error.strerror}", code=ExitCode.USAGE) from None


def _fault_kinds() -> Iterable[str]:
    from metastudio.sandbox import FAULT_KINDS

    return FAULT_KINDS


def contract_test_command() -> click.Command:
    """Return the command that tests a server and writes reports."""
    tests, limits, reports, connection = (partial(Option, name) for name in ("Tests", "Limits", "Reports", CONNECTION))
    params: list[click.Parameter] = [
        click.Argument(["url"], envvar="METASTUDIO_BASE_URL", metavar="URL"),
        tests("--spec", "Contract to test against; by default the packaged one.", type=_CONTRACT),
        tests("--path path_values", "Value of a further path parameter.", multiple=True, metavar="NAME=VALUE"),
        tests("--only", "Run only these: meaning, shapes, auth, 'filter.*'.", multiple=True, metavar="NAME"),
        tests("--skip", "Suites or properties to skip.", multiple=True, metavar="NAME"),
        tests("--freeze", "Test only items that exist now.", is_flag=True),
        tests("--writes", "Also test what creates, changes and deletes items.", is_flag=True),
        tests("--forge/--no-forge", "Send forged credentials. By default not to the vendor's hosts.", default=None),
        tests("--seed", "Seed of the generated requests.", type=click.INT, default=0),
        limits("--max-examples", "Random requests to generate.", type=click.IntRange(min=1), default=50),
        limits("--rate-limit", "Maximum requests per second.", type=click.FloatRange(min=0, min_open=True)),
        limits("--max-time", "Stop after this time; the rest is not exercised.", type=DURATION),
        reports("--junit", "Write a JUnit report.", type=_FILE),
        reports("--html", "Write an HTML report.", type=_FILE),
        reports("--json", "Write a JSON report.", type=_FILE),
        reports("--verbose -v", "Show passing properties too.", is_flag=True),
        *(option for option in connection_options() if option.name in _SHARED),
        connection("--other-project-id", "Project ID of the second caller.", metavar="ID"),
        connection("--expired-token", "", envvar="METASTUDIO_EXPIRED_TOKEN", hidden=True),
        connection("--ca-bundle", "CA certificates to trust.", type=FilePath(exists=True, path_type=Path)),
        connection("--insecure", "Skip certificate verification.", is_flag=True),
    ]
    return Command(
        "contract-test",
        callback=_test,
        params=params,
        help="Test the server at URL against the contract: response structure, list semantics and authentication.\n\n"
        "The key pair, the token and the project ID come from the environment or the credentials file, as for every "
        "command. METASTUDIO_TOKEN serves every scheme with a token, METASTUDIO_USER and METASTUDIO_PASSWORD serve "
        "HTTP Basic. The tenant isolation check needs a second caller: METASTUDIO_OTHER_AK, METASTUDIO_OTHER_SK, "
        "METASTUDIO_OTHER_TOKEN, METASTUDIO_OTHER_USER, METASTUDIO_OTHER_PASSWORD and METASTUDIO_OTHER_PROJECT_ID. "
        "METASTUDIO_EXPIRED_TOKEN is a token that has expired, which must be refused. Without --writes, only GET, HEAD "
        "and OPTIONS requests are sent.",
        notes={
            "Examples": """
                metastudio sandbox -- metastudio contract-test
                metastudio contract-test https://my-server.example.com --only meaning --html report.html
            """,
            "Exit codes": "\n".join(f"{code:<5d}{meaning}" for code, meaning in TEST_MEANINGS.items()),
        },
    )


def _test(**given: Any) -> None:
    """Run the tests and exit with the code of the report. Only a breach ends with 1: every other error ends with 2."""
    try:
        code = _run(given)
    except KeyboardInterrupt as error:
        click.echo("interrupted; no report was written", err=True)
        for note in getattr(error, "__notes__", ()):  # items that could not be deleted
            click.echo(printable(note), err=True)
        raise
    except Exception as error:  # every error, see above
        shown = describe_error(error, extra="contract")
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
