"""A hostile server controls no terminal: none of its colours, titles, links and direction marks gets there."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cli_runs import PseudoTerminal
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio.cli.output import to_json
from metastudio.tester import Credentials, prove
from metastudio.tester.reports import as_json, html, junit, terminal
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TITLE, BLINK, C1_BLINK = "\x1b]0;owned\x07", "\x1b[5;35m", "\x9b5m"
LINK, REVERSED = "\x1b]8;;http://evil.invalid\x1b\\", "\u202e\u2066"
ATTACK = f"a{TITLE}b{BLINK}c{C1_BLINK}d{LINK}e{REVERSED}f\x85\u2028g"
FORBIDDEN = ("\x1b]", "\x07", "\x1b[5", "\x9b", "\x85", "\u202e", "\u2066", "\u2028")
KEYS = {"HUAWEICLOUD_SDK_AK": "AKAKAKAK", "HUAWEICLOUD_SDK_SK": "SKSKSKSK", "HUAWEICLOUD_SDK_PROJECT_ID": "p"}
JSON = {"Content-Type": "application/json"}


def hostile_item(identity: str = "1") -> dict[str, Any]:
    times = {"create_time": ATTACK, "last_update_time": ATTACK}
    return {"job_id": identity, "name": ATTACK, "state": ATTACK, "project_id": ATTACK, "tags": [ATTACK], **times}


def hostile_page(request: ReceivedRequest) -> CannedResponse:
    jobs = [hostile_item(ATTACK)] if "offset=0" in request.target or "offset" not in request.target else []
    text = json.dumps({"count": 1, "jobs": jobs}, ensure_ascii="curl" not in request.target)
    return CannedResponse(body=text.encode(), headers=JSON)


def hostile_error(_: ReceivedRequest) -> CannedResponse:
    body = json.dumps({"error_code": ATTACK, "error_msg": ATTACK, "request_id": ATTACK}).encode()
    return CannedResponse(400, body, {**JSON, "X-Request-Id": "id \x9b5m"})


def shown(
    handler: Callable[[ReceivedRequest], CannedResponse], *arguments: str, env: Mapping[str, str] | None = None
) -> str:
    """Run a command on a terminal. Return the bytes that reached it, as text."""
    with (
        serve(handler) as server,
        PseudoTerminal(*arguments, env={**KEYS, "METASTUDIO_BASE_URL": server.url, **(env or {})}) as screen,
    ):
        screen.end()
        assert server.received
        return screen.raw.decode()


def controls_in(text: str) -> list[str]:
    return [each for each in FORBIDDEN if each in text]


@pytest.mark.parametrize(
    "arguments",
    [
        "jobs -o table",
        "jobs -o csv",
        "jobs -o jsonl",
        "jobs summary",
        "curl -i /curl",
    ],
)
def test_items_control_no_terminal(arguments: str) -> None:
    text = shown(hostile_page, *arguments.split(" "))
    assert re.search(r"a.*b.*c.*d.*e.*f", text)
    assert controls_in(text) == []


def test_the_live_view_controls_no_terminal() -> None:
    body = json.dumps({"count": 1, "jobs": [hostile_item()]}).encode()
    page = CannedResponse(body=body, headers=JSON)
    text = shown(lambda _: page, "watch", "1", "--timeout", "0.3")
    assert "timed out" in text
    assert controls_in(text) == []


@pytest.mark.parametrize("arguments", ["jobs", "--debug jobs"])
def test_errors_control_no_terminal_and_forge_no_line(arguments: str) -> None:
    text = shown(hostile_error, *arguments.split(" "), env={"METASTUDIO_LOG": "debug"})
    assert "HTTP 400" in text
    assert controls_in(text) == []
    assert not re.search(r"^\s*g", text, re.MULTILINE)


def test_items_in_a_pipe_are_json_without_controls() -> None:
    text = to_json({"name": ATTACK + "\ud800"})
    assert json.loads(text) == {"name": ATTACK + "\ud800"}
    assert text.isprintable()


def test_reports_of_the_tester_have_no_controls() -> None:
    """The list repeats an item whose ID is hostile, so the evidence quotes it."""
    item = {**hostile_item(ATTACK + "\ud800"), "project_id": "p1", "create_time": "2024-01-01T00:00:00Z"}
    body = json.dumps({"count": 2, "jobs": [item, item]}).encode()
    with serve(lambda _: CannedResponse(body=body, headers=JSON)) as server:
        report = prove(server.url, project_id="p1", keys=Credentials("AKAKAKAK", "SKSKSKSK"), only=("identity",))
    assert "more than once" in report["meaning/identity"].evidence[0].seen
    screen = io.StringIO()
    terminal(report, verbose=True, console=Console(file=screen, force_terminal=True, color_system=None))
    for text in (screen.getvalue(), as_json(report), html(report), junit(report)):
        text.encode()
        assert controls_in(text) == []


def test_a_refusal_of_the_tester_controls_no_terminal() -> None:
    text = shown(hostile_error, "contract-test", "--only", "meaning")
    assert "400" in text
    assert controls_in(text) == []


def test_an_ipv6_address_is_a_title_of_the_report() -> None:
    body = json.dumps({"count": 0, "jobs": []}).encode()
    with serve(lambda _: CannedResponse(body=body, headers=JSON)) as server:
        report = prove(server.url, project_id="p1", keys=Credentials("AKAKAKAK", "SKSKSKSK"), only=("total",))
    screen = io.StringIO()
    url = "http://[fe80::1:face:cafe]:8080"
    terminal(replace(report, target=url, contract="[red]:smile:.yaml"), console=Console(file=screen, width=100))
    assert f"{url} against [red]:smile:.yaml" in screen.getvalue()
