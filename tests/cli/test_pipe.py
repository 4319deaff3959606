"""Lists in a pipe and in files: formats, request parameters, invalid input."""

from __future__ import annotations

import csv
import json
import shlex
import subprocess
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml
from cli_runs import COMMAND, CompletedCommand, environment, run
from loopback import CannedResponse, LoopbackServer, ReceivedRequest, serve
from metastudio.sandbox import Sandbox

JOBS = "jobs"


def server_items(sandbox: Sandbox) -> list[dict[str, object]]:
    """Return the server's items of the main project, in order."""
    (store,) = sandbox.stores.values()
    return [item for item in store.items() if item["project_id"] == sandbox.project_id]


def test_json_lines_are_the_items_as_sent(sandbox: Sandbox, env: dict[str, str]) -> None:
    done = run(JOBS, env=env)
    assert (done.code, done.err) == (0, "")
    assert [json.loads(line) for line in done.out.splitlines()] == server_items(sandbox)


def test_json_is_one_array_of_the_items_as_sent(sandbox: Sandbox, env: dict[str, str]) -> None:
    assert json.loads(run(JOBS, "--output", "json", env=env).out) == server_items(sandbox)
    assert run(JOBS, "--output", "json", "--job-id", "unknown-id", env=env).out == "[]\n"


def test_times_are_not_changed(env: dict[str, str]) -> None:
    """Another time zone, an invalid time and null are neither converted nor an error."""
    item = {"job_id": "1", "name": "a\x9b31m\u2028b", "state": "NEW", "project_id": "p", "tags": None}
    jobs = [{**item, "create_time": written} for written in ("2023-12-08T08:30:56+08:00", "soon", None)]
    body = json.dumps({"count": 3, "jobs": [{**job, "job_id": str(n)} for n, job in enumerate(jobs)]}).encode()
    with serve(lambda _: CannedResponse(body=body, headers={"Content-Type": "application/json"})) as server:
        settings = {**env, "METASTUDIO_BASE_URL": server.url}
        out = run(JOBS, env=settings).out
        assert [json.loads(line)["create_time"] for line in out.splitlines()] == [each["create_time"] for each in jobs]
        assert "\x9b" not in out
        assert len(out.split("\n")) == 4
        table = run(JOBS, "--output", "table", env=settings).out
        assert "2023-12-08 08:30" in table
        assert "soon" in table
        assert r"a\x9b31m\u2028b" in table


def test_closed_streams_are_no_error(tmp_path: Path, env: dict[str, str]) -> None:
    out = tmp_path / "jobs.csv"
    for arguments, code in ((f"jobs --out {out}", 0), ("jobs --limit 1", 0), ("whoami", 0), ("jobs --limit 0", 2)):
        command = f"{shlex.quote(COMMAND)} {arguments} <&- >&-"
        done = subprocess.run(["bash", "-c", command], env=environment(env), stderr=subprocess.PIPE, text=True)
        assert (done.returncode, "unexpected" in done.stderr) == (code, False)
        assert subprocess.run(["bash", "-c", f"{command} 2>&-"], env=environment(env)).returncode in (code, 2)
    assert len(out.read_text(encoding="utf-8").splitlines()) == 102


def test_csv(env: dict[str, str]) -> None:
    rows = list(csv.DictReader(run(JOBS, "--output", "csv", env=env).out.splitlines()))
    assert len(rows) == 101
    by_id = {row["job_id"]: row for row in rows}
    assert by_id["afcaef87f52272a0fe01aa94ee0f1e25"]["tags"] == "Alpha; alphabet; 数字人"
    assert by_id["afcaef87f52272a0fe01aa94ee0f1e25"]["asset_id"] == ""
    assert by_id["646682facddb4912976f19a4d61c6a91"]["create_time"] == "2023-12-08T08:30:56Z"


def test_csv_contains_no_formula(env: dict[str, str]) -> None:
    names = ['=cmd|"/c calc"!A1', "+1-2", "-x", "@x", "\tx", "-5", "+86 1", 'a,"b"\nc', "ok"]
    jobs = [
        {"job_id": str(n), "name": name, "state": "S", "project_id": "p", "create_time": "2023-12-08T08:30:56Z"}
        for n, name in enumerate(names)
    ]
    body = json.dumps({"count": len(jobs), "jobs": jobs}).encode()
    with serve(lambda _: CannedResponse(body=body, headers={"Content-Type": "application/json"})) as server:
        settings = {**env, "METASTUDIO_BASE_URL": server.url}
        out = run(JOBS, "--output", "csv", "--columns", "name", env=settings).out
    shown = [row[0] for row in csv.reader(out.splitlines(keepends=True))][1:]
    assert shown == ["'" + names[0], "'+1-2", "'-x", "'@x", "'\tx", "-5", "'+86 1", 'a,"b"\nc', "ok"]


