"""Every kind of operation follows from the contract alone: typed methods, checked bodies, find and wait, retries.

In a copy of the repository, tests/contract/tasks.yaml replaces openapi.yaml.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from pathlib import Path

import pytest
from generator_limits import check_generator
from metastudio.contract import ContractError, Document, check, load
from repository import ROOT, Repository

TASKS = ROOT / "tests" / "contract" / "tasks.yaml"

USE = """
from datetime import datetime
from typing import assert_type
from metastudio import AsyncMetaStudio, MetaStudio
from metastudio_client import models

async def use(studio: MetaStudio, other: AsyncMetaStudio) -> None:
    jobs = studio.training_jobs
    assert_type(jobs.list(limit=1), models.TrainingJobPage)
    assert_type(jobs.create({"name": "a"}), models.TrainingJobUploads)
    assert_type(jobs.create(models.NewTrainingJob(name="a")), models.TrainingJobUploads)
    assert_type(jobs.show("j"), models.TrainingJobDetails)
    assert_type(jobs.update("j", {"name": "b"}, retry=True), models.TrainingJobUploads)
    jobs.delete("j")
    assert_type(await other.training_jobs.run_command("j", {"command": "CONFIRM_ACCEPT"}), models.CommandResult)
    assert_type(studio.voice_training_jobs.find("v"), models.VoiceJobDetails | None)
    assert_type(studio.voice_training_jobs.wait("v", timeout=1), models.VoiceJobDetails)
    for entry in studio.voice_training_jobs.iterate_logs("v"):
        assert_type(entry.time, int)
    since = datetime.fromisoformat("2026-01-01T00:00:00Z")
    assert_type(studio.voice_training_jobs.list(create_since=since), models.VoiceJobPage)
    assert_type(studio.voice_training_jobs.list(create_since=1).jobs[0].create_time, int)
    assert_type(studio.assets.find("a"), models.Asset | None)
    studio.assets.delete("a", mode="RECYCLE")
    studio.live_jobs.stop("room", "job")
    assert_type(studio.agencies.create("CBS"), models.Agency)
    assert_type(studio.files.show_download(), models.Download)
    studio.live_platforms.list(tier=1, port=[443])
    studio.live_platforms.list(tier=models.ListLivePlatformsTier.VALUE_2)
    jobs.create(models.NewTrainingJob(name="a", priority=models.Priority.VALUE_1))
    assert_type(jobs.show("j").request_id, str | None)
"""

CALLS = """
import asyncio
import inspect
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from datetime import datetime, timezone
from operator import attrgetter

from metastudio import AsyncMetaStudio, Credentials, ListLivePlatformsTier, MetaStudio, errors

requests, answers = [], []


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        requests.append((self.command, self.path.partition("/p/")[2] or self.path, body.decode()))
        status, text = answers.pop(0)
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *arguments):
        pass


def call(name, *arguments, answer=(), sent=None, error="", **more):
    "Call a method of the blocking client and its twin of the async one. Both give the same result or error."
    results = []
    for client in (studio, other):
        requests.clear()
        answers[:] = answer
        try:
            result = attrgetter(name)(client)(*arguments, **more)
            result = runner.run(finished(result)) if client is other else list_of(result)
        except (TypeError, ValueError, errors.MetaStudioError) as failure:
            assert error and error in f"{type(failure).__name__}: {failure}", (error, failure)
            result = None
        else:
            assert not error, result
        assert not answers and len(requests) == len(answer), requests
        assert sent is None or requests[-1] == sent, requests
        results.append(result)
    assert results[0] == results[1], results
    return results[0]


def list_of(result):
    return list(result) if inspect.isgenerator(result) else result


async def finished(result):
    return [item async for item in result] if inspect.isasyncgen(result) else await result


