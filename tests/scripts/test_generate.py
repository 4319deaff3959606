"""generate.sh: deterministic, all or nothing, and clear about what is wrong."""

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


def test_generated_is_what_the_contract_gives_and_stays_so(repository: Repository) -> None:
    committed = repository.snapshot("generated")
    for hash_seed in ("0", "1"):
        done = repository.generate(PYTHONHASHSEED=hash_seed)
        assert done.returncode == 0, done.stderr
        assert repository.snapshot("generated") == committed
    assert "unchanged" in done.stdout


OTHERS = [each for each in ("3.11", "3.12", "3.13") if each != f"{sys.version_info.major}.{sys.version_info.minor}"]


@pytest.mark.parametrize("version", OTHERS)  # the test above is for the one that runs it
def test_every_python_generates_the_same_bytes(repository: Repository, version: str) -> None:
    python = shutil.which(f"python{version}")
    chosen = {**os.environ, "PYENV_VERSION": version}  # pyenv's commands answer only for the version chosen
    if python is None or subprocess.run([python, "-c", ""], env=chosen, capture_output=True, check=False).returncode:
        pytest.skip(f"there is no Python {version} on this machine")
    environment = ROOT / ".cache" / f"generate-{version}"
    stamp = environment / "installed"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [project["dependencies"], *(project["optional-dependencies"][name] for name in ("spec", "generate"))]
    wanted = f"{needed}\n{(ROOT / 'constraints.txt').read_text(encoding='utf-8')}"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        subprocess.run([python, "-m", "venv", "--clear", environment], env=chosen, check=True)
        install = f"{environment}/bin/python -m pip install --quiet --constraint constraints.txt .[generate]"
        subprocess.run(install.split(), cwd=repository.root, check=True, capture_output=True)
        stamp.write_text(wanted, encoding="utf-8")
    done = repository.generate("--check", METASTUDIO_VENV=str(environment))
    assert done.returncode == 0, done.stdout + done.stderr


def test_check_shows_the_difference_and_writes_nothing(repository: Repository) -> None:
    repository.edit("description: ID of the task.", "description: ID of the training task.")
    before = repository.snapshot("generated")
    done = repository.generate("--check")
    assert done.returncode == 1
    assert "--- generated/models/training_job_basic_info.py\n" in done.stdout
    assert "ID of the training task." in done.stdout
    assert "run ./generate.sh" in done.stderr
    assert repository.snapshot("generated") == before


def test_check_sees_an_edited_and_a_forgotten_file(repository: Repository) -> None:
    edited = repository.generated / "models" / "matting_type.py"
    edited.write_text(edited.read_text(encoding="utf-8") + "# by hand\n", encoding="utf-8")
    (repository.generated / "models" / "forgotten.py").touch()
    done = repository.generate("--check")
    assert done.returncode == 1
    assert "-# by hand" in done.stdout
    assert "2 files differ" in done.stderr
    assert repository.generate().returncode == 0
    assert not (repository.generated / "models" / "forgotten.py").exists()
    assert repository.generate("--check").returncode == 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("tags: [training_jobs]", "tags: [training_jobs", "not YAML"),
        ("total: /count", "total: /cnt", "the response has no property /cnt"),
        ("schemas/FilterText'", "schemas/FilterTxt'", "#/components/schemas/FilterTxt does not exist"),
        (
            "\ncomponents:\n",
            "  /v1/more:\n    get:\n      operationId: list_training_jobs\n      tags: [more]\n"
            "      responses: {'204': {description: Nothing.}}\n\ncomponents:\n",
            "operationId list_training_jobs is taken on line",
        ),
        # What only the generator notices, and would leave out without a word but for --fail-on-warning: an operation
        # with a body that it cannot send, and an enum whose class would have the name of another.
        (
            "      parameters:\n        - $ref: '#/components/parameters/ProjectId'\n",
            "      requestBody:\n        content: {application/xml: {schema: {type: string}}}\n"
            "      parameters:\n        - $ref: '#/components/parameters/ProjectId'\n",
            "openapi.yaml:{get}: the generator cannot make this:\n"
            "WARNING parsing GET /v1/{project_id}/digital-human-training-manage/user/jobs within training_jobs. "
            "Endpoint will not be generated.\nUnsupported content type application/xml\n",
        ),
        (
            "    ServiceError:\n",
            "    trainingJobState:\n      type: string\n      enum: [A]\n    ServiceError:\n",
            "openapi.yaml:{trainingJobState}: the generator cannot make this:\n",
        ),
    ],
)
def test_a_wrong_contract_leaves_the_old_client(repository: Repository, old: str, new: str, message: str) -> None:
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


def test_a_crash_of_a_tool_leaves_the_old_client(repository: Repository) -> None:
    before = repository.snapshot("generated")
    template = repository.root / "templates" / "api_init.py.jinja"
    template.write_text(template.read_text(encoding="utf-8") + "def broken(:\n", encoding="utf-8")
    done = repository.generate()
    assert done.returncode == 2
    assert "ruff" in done.stderr
    assert repository.snapshot("generated") == before
