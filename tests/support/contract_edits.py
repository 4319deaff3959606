"""Typical edits of openapi.yaml and the changes that `./generate.sh --diff` reports for them.

scripts/document-edits writes them into docs/spec-authoring.md; tests check that the page is up to date.
"""

from __future__ import annotations

import difflib
import io
import re
import shutil
import subprocess
import textwrap
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from contract_diff import history
from metastudio.contract import Document, load
from repository import ROOT, replace_once

PAGE = ROOT / "docs" / "spec-authoring.md"
_BLOCK = re.compile(r"(<!-- edits: written by scripts/document-edits -->\n).*(<!-- end of edits -->)", re.DOTALL)
_FILTER = "          model_resolution: {property: /model_resolution, op: eq}\n"
_LAST_PARAMETER = "        - name: X-App-UserId\n"
_PENDING = "        JOB_PENDING: {phase: training, at_rest: false, x-source: decision}\n"
_VERSION = "            - $ref: '#/components/schemas/ModelVersion'\n"
_LIMIT = "        minimum: 1\n        maximum: 100\n"


@dataclass(frozen=True)
class Edit:
    """An edit of the contract.

    Attributes:
        title: Its heading in the page.
        why: Explains the grade.
        code: The exit code of `./generate.sh --diff`.
        replace: Pairs of old and new text.
    """

    title: str
    why: str
    code: int
    replace: tuple[tuple[str, str], ...]


EDITS = [
    Edit(
        "Better wording",
        "Descriptions appear in docstrings and help texts. Nothing breaks.",
        0,
        (("          description: ID of the task.\n", "          description: ID of the task, unique in a region.\n"),),
    ),
    Edit(
        "A new filter",
        "Optional, so existing callers are not affected. After `./generate.sh`, the typed method, the command, the "
        "sandbox and the contract tests have the filter.",
        10,
        (
            (
                _LAST_PARAMETER,
                "        - name: matting_type\n"
                "          in: query\n"
                "          description: Keep tasks with this matting type.\n"
                "          schema:\n"
                "            $ref: '#/components/schemas/FilterText'\n" + _LAST_PARAMETER,
            ),
            (_FILTER, _FILTER + "          matting_type: {property: /matting_type, op: eq}\n"),
        ),
    ),
    Edit(
        "A new response field",
        "Optional and nullable: servers without the field still conform, older clients keep it as an unknown field.",
        10,
        (
            (
                "        app_user_id:\n",
                "        is_flexus:\n"
                "          description: Whether the model is of the flexus kind.\n"
                "          type: boolean\n"
                "          nullable: true\n"
                "          x-source: decision\n"
                "        app_user_id:\n",
            ),
        ),
    ),
    Edit(
        "A new state",
        "The set of states is open, so existing clients accept the new state as text. `./generate.sh` requires an "
        "entry in `x-states`.",
        10,
        (
            ("        - JOB_PENDING\n", "        - JOB_PENDING\n        - WAIT_ADMIN_CONFIRM\n"),
            (_PENDING, _PENDING + "        WAIT_ADMIN_CONFIRM: {phase: review, at_rest: false, x-source: decision}\n"),
        ),
    ),
    Edit(
        "Another sort key",
        "A known value of an open set, with the property that it sorts by.",
        10,
        (
            ("      enum: [create_time]\n", "      enum: [create_time, last_update_time]\n"),
            (
                "values: {create_time: /create_time}",
                "values: {create_time: /create_time, last_update_time: /last_update_time}",
            ),
        ),
    ),
    Edit(
        "Another list",
        "A second operation with its own names for paging, total and items. It needs no Python.",
        10,
        (
            (
                "\ncomponents:\n",
                "  /v1/{project_id}/digital-human-training-manage/user/batches:\n"
                "    get:\n"
                "      operationId: list_batches\n"
                "      tags: [batches]\n"
                "      summary: List batches\n"
                "      description: Returns one page of the batches of a project.\n"
                "      parameters:\n"
                "        - $ref: '#/components/parameters/ProjectId'\n"
                "        - $ref: '#/components/parameters/Offset'\n"
                "        - $ref: '#/components/parameters/Limit'\n"
                "      responses:\n"
                "        '200':\n"
                "          description: One page of batches.\n"
                "          content:\n"
                "            application/json:\n"
                "              schema:\n"
                "                $ref: '#/components/schemas/BatchPage'\n"
                "      x-list:\n"
                "        items: /data/batches\n"
                "        total: /data/total\n"
                "        identity: /batch_name\n"
                "        page: {style: offset, offset: offset, limit: limit}\n"
                "\ncomponents:\n",
            ),
            (
                "    TrainingJobState:\n",
                "    BatchPage:\n"
                "      type: object\n"
                "      required: [data]\n"
                "      properties:\n"
                "        data:\n"
                "          type: object\n"
                "          required: [total, batches]\n"
                "          properties:\n"
                "            total: {type: integer}\n"
                "            batches:\n"
                "              type: array\n"
                "              items:\n"
                "                $ref: '#/components/schemas/Batch'\n"
                "    Batch:\n"
                "      type: object\n"
                "      required: [batch_name]\n"
                "      properties:\n"
                "        batch_name: {type: string}\n"
                "    TrainingJobState:\n",
            ),
        ),
    ),
    Edit(
        "A field becomes required",
        "Clients may rely on the field. Servers that omit it do not conform any more.",
        20,
        (
            (
                "      required: [job_id, name, state, project_id, create_time]\n",
                "      required: [job_id, name, state, project_id, create_time, model_version]\n",
            ),
        ),
    ),
    Edit(
        "An open set is closed",
        "Servers that send another version, or null, do not conform any more, and a client generated from this "
        "contract fails on such a response.",
        20,
        ((_VERSION + "            - $ref: '#/components/schemas/UnlistedValue'\n", _VERSION),),
    ),
    Edit(
        "Larger pages",
        "Clients ask for the largest page that is allowed, so servers must accept it first.",
        20,
        ((_LIMIT, _LIMIT.replace("100", "500")),),
    ),
    Edit(
        "Smaller pages",
        "Calls that were valid are refused.",
        30,
        ((_LIMIT, _LIMIT.replace("100", "50")),),
    ),
    Edit(
        "A filter compares differently",
        "No schema changes, but callers get other items, and servers with the old comparison do not conform.",
        30,
        (("create_until: {property: /create_time, op: le}", "create_until: {property: /create_time, op: lt}"),),
    ),
    Edit(
        "A state becomes final",
        "`wait`, the exit codes and the colours of the command follow `x-states`: in this state, a wait now ends.",
        30,
        (("JOB_PENDING: {phase: training, at_rest: false,", "JOB_PENDING: {phase: waiting, at_rest: true,"),),
    ),
    Edit(
        "A field is removed",
        "Programs that read the field fail the type check, or find nothing.",
        30,
        (
            (
                "        batch_name:\n"
                "          description: Name of the batch that the task belongs to.\n"
                "          type: string\n"
                "          nullable: true\n"
                "          x-source: {nullable: decision}\n",
                "",
            ),
            ("          batch_name: {property: /batch_name, op: eq}\n", ""),
        ),
    ),
]