server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
threading.Thread(target=server.serve_forever, daemon=True).start()
settings = {"base_url": f"http://127.0.0.1:{server.server_port}", "credentials": Credentials("A" * 20, "S" * 40)}
runner = asyncio.Runner()
studio, other = MetaStudio(project_id="p", **settings), AsyncMetaStudio(project_id="p", **settings)
jobs, jobs_path = "training_jobs.", "digital-human-training-manage/user/jobs"
made = (201, '{"job_id": "x"}')
assert call(jobs + "create", {"name": "a"}, answer=[made], sent=("POST", jobs_path, '{"name":"a"}')).job_id == "x"
for body, problem in (
    ({}, "body.name is missing"),
    ({"name": "a", "batch_nam": "b"}, "did you mean batch_name"),
    ({"name": 3}, "body.name must be a string"),
    ({"name": "a", "tags": ["b", 1]}, "body.tags[1] must be a string"),
    ({"name": "a", "voice_properties": {"sex": "X", "job_tag": "NEWS", "language": "CN"}}, "voice_properties.sex"),
    ({"name": "a", "priority": 3}, "body.priority must be one of 1, 2, not 3"),
    ({"name": "a", "counts": {"b": "c"}}, "body.counts.b must be a whole number"),
    (["a"], "body must be a model or a dict"),
    (None, "needs the argument body"),
):
    call(jobs + "create", body, error=problem)
full = {"name": "a", "priority": 1, "counts": {"b": 2}}
call(jobs + "create", full, answer=[made], sent=("POST", jobs_path, json.dumps(full, separators=(",", ":"))))
call(jobs + "create", {"name": "a"}, answer=[(200, "{}")], error="declares only status 201")
call(jobs + "create", {"name": "a"}, answer=[(503, "{}")], error="ServerError")
call(jobs + "create", {"name": "a"}, answer=[(429, "{}"), made])
changed = (200, '{"job_id": "x"}')
call(jobs + "update", "x", {"name": "b"}, answer=[changed], sent=("PUT", jobs_path + "/x", '{"name":"b"}'))
call(jobs + "run_command", "x", {"command": "CONFIRM_ACCEPT"}, answer=[(200, "{}")])
call(jobs + "run_command", "x", {"command": "NO"}, error="body.command must be one of")
call(jobs + "delete", "x", answer=[(204, "")], sent=("DELETE", jobs_path + "/x", ""))
call(jobs + "delete", "x", answer=[(503, "{}")], error="ServerError")
call(jobs + "delete", "x", answer=[(503, "{}"), (204, "")], retry=True)
call(jobs + "delete", "x/y", error="to fit into a URL")
voices = "voice_training_jobs."
for wrong in ("<html>", "[]"):
    call(voices + "show", "v", answer=[(200, wrong)], error="ResponseFormatError")
call(voices + "delete", "v", answer=[(200, "")])
voice = '{"job_id": "v", "voice_name": "n", "state": "SUCCEED", "create_time": 1500}'
assert call(voices + "find", "v", answer=[(404, "{}")]) is None
ended = call(voices + "wait", "v", answer=[(200, voice)], timeout=5)
assert (ended.voice_name, ended.settled, ended.outcome) == ("n", True, "success")
assert ended.create_time == 1500 and ended.to_record()["create_time"].isoformat() == "1970-01-01T00:00:01.500000+00:00"
since = datetime(1970, 1, 2, tzinfo=timezone.utc)
for value in (since, 86_400_000):
    call(voices + "list", create_since=value, answer=[(200, '{"count": 0, "jobs": []}')])
    assert requests[0][1].endswith("?create_since=86400000"), requests
call(voices + "list", create_since=since.replace(tzinfo=None), error="without a time zone")
asset = '{"asset_id": "a", "project_id": "p", "asset_state": "ACTIVED", "meta": {"is_movable": true}}'
found = call("assets.find", "a", answer=[(200, '{"count": 1, "assets": [' + asset + ']}')])
assert found.meta.is_movable and "asset_id=a&" in requests[0][1]
call("assets.delete", "a", error="required keyword-only argument: 'mode'")
call("assets.delete", "a", mode="RECYCLE", answer=[(204, "")])
for accepted in (200, 202):
    call("live_jobs.stop", "r", "j", answer=[(accepted, "")])
platforms, no_platforms = "live_platforms.list", (200, '{"live_platforms": []}')
for tier in (2, ListLivePlatformsTier.VALUE_2):
    call(platforms, tier=tier, port=[80, 443], answer=[no_platforms])
    assert requests[0][1].endswith("?port=443&port=80&tier=2"), requests
