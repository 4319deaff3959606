"""Commands of single items, from tests/contract/tasks.yaml alone, on a sandbox that serves it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import pytest
from cli_runs import CommandOfCopy, CompletedCommand, PseudoTerminal, ScreenMatcher, run
from generator_limits import check_generator
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio.cli.items import item_command, item_identity
from metastudio.cli.options import remember_ids
from metastudio.contract import ContractError, compile_contract, load
from metastudio.sandbox import serve as serve_sandbox
from repository import ROOT, Repository

if TYPE_CHECKING:
    from collections.abc import Iterator

TASKS = ROOT / "tests" / "contract" / "tasks.yaml"


class TaskCommand(NamedTuple):
    """The command of a copy of the repository, with the environment of a sandbox."""

    copy: CommandOfCopy
    root: Path
    env: dict[str, str]

    def __call__(self, *arguments: str, stdin: str = "", **env: str) -> CompletedCommand:
        return self.copy(*arguments, env={**self.env, **env}, stdin=stdin)

    def terminal(self, *arguments: str, columns: int = 100, rows: int = 60) -> PseudoTerminal:
        return PseudoTerminal(*arguments, env=self.env, command=self.copy.command, columns=columns, rows=rows)

    def json(self, *arguments: str, stdin: str = "") -> Any:
        done = self(*arguments, stdin=stdin)
        assert (done.code, done.err) == (0, ""), done.err
        return json.loads(done.out)


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskCommand]:
    repository = Repository.generated_from(TASKS, tmp_path_factory.mktemp("tasks"))
    with serve_sandbox(spec=TASKS, jobs=12) as sandbox, CommandOfCopy(repository.root) as copy:
        yield TaskCommand(copy, repository.root, {**sandbox.environment, **copy.path})


def test_the_life_of_an_item(tasks: TaskCommand) -> None:
    """Created from options and standard input, shown, updated, sent a command, and deleted with another one."""
    made = tasks.json("jobs", "create", "--name", "First", "--tags", "a", "--tags", "b", "--is-flexus")
    body = '{"name": "ignored", "voice_properties": {"job_tag": "NEWS", "sex": "MALE", "language": "EN"}}'
    other = tasks.json("jobs", "create", "--body", "-", "--name", "Second", stdin=body)
    assert made.keys() >= {"job_id"}

    shown = tasks.json("jobs", "show", made["job_id"])
    assert (shown["name"], shown["tags"], shown["state"]) == ("First", ["a", "b"], "WAIT_FILE_UPLOAD")
    assert tasks.json("jobs", "show", other["job_id"])["name"] == "Second"

    (tasks.root / "changes.json").write_text('{"batch_name": "spring"}')
    tasks.json("jobs", "update", made["job_id"], "--body", "changes.json")
    assert tasks.json("jobs", "show", made["job_id"])["batch_name"] == "spring"

    tasks.json("jobs", "run-command", made["job_id"], "--command", "confirm_accept")
    watched = tasks("watch", made["job_id"])
    assert (watched.code, json.loads(watched.out)["state"]) == (0, "JOB_FINISH")

    gone = tasks("jobs", "delete", made["job_id"], "no-such-id", other["job_id"], made["job_id"], "--yes")
    assert (gone.code, gone.out) == (3, "")
    assert gone.err.startswith("Error: no-such-id: HTTP 404")
    shown = tasks("jobs", "show", made["job_id"])
    assert (shown.code, shown.out, shown.err.count("\n")) == (3, "", 1), shown.err
    assert made["job_id"] not in tasks("jobs", "-o", "value").out


def test_other_shapes(tasks: TaskCommand) -> None:
    """No project, a path enum, no body, a required query parameter, epoch times, and an operation beside any list."""
    (voice, *_) = [json.loads(line) for line in tasks("voices", "--limit", "3").out.splitlines()]
    assert tasks.json("voices", "show", voice["job_id"])["create_time"] == voice["create_time"]
    assert tasks("voices", "watch", voice["job_id"], "--timeout", "0.1").code in (0, 5, 6, 124)
    assert tasks.json("agencies", "create", "cbs").keys() == {"agency_id"}
    assert tasks("live-jobs", "stop", "room-1", "job-1") == CompletedCommand(0, "", "")
    assert tasks.json("files", "show-download", "-o", "json").keys() == {"download_url"}
    for since, count in (("2000-01-01", 12), ("2d ago", 0)):
        listed = tasks("voices", "--create-since", since, "-o", "value")
        assert (listed.code, listed.out.count("\n"), listed.err) == (0, count, "")
    asset = tasks("assets", "--limit", "1", "-o", "value").out.strip()
    missing = tasks("assets", "delete", asset, "--yes")
    assert (missing.code, missing.out) == (2, "")
    assert missing.err.startswith("Error: Missing option '--mode'")
    assert tasks("assets", "delete", asset, "--mode", "RECYCLE", "--yes") == CompletedCommand(0, "", "")
    assert "create_time: 1" in tasks("voices", "show", voice["job_id"], "-o", "yaml").out


def test_ids_that_were_shown_are_completed(tasks: TaskCommand, tmp_path: Path) -> None:
    ids = tmp_path / "metastudio" / "list_training_jobs.ids"
    ids.parent.mkdir()
    ids.write_text("abc1\nabc2\n")
    protocol = {"XDG_CACHE_HOME": str(tmp_path), "_METASTUDIO_COMPLETE": "bash_complete"}
    for words, found in (
        ("jobs show abc", ["abc1", "abc2"]),
        ("jobs delete abc1 a", ["abc2"]),
        ("jobs run-command abc2", ["abc2"]),
        ("voices show a", []),
    ):
        number = str(len(words.split()))
        done = tasks(**protocol, COMP_WORDS=f"metastudio {words}", COMP_CWORD=number)
        assert [line.partition(",")[2] for line in done.out.splitlines() if line] == found, words


def test_an_id_whose_name_is_no_python_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "renamed.yaml"
    text = TASKS.read_text(encoding="utf-8").replace("jobs/{job_id}", "jobs/{jobId}")
    file.write_text(text.replace("name: job_id\n      in: path", "name: jobId\n      in: path"), encoding="utf-8")
    delete = compile_contract(load(file)).operations["delete_training_job"]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    remember_ids("list_training_jobs", ["abc1"])
    command = item_command("delete", delete)
    assert [each.value for each in command.params[0].shell_complete(click.Context(command), "a")] == ["abc1"]
    assert item_identity(delete, {"job_id": "abc1"}) == "abc1"


BAD = {
    "jobs create": "give --body FILE",
    "jobs create --body no-such.json": "cannot read no-such.json: No such file",
    "jobs create --body ": "--body is empty; give a file, or - for standard input",
    "jobs show ": "'JOB_ID': a value must not be empty; give one",
    "jobs delete a  --yes": "a value must not be empty; give one",
    "jobs create --name ": "a value must not be empty; omit the option instead",
    "jobs create --body .": "cannot read .: Is a directory",
    "jobs create --body list.json": "list.json must hold a JSON object, not an array",
    "jobs create --body half.json": "half.json is not JSON",
    "jobs create --body binary.json": "binary.json is not JSON",
    "jobs create --body empty.json": "body.name is missing",
    "jobs create --body surrogate.json": r"body.name holds characters that cannot be sent, '\ud800'",
    "jobs create --name x --body unknown.json": "did you mean batch_name?",
    "jobs create --name x --video-multipart-count 0": "0 is not in the range x>=1",
    "jobs create --naem x": "Did you mean --name?",
    "jobs run-command j --command NO": "is not one of",
    "jobs show": "Missing argument",
    "jobs show a/b": "to fit into a URL",
    "jobs show a b": "unexpected extra argument",
    "jobs delete a b/c --yes": "to fit into a URL",
    "jobs delete a": "needs confirmation",
    "agencies create NO": "is not one of",
    "jobs creat": "No such command 'creat'",
    "live-jobs": "Usage:",
}


def test_bad_input_is_one_clear_error_and_sends_nothing(tasks: TaskCommand) -> None:
    files = {
        "list": b"[]", "half": b'{"name": ', "binary": b"\xff\xfe\xfa", "empty": b"{}",
        "unknown": b'{"batch_nam": "b"}', "surrogate": b'{"name": "138 \\ud800"}',
    }  # fmt: skip
    for name, content in files.items():
        (tasks.root / f"{name}.json").write_bytes(content)
    with serve(lambda _: CannedResponse(500)) as server:
        for arguments, problem in BAD.items():
            done = tasks(*arguments.split(" "), METASTUDIO_BASE_URL=server.url)
            assert (done.code, done.out) == (2, ""), arguments
            assert problem in done.err, arguments
            assert done.err.startswith("Error: ") or problem == "Usage:", arguments
        assert not server.received


def test_an_error_among_several_says_what_was_done(tasks: TaskCommand) -> None:
    def respond(request: ReceivedRequest) -> CannedResponse:
        return CannedResponse(409 if request.target.endswith("/b") else 204, b"")

    with serve(respond) as server:
        done = tasks("jobs", "delete", "a", "b", "c", "d", "--yes", METASTUDIO_BASE_URL=server.url)
        assert [each.target.rpartition("/")[2] for each in server.received] == ["a", "b"]
    assert done.code == 1
    assert done.err.startswith("Error: b: HTTP 409")
    assert "not sent: c, d" in done.err


@pytest.mark.parametrize(
    ("status", "problem"), [(200, "declares only status 201"), (503, "HTTP 503"), (409, "HTTP 409"), (302, "302")]
)
def test_another_status_is_an_error_and_nothing_is_sent_twice(tasks: TaskCommand, status: int, problem: str) -> None:
    answer = CannedResponse(status, b'{"job_id": "x"}', {"Content-Type": "application/json", "Location": "/other"})
    with serve(lambda _: answer) as server:
        done = tasks("jobs", "create", "--name", "x", METASTUDIO_BASE_URL=server.url)
        assert len(server.received) == 1
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: ")
    assert problem in done.err


def test_help_comes_from_the_contract(tasks: TaskCommand, screen_matches: ScreenMatcher) -> None:
    for name, arguments in {
        "tasks-help": "--help",
        "tasks-jobs-create-help": "jobs create --help",
        "tasks-jobs-delete-help": "jobs delete --help",
        "tasks-live-jobs-help": "live-jobs --help",
        "tasks-jobs-run-command-help": "jobs run-command --help",
        "tasks-agencies-create-help": "agencies create --help",
    }.items():
        shown = tasks(*arguments.split(), COLUMNS="90")
        assert (shown.code, shown.err) == (0, "")
        screen_matches(name, f"$ metastudio {arguments}\n{shown.out}")
    commands = tasks("jobs", "--help").out.partition("Commands:\n")[2].partition("\n\n")[0]
    assert [line.split()[0] for line in commands.splitlines()] == [
        "create", "show", "update", "delete", "run-command", "summary", "watch"
    ]  # fmt: skip
    assert "  show         Show a training task." in commands
    assert "Members that have none: counts, voice_properties." in " ".join(
        tasks("jobs", "create", "--help").out.split()
    )


def test_on_a_terminal_an_item_is_a_grid_and_deleting_asks(tasks: TaskCommand, screen_matches: ScreenMatcher) -> None:
    job = tasks.json("jobs", "create", "--name", "[red]Name[/red]", "--tags", "x")["job_id"]
    tasks.json("jobs", "update", job, "--contact", "a\x1b]0;b")
    with tasks.terminal("jobs", "show", job, columns=60) as terminal:
        assert terminal.end() == 0
    lines = dict(re.findall(r"^(\w+) +(\S.*)$", terminal.text(), re.MULTILINE))
    assert (lines["name"], lines["tags"], lines["contact"]) == ("[red]Name[/red]", "x", r"a\x1b]0;b")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", lines["create_time"])
    assert "‹yellow:WAIT_FILE_UPLOAD›" in terminal.marked()
    for key, code, shown in (("n", 1, "nothing was sent"), ("y", 0, f"{job}: done")):
        with tasks.terminal("jobs", "delete", job) as terminal:
            terminal.until(lambda text: "Delete a training task" in text)
            terminal.type(f"{key}\n")
            assert terminal.end() == code
            assert shown in terminal.text()
    with tasks.terminal("jobs", "delete", job) as terminal:
        terminal.until(lambda text: "[y/N]" in text)
        terminal.interrupt()
        assert terminal.end() == 130


def test_a_file_of_another_kind_is_read_like_a_file(tasks: TaskCommand, tmp_path: Path) -> None:
    """A pipe of the shell, `--body <(...)`, can be read once only."""
    script = """"$0" "$1" "$2" jobs create --body <(echo '{"name": "piped"}')"""
    done = run("-c", script, *tasks.copy.command, env=tasks.env, command=("bash",), cwd=tmp_path)
    assert json.loads(done.out).keys() >= {"job_id"}, done.err


@pytest.mark.parametrize(
    ("operation", "name", "problem"),
    [
        ("show_training_job", "update", "the command jobs update, as the operation on line"),
        ("list_voice_training_job_logs", "voices", "the command voices, as the operation on line"),
        ("show_training_job", "watch", "the command jobs watch, as metastudio itself has"),
        ("list_assets", "curl", "the command curl, as metastudio itself has"),
    ],
)
def test_equal_names_are_refused(tmp_path: Path, operation: str, name: str, problem: str) -> None:
    text, path = TASKS.read_text(encoding="utf-8"), tmp_path / "contract.yaml"
    text = re.sub(
        rf"( +)(operationId: {operation}\n(?: +tags: .*\n)?)(?: +x-cli: .*\n)?", rf"\1\2\1x-cli: {name}\n", text
    )
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ContractError, match=r"^contract.yaml:\d+:\d+: ") as refused:
        check_generator(load(path))
    assert problem in str(refused.value)
    assert "x-cli" in str(refused.value)
