"""Lazy imports, and the errors for missing extras."""

from __future__ import annotations

import sys
from importlib.metadata import version

import pytest
from cli_runs import CompletedCommand, run

SERVERS = {"schemathesis", "starlette", "uvicorn", "yaml", "sqlite3", "metastudio.sandbox", "metastudio.tester"}
PROGRAM = """
import sys
from metastudio.cli import main
sys.argv = ["metastudio", *sys.argv[1:]]
try:
    code = main()
finally:
    print(*sorted(sys.modules), file=sys.stderr)
sys.exit(code)
"""


def loaded(*arguments: str) -> set[str]:
    return set(run("-c", PROGRAM, *arguments, env={}, command=(sys.executable,)).err.split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["jobs", "--help"], ["watch", "--help"], ["nothing"]])
def test_help_imports_neither_servers_nor_httpx(arguments: list[str]) -> None:
    assert not loaded(*arguments) & {
        *SERVERS,
        "httpx",
        "rich",
        "asyncio",
        "attr",
        "metastudio.client",
        "metastudio_client.client",
    }


def test_a_list_imports_no_server(env: dict[str, str]) -> None:
    done = run("-c", PROGRAM, "jobs", "--limit", "1", env=env, command=(sys.executable,))
    assert done.out
    assert not set(done.err.split()) & {*SERVERS, "metastudio.cli.testing", "metastudio.cli.credentials"}


def without(missing: str, *arguments: str, env: dict[str, str]) -> CompletedCommand:
    """Run as if a library were not installed."""
    program = f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['metastudio', *sys.argv[1:]]"
    return run(
        "-c",
        f"{program}\nfrom metastudio.cli import main\nsys.exit(main())",
        *arguments,
        env=env,
        command=(sys.executable,),
    )


def test_a_missing_extra_is_named(env: dict[str, str]) -> None:
    for missing, command, extra in (
        ("click", ["jobs"], "cli"),
        ("rich", ["--version"], None),
        ("rich", ["jobs", "-o", "table"], "cli"),
        ("yaml", ["jobs", "-o", "yaml"], "cli"),
        ("uvicorn", ["sandbox"], "sandbox"),
        ("yaml", ["sandbox"], "sandbox"),
        ("schemathesis", ["contract-test", "http://127.0.0.1:9", "--project-id", "p"], "contract"),
    ):
        done = without(missing, *command, env=env)
        assert "Traceback" not in done.err
        if extra is None:
            assert done.code == 0
        else:
            assert done.code == (2 if extra == "contract" else 1)  # 1 would be a breach
            assert f"metastudio-client[{extra}]" in done.err


def test_connection_options_apply_to_contract_test() -> None:
    keys = {"HUAWEICLOUD_SDK_AK": "AKAKAKAK", "HUAWEICLOUD_SDK_SK": "SKSKSKSK"}
    done = run("--project-id", "p", "contract-test", "http://127.0.0.1:9", env=keys)
    assert done.code == 2
    assert "no project" not in done.out + done.err


def test_version() -> None:
    assert run("--version", env={}).out.startswith(f"metastudio-client {version('metastudio-client')} (Python 3.")


def test_without_arguments_the_help_is_shown() -> None:
    done = run(env={})
    assert done.code == 2
    assert done.err == run("--help", env={}).out == run("-h", env={}).out
    assert run("jobs", "-h", env={}).out.startswith("Usage: metastudio jobs")