call(platforms, tier=3, error="tier must be one of 1, 2, not 3")
call(platforms, tier="1", error="tier must be a number, not '1'")
call(platforms, port=["x"], error="each of port must be a number, not 'x'")
call(platforms, port=[0], error="each of port must be 1 or more, not 0")
call("assets.list", state=["GONE"], error="state may hold 'CREATING'")
call("agencies.create", "CBS", answer=[(201, '{"agency_id": "a"}')], sent=("POST", "digital-human-chat/agency/CBS", ""))
call("agencies.create", "OTHER", error="must be one of 'CBS', 'SIS'")
logs = '{"count": 2, "operations": [{"time": 1, "action": "x"}, {"time": 1, "action": "x"}]}'
assert len(call(voices + "iterate_logs", "v", answer=[(200, logs)])) == 2
studio.close()
runner.run(other.aclose())
studio, other = MetaStudio(**settings), AsyncMetaStudio(**settings)
call("files.show_download", answer=[(200, '{"download_url": "u"}')])
studio.close()
runner.run(other.aclose())
runner.close()
server.shutdown()
server.server_close()
"""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A copy whose client is generated from tasks.yaml."""
    return Repository.generated_from(TASKS, tmp_path_factory.mktemp("tasks"))


@pytest.mark.parametrize(
    "checker",
    [
        pytest.param(("mypy", "--strict", "--cache-dir", "mypy-cache"), id="mypy"),
        # 16 s of CPU time, most of it for the packages that scripts/lint has read already.
        pytest.param(("pyright", "--pythonpath", sys.executable), id="pyright", marks=pytest.mark.slow),
    ],
)
def test_type_checkers_know_every_method(tasks: Repository, checker: tuple[str, ...]) -> None:
    if checker[0] == "pyright" and shutil.which("node") is None:
        pytest.skip("pyright needs Node.js")
    (tasks.root / "use.py").write_text(textwrap.dedent(USE), encoding="utf-8")
    done = tasks.run(sys.executable, "-m", *checker, "use.py", "generated")
    assert done.returncode == 0, done.stdout


def test_every_kind_is_called_checked_and_never_repeated_blindly(tasks: Repository) -> None:
    done = tasks.run(sys.executable, "-W", "error", "-c", CALLS)
    assert done.returncode == 0, done.stdout + done.stderr


def check_all(document: Document) -> None:
    check(document)
    check_generator(document)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("type: integer, minimum: 0, maximum: 100000", "type: interger, minimum: 0", "did you mean integer?"),
        ("operationId: show_training_job\n", "operationId: list_training_job\n", "training_jobs.list"),
        ("allowed_in: [WAIT_FILE_UPLOAD,", "allowed_in: [WAIT_FILE_UPLAOD,", "did you mean WAIT_FILE_UPLOAD?"),
        ("property: /command\n", "property: /comand\n", "the request body has no property /comand"),
        (
            "in: query\n          required: true\n",
            "in: query\n          style: deepObject\n",
            "deepObject is not supported",
        ),
        ("schema: {type: array, items: {type: integer, minimum: 1}}", "schema: {type: object}", "port is an object"),
        ("items: {type: integer, minimum: 1}", "items: {type: array, items: {type: string}}", "array of arrays"),
        (
            "is_flexus: {description: Whether the model is a Flexus model., type: boolean}",
            "is_flexus: {type: string, format: binary}",
            "format binary is not supported",
        ),
        (
            "description: The command.\n        content:\n          application/json:",
            "description: The command.\n        content:\n          multipart/form-data:",
            "multipart/form-data is not supported",
        ),
        (
            "            $ref: '#/components/schemas/VoiceJobLog'\n",
            "            $ref: '#/components/schemas/Text'\n",
            "/operations holds no objects: a list of scalars is not supported",
        ),
        ("        identity: /asset_id\n", "", "delete_asset names an item of this list; add its identity"),
        ("- name: mode\n", "- name: retry\n", "retry is a name that the generated code uses itself"),
        (
            """              schema:
                $ref: '#/components/schemas/Download'
""",
            "              schema: {type: object, properties: {download_url: {type: string}}}\n",
            "a response that is an object needs a name",
        ),
        (
            "    Priority: {type: integer",
            "    new-training-job: {type: object}\n    Priority: {type: integer",
            "class NewTrainingJob",
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, old: str, new: str, problem: str) -> None:
    text = TASKS.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path = tmp_path / "contract.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    document = load(path)
    with pytest.raises(ContractError, match=r"^contract.yaml:\d+:\d+: ") as refused:
        check_all(document)
    assert problem in str(refused.value).splitlines()[0]
