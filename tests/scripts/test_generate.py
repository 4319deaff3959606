"""generate.sh: deterministic, all or nothing, with clear errors."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from repository import ROOT, Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_generated_is_up_to_date(repository: Repository) -> None:
    committed = repository.snapshot("generated")
    done = repository.generate(PYTHONHASHSEED="1")  # the other runs have a random one
    assert done.returncode == 0, done.stderr
    assert "unchanged" in done.stdout
    assert repository.snapshot("generated") == committed


# The Python that runs the tests is covered above, and CI runs them with each. Here another one needs an environment of
# its own, and installing that takes half a minute.
@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_every_python_generates_the_same_bytes(repository: Repository, version: str) -> None:
    python = shutil.which(f"python{version}")
    chosen = {**os.environ, "PYENV_VERSION": version}  # pyenv's commands work only for the selected version
    if python is None or subprocess.run([python, "-c", ""], env=chosen, capture_output=True, check=False).returncode:
        pytest.skip(f"Python {version} is not installed")
    environment = ROOT / ".cache" / f"generate-{version}"
    stamp = environment / "installed"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = [each for each in (*project["dependencies"], *extras["spec"], *extras["generate"]) if "[" not in each]
    wanted = f"{needed}\n{(ROOT / 'constraints.txt').read_text(encoding='utf-8')}"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        subprocess.run([python, "-m", "venv", "--clear", "--without-pip", environment], env=chosen, check=True)
        pins = environment / "pins.txt"  # without hashes, which pip would then want for each of `needed`
        locked = (ROOT / "constraints.txt").read_text(encoding="utf-8")
        pins.write_text(re.sub(r" \\\n *--hash=\S+", "", locked), encoding="utf-8")
        install = f"{sys.executable} -m pip --python {environment}/bin/python install --quiet --no-compile --constraint"
        subprocess.run([*install.split(), pins, *needed], check=True, capture_output=True)
        stamp.write_text(wanted, encoding="utf-8")
    done = repository.generate("--check", METASTUDIO_VENV=str(environment))
    assert done.returncode == 0, done.stdout + done.stderr


def test_check_shows_differences_and_generating_removes_them(repository: Repository) -> None:
    repository.edit("description: ID of the task.", "description: ID of the training task.")
    edited = repository.generated / "models" / "matting_type.py"
    edited.write_text(edited.read_text(encoding="utf-8") + "# by hand\n", encoding="utf-8")
    forgotten = repository.generated / "models" / "forgotten.py"
    forgotten.touch()
    before = repository.snapshot("generated")
    done = repository.generate("--check")
    assert done.returncode == 1
    assert "--- generated/models/training_job_basic_info.py\n" in done.stdout
    assert "ID of the training task." in done.stdout
    assert "-# by hand" in done.stdout
    shown = re.findall(r"^--- generated/(\S+)$", done.stdout, re.MULTILINE)
    assert f"({len(shown) + 1} files differ); run ./generate.sh" in done.stderr  # the empty file has no lines to show
    assert repository.snapshot("generated") == before

    assert repository.generate().returncode == 0
    assert not forgotten.exists()
    assert "# by hand" not in edited.read_text(encoding="utf-8")
    assert repository.generated.joinpath("openapi.yaml").read_bytes() == repository.contract.read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        # Refused by the checks of the contract; tests/contract/test_validation.py has the others.
        ("tags: [training_jobs]", "tags: [training_jobs", "not YAML"),
        ("total: /count", "total: /cnt", "has no property /cnt"),
        # The second is refused by the generator, which only warns and leaves the code out unless --fail-on-warning is
        # set: an enum with the class name of another.
        (
            "      parameters:\n        - $ref: '#/components/parameters/ProjectId'\n",
            "      requestBody:\n        content: {application/xml: {schema: {type: string}}}\n"
            "      parameters:\n        - $ref: '#/components/parameters/ProjectId'\n",
            "application/xml is not supported; only application/json is\n",
        ),
        (
            "    ServiceError:\n",
            "    Holder:\n      type: object\n      properties: {kind: {type: string, enum: [A]}}\n"
            "    HolderKind: {type: string, enum: [B]}\n    ServiceError:\n",
            "the generator cannot make this:\n",
        ),
    ],
    ids=["not YAML", "check", "unsupported body", "class name twice"],
)
def test_an_invalid_contract_leaves_the_old_client(repository: Repository, old: str, new: str, message: str) -> None:
    before = repository.snapshot("generated")
    repository.edit(old, new)
    done = repository.generate()
    assert done.returncode == 2
    lines = repository.contract.read_text(encoding="utf-8").splitlines()
    for key in ("get", "trainingJobState"):
        line = next((number for number, each in enumerate(lines, start=1) if each.strip() == f"{key}:"), 0)
        message = message.replace("{" + key + "}", f"{line}:5")
    assert message in done.stderr
    assert re.match(r"openapi\.yaml:\d+:\d+: ", done.stderr), done.stderr
    assert "Nothing was written" in done.stderr
    assert "Traceback" not in done.stderr
    assert repository.snapshot("generated") == before
    assert [path.name for path in (repository.root / "generated").iterdir()] == ["metastudio_client"]


def test_a_failing_tool_leaves_the_old_client(repository: Repository) -> None:
    before = repository.snapshot("generated")
    template = repository.root / "templates" / "api_init.py.jinja"
    template.write_text(template.read_text(encoding="utf-8") + "def broken(:\n", encoding="utf-8")
    done = repository.generate()
    assert done.returncode == 2
    assert "ruff" in done.stderr
    assert repository.snapshot("generated") == before