def test_values_alone(sandbox: Sandbox, env: dict[str, str]) -> None:
    """The IDs, or the chosen columns with tabs between them, for a shell."""
    assert run(JOBS, "-o", "value", env=env).out.splitlines() == [item["job_id"] for item in server_items(sandbox)]
    assert run(JOBS, "-o", "value", "-c", "name,asset_id,state", "--limit", "1", env=env).out == "Name 1\t\tTRAINING\n"


def test_yaml_holds_the_items_as_sent(sandbox: Sandbox, env: dict[str, str]) -> None:
    out = run(JOBS, "-o", "yaml", env=env).out
    assert yaml.safe_load(out) == server_items(sandbox)
    assert "数字人" in out
    assert run(JOBS, "-o", "yaml", "--job-id", "unknown-id", env=env).out == "[]\n"
    item = {**server_items(sandbox)[0], "name": "a\u202eb"}
    body = json.dumps({"count": 1, "jobs": [item]}).encode()
    with serve(lambda _: CannedResponse(body=body, headers={"Content-Type": "application/json"})) as server:
        out = run(JOBS, "-o", "yaml", env={**env, "METASTUDIO_BASE_URL": server.url}).out
    assert r'"a\u202Eb"' in out


def test_columns_apply_to_every_format(env: dict[str, str]) -> None:
    chosen = ["--columns", "state, name", "--limit", "1"]
    assert run(JOBS, *chosen, env=env).out == '{"state": "TRAINING", "name": "Name 1"}\n'
    assert run(JOBS, *chosen, "-o", "csv", env=env).out == "state,name\nTRAINING,Name 1\n"
    assert run(JOBS, *chosen, "-o", "table", env=env).out == "state     name\nTRAINING  Name 1\n"


def test_a_table_in_a_pipe_has_no_colours_and_is_not_truncated(env: dict[str, str]) -> None:
    forced = {**env, "FORCE_COLOR": "1", "TTY_COMPATIBLE": "1"}
    out = run(JOBS, "--output", "table", "--columns", "job_id,state,cover_download_url,tags,name", env=forced).out
    assert "\x1b" not in run(JOBS, "summary", env=forced).out + run("jbos", env=forced).err
    lines = out.splitlines()
    assert len(lines) == 102
    assert "\x1b" not in out
    assert "…" not in out
    assert all(line == line.rstrip() for line in lines)
    assert run(JOBS, "--limit", "2", "-o", "table", env={**env, "COLUMNS": "50"}).out.splitlines()[0].split() == [
        "job_id",
        "state",
    ]


@pytest.fixture(scope="module")
def parameters() -> dict[str, str]:
    """The request parameters of a command line with every kind of filter."""
    body = b'{"count": 0, "jobs": []}'

    def respond(_: ReceivedRequest) -> CannedResponse:
        return CannedResponse(body=body, headers={"Content-Type": "application/json"})

    with serve(respond) as server:
        done = _list_jobs(
            server, "--state", "training,job_finish", "--state", "SOME_NEW", "--create-since", "2023-12-01",
            "--create-until", "2023-12-02", "--sort-dir", "DESC", "--sort-key", "create_time", "--tag", "a,b",
            "--app-user-id", "me", "--limit", "7", "--model-resolution", "1080p", "--name", "50% + 数",
        )  # fmt: skip
        assert (done.code, done.out, done.err) == (0, "", "")
        (request,) = server.received
        header = request.header("x-app-userid") or ""
        return {**dict(parse_qsl(urlsplit(request.target).query)), "X-App-UserId": header}


def _list_jobs(server: LoopbackServer, *arguments: str) -> CompletedCommand:
    keys = {"HUAWEICLOUD_SDK_AK": "AKAKAKAK", "HUAWEICLOUD_SDK_SK": "SKSKSKSK", "HUAWEICLOUD_SDK_PROJECT_ID": "p"}
    return run(JOBS, *arguments, env={**keys, "METASTUDIO_BASE_URL": server.url})


def test_filters_are_sent_as_the_contract_says(parameters: dict[str, str]) -> None:
    """Known values in any case; dates are whole local days; the page size does not exceed the limit."""
    assert parameters == {
        "state": "TRAINING,JOB_FINISH,SOME_NEW",
        "create_since": "2023-11-30T16:00:00Z",
        "create_until": "2023-12-02T15:59:59Z",
        "sort_dir": "desc",
        "sort_key": "create_time",
        "tag": "a,b",
        "model_resolution": "1080P",
        "name": "50% + 数",
        "limit": "7",
        "offset": "0",
        "X-App-UserId": "me",
    }


