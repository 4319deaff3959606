"""Files with server text: no formula, no lone surrogate that stops the command, no link that redirects the output."""

from __future__ import annotations

import csv
import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from cli_runs import run
from loopback import CannedResponse, serve
from metastudio.cli.output import destination

KEYS = {"HUAWEICLOUD_SDK_AK": "AKAKAKAK", "HUAWEICLOUD_SDK_SK": "SKSKSKSK", "HUAWEICLOUD_SDK_PROJECT_ID": "p"}
JSON = {"Content-Type": "application/json"}

FORMULAS = {
    " =1": "' =1",
    "\u00a0\u3000=1": "'\u00a0\u3000=1",
    "\n=1": "'\n'=1",
    "a\n=1": "a\n'=1",
    "a\r\n@x": "a\r\n'@x",
    "a; =1": "a;' =1",
    "a;b;+x": "a;b;'+x",
    "＝1": "'＝1",
    "＋x": "'＋x",
    "－x": "'－x",
    "＠x": "'＠x",
    "-5": "-5",
    "a;-5": "a;-5",
    " -5 ": " -5 ",
    "a=b; c-d": "a=b; c-d",
    "a\n\nb": "a\n\nb",
}


def page(*names: Any) -> CannedResponse:
    jobs = [
        {"job_id": str(n), "name": name, "state": "S", "project_id": "p", "create_time": "2023-12-08T08:30:56Z"}
        for n, name in enumerate(names)
    ]
    return CannedResponse(body=json.dumps({"count": len(jobs), "jobs": jobs}).encode(), headers=JSON)


def test_formulas_in_csv(tmp_path: Path) -> None:
    with serve(lambda _: page(*FORMULAS)) as server:
        settings = {**KEYS, "METASTUDIO_BASE_URL": server.url}
        assert run("jobs", "-c", "name", "--out", tmp_path / "jobs.csv", env=settings).code == 0
    with (tmp_path / "jobs.csv").open(newline="", encoding="utf-8") as stream:
        shown = [row[0] for row in csv.reader(stream)][1:]
    assert dict(zip(FORMULAS, shown, strict=True)) == FORMULAS


@pytest.mark.parametrize("ending", ["csv", "json", "jsonl", "table"])
def test_a_lone_surrogate_is_written_escaped(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"jobs.{ending}"
    with serve(lambda _: page("a\ud800b")) as server:
        done = run("jobs", "--out", file, env={**KEYS, "METASTUDIO_BASE_URL": server.url})
    assert (done.code, done.err) == (0, "")
    text = file.read_text(encoding="utf-8")
    assert r"a\ud800b" in text
    if ending == "json":
        assert json.loads(text)[0]["name"] == "a\ud800b"


def test_a_replaced_file_keeps_its_mode_and_a_new_one_has_that_of_the_umask(tmp_path: Path) -> None:
    file, new = tmp_path / "jobs.csv", tmp_path / "new.csv"
    file.touch()
    file.chmod(0o640)
    umask = os.umask(0o027)
    try:
        for path in (file, new):
            with destination(path, force=True) as stream:
                stream.write("x")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert stat.S_IMODE(new.stat().st_mode) == 0o640
    file.chmod(0o600)
    with destination(file, force=True) as stream:
        stream.write("y")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_no_link_redirects_the_output(tmp_path: Path) -> None:
    """Another user of the folder cannot predict the name of the temporary file, and it is never opened if it exists."""
    victim, links = tmp_path / "victim", tmp_path / "links"
    victim.write_text("unchanged")
    links.mkdir()
    names = []
    for _ in range(2):
        with destination(links / "jobs.csv", force=True):
            names += [path.name for path in links.iterdir() if path.name != "jobs.csv"]
    assert len(set(names)) == 2
    assert not [name for name in names if str(os.getpid()) in name.split(".")]


def test_an_existing_temporary_file_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from metastudio.cli.errors import CommandError

    victim = tmp_path / "victim"
    victim.write_text("unchanged")
    monkeypatch.setattr("secrets.token_hex", lambda _: "0")
    (tmp_path / ".0.part").symlink_to(victim)
    with pytest.raises(CommandError, match="cannot write"), destination(tmp_path / "jobs.csv", force=True):
        raise AssertionError("the file was opened")
    assert victim.read_text() == "unchanged"


def test_a_named_pipe_gets_the_output(tmp_path: Path) -> None:
    pipe, received = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: received.append(pipe.read_text()))
    reader.start()
    with destination(pipe, force=False) as stream:
        stream.write("x")
    reader.join(5)
    assert received == ["x"]
