"""API documentation: the contract, local files, and a request sent from a real browser."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from metastudio.contract import check, load
from metastudio.sandbox import Sandbox
from metastudio.sandbox.listing import PACKAGED_CONTRACT

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def test_the_served_contract_names_the_sandbox_as_its_server(
    sandbox: Sandbox, http: httpx.Client, tmp_path: Path
) -> None:
    as_json = http.get(f"{sandbox.url}/openapi.json").json()

    assert [server["url"] for server in as_json["servers"]] == [sandbox.url]
    assert {**as_json, "servers": []} == {**load(PACKAGED_CONTRACT).data, "servers": []}
    served = tmp_path / "served.json"
    served.write_text(json.dumps(as_json), encoding="utf-8")
    check(load(served))


def test_every_file_of_the_page_is_served_locally(sandbox: Sandbox, http: httpx.Client) -> None:
    page = http.get(f"{sandbox.url}/docs")

    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    files = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    assert len(files) == 4
    for file in files:
        response = http.get(f"{sandbox.url}/{file}")
        assert response.status_code == 200, file
        assert len(response.content) > 100


@pytest.mark.parametrize("path", ["/docs/", "/docs/LICENSE", "/docs/none.js", "/docs/../app.py", "/docs/%2e%2e/x.js"])
def test_other_files_are_not_served(sandbox: Sandbox, http: httpx.Client, path: str) -> None:
    assert http.get(sandbox.url + path).status_code == 404


# Clears the example times and requests three jobs. The token is there already.
_TRY = """(async () => {
  const one = css => document.querySelector(css);
  const wait = async css => {
    for (let i = 0; i < 500 && !one(css); i++) await new Promise(done => setTimeout(done, 20));
    if (!one(css)) throw new Error(`${css} is not on the page`);
    return one(css);
  };
  const type = (field, text) => {
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(field, text);
    field.dispatchEvent(new Event("input", {bubbles: true}));
    field.dispatchEvent(new FocusEvent("focusout", {bubbles: true}));  // ends the debounce of the input
  };
  for (const name of ["create_since", "create_until"]) type(await wait(`tr[data-param-name="${name}"] input`), "");
  type(await wait('tr[data-param-name="limit"] input'), "3");
  (await wait(".execute")).click();
  const response = await wait(".live-responses-table .response");
  return {
    status: response.querySelector(".response-col_status").innerText,
    body: response.querySelector(".response-col_description").innerText,
    address: one(".request-url pre").innerText,
    state: one('tr[data-param-name="state"] .parameter__type').innerText,
    hosts: performance.getEntriesByType("resource").map(each => new URL(each.name).origin),
  };
})()"""


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_a_browser_can_send_a_request(sandbox: Sandbox, tmp_path: Path) -> None:
    with browser(f"{sandbox.url}/docs", tmp_path) as run:
        seen = run(_TRY)

    assert seen["status"].startswith("200")
    assert seen["state"] == "array[string]"
    assert '"count": 101' in seen["body"]
    assert '"name": "Name 3"' in seen["body"]
    assert '"name": "Name 4"' not in seen["body"]
    assert seen["address"].startswith(sandbox.url)
    assert "limit=3" in seen["address"]
    assert set(seen["hosts"]) == {sandbox.url}


@contextmanager
def browser(url: str, folder: Path) -> Generator[Callable[[str], Any]]:
    """Start a headless browser, driven through the DevTools pipe. Yields a function that evaluates JavaScript."""
    assert BROWSER is not None
    commands_out, commands = os.pipe()
    responses, responses_in = os.pipe()
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}", "--remote-debugging-pipe"]
    # The browser reads and writes the pipe on file descriptors 3 and 4.
    start = "_, out, into, *run = sys.argv; os.dup2(int(out), 3); os.dup2(int(into), 4); os.execv(run[0], run)"
    program = [sys.executable, "-c", f"import os, sys; {start}", str(commands_out), str(responses_in)]
    with (
        subprocess.Popen(
            [*program, BROWSER, *flags], pass_fds=(commands_out, responses_in), stderr=subprocess.DEVNULL
        ) as process,
        os.fdopen(commands, "wb", buffering=0) as out,
        os.fdopen(responses, "rb", buffering=0) as into,
    ):
        os.close(commands_out)
        os.close(responses_in)
        rest, numbers = b"", itertools.count(1)

        def receive() -> Any:
            nonlocal rest
            while b"\0" not in rest:
                received = into.read(65536)
                assert received, "the browser ended"
                rest += received
            text, _, rest = rest.partition(b"\0")
            return json.loads(text)

        def call(method: str, **others: Any) -> Any:
            number = next(numbers)
            out.write(json.dumps({"id": number, "method": method, **others}).encode() + b"\0")
            while (response := receive()).get("id") != number:
                pass
            assert "error" not in response, response
            return response["result"]

        page = call("Target.createTarget", params={"url": "about:blank"})["targetId"]
        session = call("Target.attachToTarget", params={"targetId": page, "flatten": True})["sessionId"]
        call("Page.enable", sessionId=session)
        call("Page.navigate", params={"url": url}, sessionId=session)
        while receive().get("method") != "Page.loadEventFired":
            pass

        def run(script: str) -> Any:
            options = {"expression": script, "awaitPromise": True, "returnByValue": True}
            result = call("Runtime.evaluate", params=options, sessionId=session)
            assert "exceptionDetails" not in result, result
            return result["result"].get("value")

        try:
            yield run
        finally:
            call("Browser.close")
            process.wait(10)
