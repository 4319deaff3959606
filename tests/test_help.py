"""Help where it is looked for: `inspect.signature`, `help()` and what an editor shows while somebody types."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, assert_type

import metastudio
import pytest
from metastudio import AsyncMetaStudio, Credentials, MetaStudio, TrainingJobBasicInfo, TrainingJobState, connect
from metastudio_client.api.training_jobs import AsyncTrainingJobs, TrainingJobs, list_training_jobs
from metastudio_client.client import Client
from metastudio_client.contract import LIST_TRAINING_JOBS

ROOT = Path(__file__).parents[1]
FILTERS = set(LIST_TRAINING_JOBS.by_python_name) - {"project_id"}


def documented(text: str | None) -> set[str]:
    """The parameters in the section Args of a docstring."""
    section = re.search(r"^Args:\n((?:    .*\n|\n)*)", inspect.cleandoc(text or "") + "\n", re.MULTILINE)
    assert section, text
    return set(re.findall(r"^    (\w+): \S", section[1], re.MULTILINE))


def keywords(function: Callable[..., Any]) -> set[str]:
    return {name for name in inspect.signature(function).parameters if name not in ("self", "_unknown")}


@pytest.mark.parametrize("resource", [TrainingJobs, AsyncTrainingJobs])
def test_every_keyword_of_a_method_is_shown_with_its_text(resource: Any) -> None:
    assert keywords(resource.list) == FILTERS
    assert keywords(resource.iterate) > FILTERS - {"offset", "limit"}
    for name in ("list", "iterate", "iterate_pages", "wait"):
        method = getattr(resource, name)
        assert keywords(method) == documented(method.__doc__), name


@pytest.mark.parametrize("client", [MetaStudio, AsyncMetaStudio])
def test_every_option_of_a_client_is_shown_with_its_text(client: Any) -> None:
    assert {"region", "timeout", "proxy", "event_hooks"} < keywords(client) == documented(client.__init__.__doc__)
    assert keywords(client.with_options) == documented(client.with_options.__doc__)
    assert keywords(connect) == keywords(client)
    assert inspect.signature(connect).return_annotation == "Client"


def test_generated_functions_have_the_text_of_each_parameter() -> None:
    shown = " ".join((list_training_jobs.sync.__doc__ or "").split())
    for parameter in LIST_TRAINING_JOBS.parameters.values():
        assert f"): {parameter.description}" in shown, parameter.name


def test_type_checkers_know_what_is_given_and_returned() -> None:
    """Checked by scripts/lint; nothing is sent."""

    def use(studio: MetaStudio, some: list[str], known: list[TrainingJobState]) -> None:
        jobs = studio.training_jobs
        assert_type(list(jobs.list(state=["TRAINING"])), list[TrainingJobBasicInfo])
        for state in (some, known, ["NEWER", TrainingJobState.TRAINING], ("TRAINING",), {"TRAINING"}):
            jobs.list(state=state, create_since=datetime.now(UTC))
        jobs.list(sort_dir="desc", model_resolution="4K")
        jobs.list(sort_dir="sideways")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        jobs.list(state="TRAINING")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        jobs.list(stat=["TRAINING"])  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        jobs.iterate(limit=5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        assert_type(studio.with_options(timeout=1), MetaStudio)
        assert_type(connect(region="cn-north-4", credentials=Credentials("A", "S")), Client)
        MetaStudio(reigon="cn-north-4")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        connect(reigon="cn-north-4")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]

    assert callable(use)


def test_help_of_the_package_names_what_it_has() -> None:
    for name in metastudio.__all__:
        assert getattr(metastudio, name).__doc__, name


class LanguageServer:
    """pyright, asked as an editor asks it."""

    def __init__(self) -> None:
        command = [str(Path(sys.executable).with_name("pyright-langserver")), "--stdio"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._calls = 0

    def send(self, **message: Any) -> None:
        assert self._process.stdin
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def call(self, method: str, **parameters: Any) -> Any:
        assert self._process.stdout
        self._calls += 1
        self.send(id=self._calls, method=method, params=parameters)
        while True:
            length = 0
            while header := self._process.stdout.readline().strip():
                length = int(header.split()[1]) if header.startswith(b"Content-Length") else length
            message = json.loads(self._process.stdout.read(length))
            if "method" in message and "id" in message:
                self.send(id=message["id"], result=None)
            elif message.get("id") == self._calls:
                return message.get("result")

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.mark.slow
def test_an_editor_offers_the_known_states_and_the_keywords() -> None:
    server = LanguageServer()
    try:
        folder = {"uri": ROOT.as_uri(), "name": "metastudio"}
        server.call("initialize", processId=None, rootUri=ROOT.as_uri(), capabilities={}, workspaceFolders=[folder])
        server.send(method="initialized", params={})
        line = 'metastudio.MetaStudio().training_jobs.list(state=[""])'
        document = {"uri": (ROOT / "tests" / "typed.py").as_uri(), "languageId": "python", "version": 1}
        bare = "metastudio.MetaStudio().training_jobs.list()"
        text = f"import metastudio\n{line}\n{bare}\n"
        server.send(method="textDocument/didOpen", params={"textDocument": {**document, "text": text}})

        def offered(row: int, column: int) -> set[str]:
            found = server.call(
                "textDocument/completion", textDocument=document, position={"line": row, "character": column}
            )
            return {item["label"] for item in (found if isinstance(found, list) else found["items"])}

        assert {f'"{state}"' for state in LIST_TRAINING_JOBS.states} <= offered(1, line.index('"') + 1)
        names = offered(2, len(bare) - 1)
        assert {f"{name}=" for name in FILTERS} <= names
        assert "_unknown=" not in names
    finally:
        server.close()