BAD = {
    "--sate TRAINING": "Did you mean --state?",
    "--columns nmae": "did you mean name?",
    "--columns ,": "must not be empty",
    "--columns name.first": "'name.first' is not known",
    "--create-since tomorrow": "2d ago",
    "--create-since 2023-12-01T08:00:00": "2d ago",
    "--limit 0": "--limit",
    "--state ,": "empty",
    "--name=": "empty",
    "--sort-dir up": "'asc', 'desc'",
    "--app-user-id ü": "printable ASCII",
    "--create-since 2024-01-01 --create-until 2023-01-01": "swap",
    "--limit 3 summary": "summary takes no --limit",
    "--state TRAINING summary": "metastudio jobs summary --state",
    "watch ": "job_id must be the ID of one item",
    "watch x --interval 0": "'--interval': must be longer than 0",
    "--timeout 0": "'--timeout': must be longer than 0",
    "--timeout 2d": "--timeout must be a number of seconds above 0 and up to 86400",
    "--create-since 0001-01-01T00:00:00+08:00": "2d ago",
    "--columns name,state,name": "name is given twice",
    "--offset 5": "No such option",
    "nothing": "No such command 'nothing'",
    "--region no_such": "cn-north-4",
    "--base-url ftp://x": "https://",
    "--out=": "'--out': a file name must not be empty",
    "--base-url=": "--base-url must not be empty",
    "--region=": "--region must not be empty",
    "--base-url http://example.com": "(--base-url) 'http://example.com' would send credentials in clear text",
    "--output xml": "'table', 'json', 'jsonl', 'csv', 'yaml', 'value'",
}


@pytest.mark.parametrize("arguments", BAD)
def test_invalid_input_is_one_line_and_sends_nothing(arguments: str) -> None:
    with serve(lambda _: CannedResponse(500)) as server:
        done = _list_jobs(server, *arguments.split(" "))
        assert not server.received
    message, _, rest = done.err.partition("\n")
    assert message.startswith("Error: ")
    assert BAD[arguments] in message
    assert (done.code, done.out) == (2, "")
    assert not rest or (rest.startswith("Hint: ") and rest.count("\n") == 1)


@pytest.mark.parametrize(
    ("command", "option"),
    [("sandbox", "--data"), ("sandbox", "--spec"), ("contract-test", "--spec"), ("contract-test", "--html")],
)
def test_an_empty_file_name_is_refused(command: str, option: str) -> None:
    done = run(command, f"{option}=", env={"METASTUDIO_BASE_URL": "http://127.0.0.1:9"})
    assert (done.code, done.out) == (2, "")
    assert f"'{option}': a file name must not be empty; omit the option instead" in done.err