def git(folder: Path, *command: str) -> str:
    """Run git in a folder and return its output."""
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *command], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Workbench:
    """A git repository with the contract and pyproject.toml, compared in this process: no client is generated."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.contract, self.project = folder / "openapi.yaml", folder / "pyproject.toml"
        for path in (self.contract, self.project):
            shutil.copy2(ROOT / path.name, path)
        self.git("init", "--quiet")
        self.commit()

    def git(self, *command: str) -> str:
        return git(self.root, *command)

    def commit(self) -> None:
        self.git("add", "openapi.yaml", "pyproject.toml")
        self.git("commit", "--quiet", "--allow-empty", "--message", "contract")

    def restore(self) -> None:
        """Undo the edits since the last commit."""
        self.git("checkout", "--quiet", "--", "openapi.yaml", "pyproject.toml")

    def apply(self, edit: Edit) -> None:
        for old, new in edit.replace:
            replace_once(self.contract, old, new)

    def compare(self, revision: str = "") -> tuple[int, str]:
        """Return the exit code and the output of `./generate.sh --diff`.

        Raises:
            ContractError: There is no valid contract to compare with.
        """
        return self._run(lambda document: history.show(document, revision))

    def check_versions(self) -> tuple[int, str]:
        """Return the exit code and the output of the version check of `./generate.sh --check`."""
        return self._run(history.check_versions)

    def _run(self, command: Callable[[Document], int]) -> tuple[int, str]:
        output = io.StringIO()
        with mock.patch.object(history, "ROOT", self.root), redirect_stdout(output), redirect_stderr(output):
            code = command(load(self.contract))
        return code, output.getvalue()

    def diff(self, edit: Edit) -> tuple[int, str, str]:
        """Apply one edit to the committed contract; return the exit code, the report and the edit as a diff."""
        self.restore()
        before = self.contract.read_text(encoding="utf-8").splitlines()
        self.apply(edit)
        after = self.contract.read_text(encoding="utf-8").splitlines()
        code, output = self.compare()
        lines = list(difflib.unified_diff(before, after, n=1, lineterm=""))[2:]  # without the file names
        return code, output, "\n".join("@@" if line.startswith("@@") else line.rstrip() for line in lines)


def documented(number: int, edit: Edit, code: int, output: str, change: str) -> str:
    """Format the section of the page about one edit."""
    return (
        f"### {number}. {edit.title}\n\n{textwrap.fill(edit.why, 118)}\n\n```diff\n{change}\n```\n\n"
        f"`./generate.sh --diff` prints this, exit code {code}:\n\n```text\n{output.rstrip()}\n```\n\n"
    )


def write(sections: list[str]) -> None:
    """Write the sections into the page."""
    page = PAGE.read_text(encoding="utf-8")
    text = "".join(sections)
    PAGE.write_text(_BLOCK.sub(lambda found: found[1] + "\n" + text + found[2], page), encoding="utf-8")
