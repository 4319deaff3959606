"""The examples and demo.sh run unchanged, with warnings as errors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runs import run
from metastudio.sandbox import serve

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

SHOWS = {
    "list_jobs.py": "101 jobs in total, the newest:",
    "table_of_jobs.py": "101 rows with the columns job_id, name, state,",
    "wait_for_jobs.py": "did not settle within 1 s; last state: TRAINING",
    "count_async.py": "    5  TRAINING\n",
    "handle_errors.py": "The access key was refused: APIGW.0301.",
    "generated_client.py": "HTTP 200, request ",
    "sign_any_request.py": "0123456789abcdef0123456789abcdef  cn-north-4",
}


@pytest.mark.parametrize("name", SHOWS)
def test_example(name: str, env: dict[str, str]) -> None:
    done = run("-W", "error", ROOT / "examples" / name, env=env, command=(sys.executable,))
    assert (done.code, done.err) == (0, "")
    assert SHOWS[name] in done.out


# pandas takes 160 MB with numpy, so it is installed apart. test_objects.py compares the types of the rows too.
@pytest.mark.slow
def test_rows_are_a_typed_table_in_pandas(env: dict[str, str], tmp_path: Path) -> None:
    packages = ROOT / ".cache" / "pandas"
    if not (packages / "pandas").exists():
        install = (
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--target",
            packages,
        )
        subprocess.run([*install, "pandas>=2.2,<4"], check=True, capture_output=True)
    program = tmp_path / "program.py"
    example = (ROOT / "examples" / "table_of_jobs.py").read_text(encoding="utf-8")
    program.write_text(f"{example}\nimport pandas\nprint(pandas.DataFrame(rows).dtypes.to_dict())\n", encoding="utf-8")
    path = f"{packages}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    done = run(program, env={**env, "PYTHONPATH": path}, command=(sys.executable,))
    assert done.code == 0, done.err
    types = done.out.splitlines()[-1]
    assert re.search(r"'create_time': datetime64\[\w+, UTC\]", types), types
    assert re.search(r"'last_update_time': datetime64\[\w+, UTC\]", types), types


def test_the_pytest_example() -> None:
    plain = [
        "-p",
        "metastudio.pytest_plugin",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(ROOT / "examples"),
        "-c",
        "/dev/null",
        "-W",
        "error",
    ]
    pytest_ = (sys.executable, "-m", "pytest", *plain)
    done = run(ROOT / "examples" / "test_my_program.py", env={}, command=pytest_)
    assert "2 passed" in done.out, done.out + done.err


def test_the_program_of_the_readme(tmp_path: Path) -> None:
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert code is not None
    (tmp_path / "first.py").write_text(code[1].replace("timeout=3600", "timeout=20, poll=0.1"))
    with serve(progress=0.1) as sandbox:
        done = run("-W", "error", tmp_path / "first.py", env=sandbox.environment, command=(sys.executable,))
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] in ("success", "failure", "None")


def test_every_example_is_tested_and_listed() -> None:
    shown = (ROOT / "examples" / "README.md").read_text()
    assert {path.name for path in EXAMPLES} == {*SHOWS, "test_my_program.py"}
    assert all(f"[{path.name}]({path.name})" in shown for path in EXAMPLES)


def test_the_demonstration(tmp_path: Path) -> None:
    """It runs from any directory and in a pipe, and shows each of its four things."""
    done = run(env={"METASTUDIO_VENV": sys.prefix}, command=(str(ROOT / "demo.sh"),), cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    jobs = re.findall(r"^[0-9a-f]{32}  .*?  ([A-Z][A-Z_]+)  ", done.out, re.MULTILINE)
    assert len(jobs) == 10
    by_offset, consistent = map(int, re.findall(r" (\d+) of the \d+ jobs .* were lost", done.out))
    assert (by_offset > 0, consistent) == (True, 0)
    assert "JOB_SUCCESS (done)\n  outcome: success\n" in done.out
    assert "breach: state returns exactly the items whose" in done.out
    assert not list(tmp_path.iterdir())
