"""Access follows `securitySchemes`: bearer, basic, and apiKey in header, query or cookie, or none."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from cli_runs import run
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio.errors import ConfigurationError
from metastudio.tester import Report, Verdict, prove
from metastudio.tester.access import Login
from metastudio.tester.reports import as_json, html

TOKEN, EXPIRED, OTHER = "T0ken/mine+x=", "T0ken/gone+x=", "T0ken/else+y="
LOGIN = Login("someone", "pa$$ w0rd")
ENVIRONMENT = {
    "METASTUDIO_TOKEN": TOKEN, "METASTUDIO_EXPIRED_TOKEN": EXPIRED, "METASTUDIO_USER": LOGIN.user,
    "METASTUDIO_PASSWORD": LOGIN.password,
}  # fmt: skip


def header(name: str) -> Callable[[ReceivedRequest], str]:
    return lambda request: request.header(name) or ""


def query(request: ReceivedRequest) -> str:
    return parse_qs(urlsplit(request.target).query).get("key", [""])[0]


def cookie(request: ReceivedRequest) -> str:
    return (request.header("cookie") or "").partition("session=")[2]


@dataclass(frozen=True)
class Access:
    """A scheme: its declaration, how a server reads the credentials, and the right ones."""

    declared: dict[str, str]
    read: Callable[[ReceivedRequest], str]
    right: str
    word: str = ""

    def accepts(self, request: ReceivedRequest) -> bool:
        return self.read(request) == self.right


BASIC = f"Basic {base64.b64encode(':'.join(LOGIN).encode()).decode()}"
SCHEMES = {
    "bearer": Access({"type": "http", "scheme": "bearer"}, header("authorization"), f"Bearer {TOKEN}", "Bearer"),
    "oauth2": Access({"type": "oauth2"}, header("authorization"), f"Bearer {TOKEN}", "Bearer"),
    "basic": Access({"type": "http", "scheme": "basic"}, header("authorization"), BASIC, "Basic"),
    "header": Access({"type": "apiKey", "in": "header", "name": "X-Key"}, header("x-key"), TOKEN),
    "query": Access({"type": "apiKey", "in": "query", "name": "key"}, query, TOKEN),
    "cookie": Access({"type": "apiKey", "in": "cookie", "name": "session"}, cookie, TOKEN),
}
each_scheme = pytest.mark.parametrize("access", SCHEMES.values(), ids=SCHEMES)


def contract(folder: Path, declared: Any, path: str = "/things") -> Path:
    """Write a contract whose only operation needs the scheme `key`, or no credentials."""
    if declared is not None and declared.get("type") == "oauth2":
        flow = {"tokenUrl": "https://example.com/token", "scopes": {}}
        declared = {**declared, "flows": {"clientCredentials": flow}}
    things = {"type": "object", "required": ["things"], "properties": {"things": {"type": "array", "items": {}}}}
    answer = {"description": "Things.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}
    operation: dict[str, Any] = {
        "operationId": "list_things", "tags": ["things"],
        "responses": {"200": answer, "401": {"description": "Refused."}, "404": {"description": "None."}},
    }  # fmt: skip
    components: dict[str, Any] = {"schemas": {"A": things}}
    if declared is not None:
        operation["security"], components["securitySchemes"] = [{"key": []}], {"key": declared}
    if "{" in path:
        parameter = {"name": "project_id", "in": "path", "required": True, "schema": {"type": "string"}}
        operation["parameters"] = [parameter]
    info = {"title": "Things", "version": "1"}
    data = {"openapi": "3.0.3", "info": info, "paths": {path: {"get": operation}}, "components": components}
    file = folder / "things.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    return file


def answering(accepts: Callable[[ReceivedRequest], bool]) -> Callable[[ReceivedRequest], CannedResponse]:
    def answer(request: ReceivedRequest) -> CannedResponse:
        body = {"things": [1]} if accepts(request) else {"error": "refused"}
        return CannedResponse(200 if accepts(request) else 401, json.dumps(body).encode())

    return answer


def proven(accepts: Callable[[ReceivedRequest], bool], spec: Path, **options: Any) -> Report:
    given: dict[str, Any] = {"token": TOKEN, "login": LOGIN, "expired_token": EXPIRED, "only": ("auth",), **options}
    with serve(answering(accepts)) as server:
        return prove(server.url, spec=spec, **given)


def broken(report: Report) -> set[str]:
    assert report.failure is None, report.failure
    return {each.property.id.partition(".")[2] or each.property.id for each in report.breaches}


@each_scheme
def test_conforming_server_passes(access: Access, tmp_path: Path) -> None:
    report = proven(access.accepts, contract(tmp_path, access.declared))
    assert not broken(report)
    assert report.exit_code == 0
    passed = {each.property.id.partition(".")[2] for each in report.having(Verdict.PASS)}
    assert passed >= {"right", "malformed", "made-up", "empty"}
    assert passed & {"expired", "wrong-password"}
    assert {each.property.suite for each in report.results} == {"shapes", "auth"}


@each_scheme
def test_server_that_accepts_everything_is_broken(access: Access, tmp_path: Path) -> None:
    found = broken(proven(lambda _: True, contract(tmp_path, access.declared)))
    assert found >= {"none", "malformed", "made-up", "empty"}
    assert "right" not in found


@each_scheme
def test_server_that_looks_only_for_the_presence_is_broken(access: Access, tmp_path: Path) -> None:
    def accepts(request: ReceivedRequest) -> bool:
        found = access.read(request)
        return found.startswith(access.word) and len(found) > len(access.word) + 1

    found = broken(proven(accepts, contract(tmp_path, access.declared)))
    assert found >= {"made-up", "malformed"}
    assert not found & {"none", "empty", "right"}


def test_faults_of_one_kind(tmp_path: Path) -> None:
    bearer, basic = SCHEMES["bearer"], SCHEMES["basic"]
    spec = contract(tmp_path, bearer.declared)
    valid = (bearer.right, f"Bearer {EXPIRED}")
    assert broken(proven(lambda request: bearer.read(request) in valid, spec)) == {"expired"}
    assert "changed" in broken(proven(lambda request: bearer.read(request)[:13] == bearer.right[:13], spec))
    spec = contract(tmp_path, basic.declared)

    def knows_user(request: ReceivedRequest) -> bool:
        try:
            return base64.b64decode(basic.read(request)[6:]).decode().startswith(f"{LOGIN.user}:")
        except ValueError:
            return False

    assert broken(proven(knows_user, spec)) == {"wrong-password"}


def test_second_caller(tmp_path: Path) -> None:
    """With a project in the path each caller is refused in that of the other; without one both are accepted."""
    owners = {f"Bearer {TOKEN}": "/v1/p1/things", f"Bearer {OTHER}": "/v1/p2/things"}
    spec = contract(tmp_path, SCHEMES["bearer"].declared, "/v1/{project_id}/things")
    second: dict[str, Any] = {"project_id": "p1", "other_token": OTHER, "other_project_id": "p2"}

    def own(request: ReceivedRequest) -> bool:
        return owners.get(request.header("authorization") or "") == request.target

    report = proven(own, spec, **second)
    assert not broken(report)
    assert report["auth/token.visitor"].verdict is Verdict.PASS
    assert broken(proven(lambda r: r.header("authorization") in owners, spec, **second)) == {"visitor", "foreign-path"}
    with pytest.raises(ConfigurationError, match="needs its own project"):
        proven(own, spec, project_id="p1", other_token=OTHER)
    with pytest.raises(ConfigurationError, match="no project ID"):
        proven(own, spec)
    spec = contract(tmp_path, SCHEMES["bearer"].declared)
    report = proven(lambda request: request.header("authorization") in owners, spec, other_token=OTHER)
    assert report["auth/token.other-caller"].verdict is Verdict.PASS


def test_token_that_begins_with_the_word_is_sent_as_it_is(tmp_path: Path) -> None:
    access, seen = SCHEMES["bearer"], list[str]()

    def accepts(request: ReceivedRequest) -> bool:
        seen.append(request.header("authorization") or "")
        return seen[-1] == access.right

    assert not broken(proven(accepts, contract(tmp_path, access.declared), token=f"Bearer {TOKEN}"))
    assert not [value for value in seen if value.startswith("Bearer Bearer")]


def test_contract_without_security_sends_no_credentials(tmp_path: Path) -> None:
    sent: list[str | None] = []

    def accepts(request: ReceivedRequest) -> bool:
        sent.append(request.header("authorization") or request.header("x-auth-token"))
        return True

    report = proven(accepts, contract(tmp_path, None), only=("status",), max_examples=1)
    assert report.exit_code == 0
    assert set(sent) == {None}


def test_unknown_scheme_is_said(tmp_path: Path) -> None:
    digest = {"type": "http", "scheme": "digest"}
    report = proven(lambda _: True, contract(tmp_path, digest), only=("status", "auth"), max_examples=1)
    assert "list_things: security scheme key cannot be tested" in report.notes


@each_scheme
def test_reports_contain_no_credentials(access: Access, tmp_path: Path) -> None:
    """The server puts the credentials into its refusals, and into a header of every response."""

    def answer(request: ReceivedRequest) -> CannedResponse:
        said = f"{request.target} {request.headers} {TOKEN} {BASIC} {LOGIN.password}"
        if access.read(request) == access.right:
            return CannedResponse(200, json.dumps({"thing": said}).encode(), {"X-Echo": said.replace("\n", " ")})
        return CannedResponse(409, f"Traceback (most recent call last): {said}".encode())

    options: dict[str, Any] = {"token": TOKEN, "login": LOGIN, "max_examples": 1}
    with serve(answer) as server:
        report = prove(server.url, spec=contract(tmp_path, access.declared), **options)
    assert report.breaches
    for text in (as_json(report), html(report), repr(report)):
        for secret in (TOKEN, LOGIN.password, BASIC[6:], "T0ken%2Fmine"):
            assert secret not in text
    assert TOKEN not in repr(options | {"token": None})


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
@each_scheme
def test_commands_send_the_same_credentials(access: Access, tmp_path: Path) -> None:
    with serve(answering(lambda _: True)) as server:
        spec = contract(tmp_path, access.declared)
        report = prove(server.url, spec=spec, token=TOKEN, login=LOGIN, expired_token=EXPIRED, only=("auth",))
        sent = [access.read(each) for each in server.received]
        for breach in report.breaches:
            command = breach.evidence[0].commands[0]
            subprocess.run(
                ["bash", "-c", command], env={**os.environ, **ENVIRONMENT}, check=True, timeout=20, capture_output=True
            )
            assert access.read(server.received[-1]) in sent, command
        assert len({access.read(each) for each in server.received}) == len(set(sent))


def test_credentials_come_from_the_environment(tmp_path: Path) -> None:
    for name in ("basic", "query"):
        access = SCHEMES[name]
        spec = contract(tmp_path, access.declared)
        with serve(answering(access.accepts)) as server:
            done = run("contract-test", server.url, "--spec", str(spec), "--only", "auth", env=ENVIRONMENT)
        assert done.code == 0, done.out + done.err


def test_help_names_every_variable_with_credentials() -> None:
    shown = run("contract-test", "--help", env={}).out
    other = {f"METASTUDIO_OTHER_{name}" for name in ("AK", "SK", "TOKEN", "USER", "PASSWORD", "PROJECT_ID")}
    for name in ENVIRONMENT.keys() | other:
        assert name in shown, name
