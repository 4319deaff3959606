"""Typical edits of openapi.yaml, each run for real: docs/spec-authoring.md shows them, tests hold them to it.

scripts/document-edits writes them into the page.
"""

from __future__ import annotations

import difflib
import re
import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path

from repository import ROOT, Repository

PAGE = ROOT / "docs" / "spec-authoring.md"
_BLOCK = re.compile(r"(<!-- edits: written by scripts/document-edits -->\n).*(<!-- end of edits -->)", re.DOTALL)
_FILTER = "          model_resolution: {property: /model_resolution, op: eq}\n"
_LAST_PARAMETER = "        - name: X-App-UserId\n"
_PENDING = "        JOB_PENDING: {phase: training, at_rest: false, x-source: decision}\n"
_VERSION = "            - $ref: '#/components/schemas/ModelVersion'\n"
_LIMIT = "        minimum: 1\n        maximum: 100\n"


@dataclass(frozen=True)
class Edit:
    """`replace` is pairs of old and new text; `code` is the exit code that --diff must give; `why` explains it."""

    title: str
    why: str
    code: int
    replace: tuple[tuple[str, str], ...]


EDITS = [
    Edit(
        "Say it better",
        "Words reach docstrings and help texts, and break nothing.",
        0,
        (("          description: ID of the task.\n", "          description: ID of the task, unique in a region.\n"),),
    ),
    Edit(
        "A new filter",
        "Nobody who does not use it notices. The typed method, the command's option, the sandbox's answer and the "
        "contract test of the filter are there after `./generate.sh`.",
        10,
        (
            (
                _LAST_PARAMETER,
                "        - name: matting_type\n"
                "          in: query\n"
                "          description: Keep tasks whose background is cut out this way.\n"
                "          schema:\n"
                "            $ref: '#/components/schemas/FilterText'\n" + _LAST_PARAMETER,
            ),
            (_FILTER, _FILTER + "          matting_type: {property: /matting_type, op: eq}\n"),
        ),
    ),
    Edit(
        "A new field of the answer",
        "Optional and nullable: a server that lacks it stays right, an older client keeps it among the unknown fields.",
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
        "The set of states is open, so that clients already take the new one, as text. `./generate.sh` demands its "
        "meaning in `x-states`.",
        10,
        (
            ("        - JOB_PENDING\n", "        - JOB_PENDING\n        - WAIT_ADMIN_CONFIRM\n"),
            (_PENDING, _PENDING + "        WAIT_ADMIN_CONFIRM: {phase: review, at_rest: false, x-source: decision}\n"),
        ),
    ),
    Edit(
        "Another property to sort by",
        "A named value of an open set, with the property it orders by.",
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
        "A field is always there",
        "Clients may rely on more. A server that leaves the field out was right, and is wrong now.",
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
        "A server that answers another version, or null, is wrong now; and a client generated from this fails there, "
        "where the open one went on.",
        20,
        ((_VERSION + "            - $ref: '#/components/schemas/UnlistedValue'\n", _VERSION),),
    ),
    Edit(
        "Larger pages",
        "Clients take the largest page they may, so that servers have to allow it first.",
        20,
        ((_LIMIT, _LIMIT.replace("100", "500")),),
    ),
    Edit(
        "Smaller pages",
        "A call that was right is refused.",
        30,
        ((_LIMIT, _LIMIT.replace("100", "50")),),
    ),
    Edit(
        "A filter compares otherwise",
        "No schema changes, yet nobody gets the items they got before, and a server that answers as before is wrong.",
        30,
        (("create_until: {property: /create_time, op: le}", "create_until: {property: /create_time, op: lt}"),),
    ),
    Edit(
        "A state comes to rest",
        "`wait`, the exit codes of the command and its colours follow `x-states`: a wait ends where it went on.",
        30,
        (("JOB_PENDING: {phase: training, at_rest: false,", "JOB_PENDING: {phase: waiting, at_rest: true,"),),
    ),
    Edit(
        "A field is dropped",
        "Programs that read it do not compile any more, or find nothing.",
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


class Workbench:
    """A copy of the repository under git, in which one edit after the other is made and undone."""

    def __init__(self, folder: Path) -> None:
        self.repository = Repository(folder)
        self._text = self.repository.contract.read_text(encoding="utf-8")
        self.git("init", "--quiet")
        self.commit()

    def git(self, *command: str) -> str:
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", *identity, *command], cwd=self.repository.root, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self) -> None:
        self.git("add", "openapi.yaml", "pyproject.toml")
        self.git("commit", "--quiet", "--allow-empty", "--message", "contract")

    def diff(self, edit: Edit) -> tuple[int, str, str]:
        """Make the edit and run `./generate.sh --diff`. Return the exit code, what it printed, and the edit itself."""
        self.repository.contract.write_text(self._text, encoding="utf-8")
        for old, new in edit.replace:
            self.repository.edit(old, new)
        edited = self.repository.contract.read_text(encoding="utf-8")
        done = self.repository.generate("--diff")
        lines = difflib.unified_diff(self._text.splitlines(), edited.splitlines(), n=1, lineterm="")
        shown = [line for line in lines if not line.startswith(("---", "+++"))]
        return (
            done.returncode,
            done.stdout + done.stderr,
            "\n".join("@@" if line.startswith("@@") else line.rstrip() for line in shown),
        )


def documented(number: int, edit: Edit, code: int, output: str, change: str) -> str:
    """The section of the page about one edit."""
    return (
        f"### {number}. {edit.title}\n\n{textwrap.fill(edit.why, 118)}\n\n```diff\n{change}\n```\n\n"
        f"`./generate.sh --diff` prints this, exit code {code}:\n\n```text\n{output.rstrip()}\n```\n\n"
    )


def write(sections: list[str]) -> None:
    """Put the sections in their place in the page."""
    page = PAGE.read_text(encoding="utf-8")
    text = "".join(sections)
    PAGE.write_text(_BLOCK.sub(lambda found: found[1] + "\n" + text + found[2], page), encoding="utf-8")