def test_missing_credentials_have_a_hint(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[basic]\nak = only-one-half\n")
    half = run(JOBS, env={"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(tmp_path / "credentials")})
    assert half.code == 4
    assert "sets ak but not sk; set both" in half.err
    assert "Hint: set HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK, or METASTUDIO_TOKEN" in half.err


def test_errors_name_options_not_arguments_of_the_client(env: dict[str, str]) -> None:
    assert "or add --allow-http if" in run("--base-url", "http://example.com", JOBS, env=env).err


def test_a_warning_is_shown_once(tmp_path: Path, sandbox: Sandbox, env: dict[str, str]) -> None:
    file = tmp_path / "credentials"
    file.write_text(f"[basic]\nak = {sandbox.access_key}\nsk = {sandbox.secret_key}\n")
    file.chmod(0o644)
    keys = {"HUAWEICLOUD_SDK_AK": "", "HUAWEICLOUD_SDK_SK": "", "HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(file)}
    done = run(JOBS, "--limit", "1", env={**env, **keys, "METASTUDIO_TOKEN": ""})
    assert done.code == 0
    assert done.err == f"Warning: other users of this machine can read {file}; run chmod 600 on it\n"


def test_failures_have_exit_codes_and_hints(env: dict[str, str]) -> None:
    wrong = run(JOBS, env={**env, "HUAWEICLOUD_SDK_SK": "wrong-secret-key"})
    assert wrong.code == 4
    assert "verify aksk signature fail" in wrong.err
    assert "Hint: The secret key does not belong" in wrong.err
    assert "wrong-secret-key" not in wrong.err
    assert "Traceback" not in wrong.err
    refused = run("--max-retries", "0", "--base-url", "http://127.0.0.1:9", JOBS, env=env)
    assert refused.code == 1
    assert "cannot connect to 127.0.0.1:9" in refused.err
    unknown = run("--max-retries", "0", JOBS, "--base-url", "https://metastudio.no-such.invalid", env=env)
    assert unknown.code == 1
    assert "check region and base URL" in unknown.err


def test_retries_and_their_number(env: dict[str, str]) -> None:
    for retries, wanted in (("0", 1), ("1", 2)):
        with serve(lambda _: CannedResponse(503, headers={"Retry-After": "0"})) as server:
            assert run("--base-url", server.url, JOBS, "--max-retries", retries, env=env).code == 1
            assert len(server.received) == wanted


def test_debug_shows_the_traceback(env: dict[str, str]) -> None:
    for arguments in (["--debug", JOBS], [JOBS, "--debug"]):
        done = run(*arguments, "--base-url", "http://127.0.0.1:9", "--max-retries", "0", env=env)
        assert "Traceback (most recent call last)" in done.err
        assert done.err.splitlines()[-1].startswith("Error: cannot connect")


def test_a_success_that_is_not_json_is_an_error(env: dict[str, str]) -> None:
    login = CannedResponse(body=b"<html>", headers={"Content-Type": "text/html"})
    with serve(lambda _: login) as server:
        done = run(JOBS, env={**env, "METASTUDIO_BASE_URL": server.url})
    assert (done.code, done.out) == (1, "")


def test_files(tmp_path: Path, env: dict[str, str]) -> None:
    file = tmp_path / "jobs.csv"
    assert run(JOBS, "--limit", "3", "--columns", "name", "--out", file, env=env) == CompletedCommand(0, "", "")
    assert file.read_text() == "name\nName 1\nName 2\nName 3\n"
    there = run(JOBS, "--out", file, env=env)
    assert there.code == 2
    assert "already exists" in there.err
    assert "Hint: add --force to replace it" in there.err
    assert run(JOBS, "--limit", "1", "--columns", "name", "--out", file, "--force", "-o", "jsonl", env=env).code == 0
    assert file.read_text() == '{"name": "Name 1"}\n'
    assert run(JOBS, "--limit", "1", "--columns", "name", "--out", "-", env=env).out == '{"name": "Name 1"}\n'
    unknown = run(JOBS, "--out", "jobs.xlsx", cwd=tmp_path, env=env)
    assert unknown.code == 2
    assert "use one of table, json, jsonl, csv, yaml, value as its ending" in unknown.err
    table = run(JOBS, "--limit", "1", "--out", "x.table", cwd=tmp_path, env=env)
    assert table.code == 0
    assert (tmp_path / "x.table").read_text().startswith("job_id ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jobs.csv", "x.table"]


def test_unwritable_files(tmp_path: Path, env: dict[str, str]) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for place in (tmp_path / "nowhere" / "jobs.csv", tmp_path, loop, tmp_path / f"{'n' * 300}.csv"):
        done = run(JOBS, "--out", place, "--force", env=env)
        assert done.code == 2
        assert str(place) in done.err
    assert run(JOBS, "--out", "/dev/full", env=env).code == 1


def test_a_failure_leaves_the_file_as_it_was(tmp_path: Path, env: dict[str, str]) -> None:
    file = tmp_path / "jobs.csv"
    file.write_text("before")
    settings = {**env, "HUAWEICLOUD_SDK_SK": "wrong"}
    assert run(JOBS, "--out", file, "--force", env=settings).code == 4
    assert [path.name for path in tmp_path.iterdir()] == ["jobs.csv"]
    assert file.read_text() == "before"


def test_summary(sandbox: Sandbox, env: dict[str, str]) -> None:
    summary = json.loads(run(JOBS, "summary", "--output", "json", env=env).out)
    items = server_items(sandbox)
    assert summary["total"] == len(items)
    states = {state: count for phase in summary["phases"].values() for state, count in phase["states"].items()}
    assert states == {state: sum(item["state"] == state for item in items) for state in states}
    assert sum(states.values()) == len(items)
    times = sorted(str(item["create_time"]) for item in items)
    assert (summary["oldest"]["create_time"], summary["newest"]["create_time"]) == (times[0], times[-1])
    assert run(JOBS, "summary", "--state", "TRAINING", env=env).out.startswith("5 jobs\n")
    assert json.loads(run(JOBS, "summary", "-o", "json", "--job-id", "unknown-id", env=env).out)["oldest"] is None
