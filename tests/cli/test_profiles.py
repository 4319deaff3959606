"""`--profile` and HUAWEICLOUD_SDK_PROFILE: a section of the credentials file with keys, region and project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cli_runs import run
from metastudio.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def settings(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    """Return variables for a file with the wrong keys in [basic] and the sandbox's in [test]."""
    file = tmp_path / "credentials"
    keys = f"ak = {sandbox.access_key}\nsk = {sandbox.secret_key}\nproject_id = {sandbox.project_id}\n"
    file.write_text(f"[basic]\nak = WRONGKEY\nsk = S\nproject_id = p\n[test]\n{keys}region = cn-east-3\n")
    file.chmod(0o600)
    return {"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(file)}


def test_whoami_shows_the_profile(sandbox: Sandbox, settings: dict[str, str]) -> None:
    file = settings["HUAWEICLOUD_SDK_CREDENTIALS_FILE"]
    for words, more in (
        (["--profile", "test", "whoami"], {}),
        (["whoami", "--profile", "test"], {}),
        (["whoami"], {"HUAWEICLOUD_SDK_PROFILE": "test"}),
    ):
        done = run(*words, "--base-url", sandbox.url, env=settings | more)
        assert done.code == 0, done.err
        for shown in ("cn-east-3", "an access key", sandbox.project_id):
            assert f"{shown}  from {file} [test]\n" in done.out
    assert run("whoami", "--base-url", sandbox.url, env=settings).code == 4


def test_every_command_has_it(sandbox: Sandbox, settings: dict[str, str]) -> None:
    wrong = {"HUAWEICLOUD_SDK_AK": "WRONGKEY", "HUAWEICLOUD_SDK_SK": "S", "HUAWEICLOUD_SDK_PROJECT_ID": "p"}
    for words in (
        ["jobs", "--limit", "1", "--base-url", sandbox.url],
        ["curl", f"{sandbox.url}/v1/{{project_id}}/digital-human-training-manage/user/jobs"],
        ["contract-test", sandbox.url, "--only", "total"],
    ):
        done = run("--profile", "test", *words, env=settings | wrong)
        assert done.code == 0, done.out + done.err


def test_an_unknown_profile_is_an_invalid_setting(settings: dict[str, str]) -> None:
    done = run("jobs", "--profile", "prod", env=settings)
    assert done.code == 2
    assert done.err.startswith("Error: there is no profile 'prod' (--profile): ")
    assert done.err.endswith("has only basic, test\n")
