"""The work of scripts/portability/run: test openapi.yaml with the tools, and write the table of docs/portability.md."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metastudio.contract import check, load

from portability.echo import EchoServer, echo
from portability.tools import TOOLS, Tool

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".cache" / "portability"
PAGE = ROOT / "docs" / "portability.md"
CONTRACT = ROOT / "openapi.yaml"
CHECKS = ("works", "page", "unknown", "null", "joined")
STATES = ["TRAINING", "SOMETHING_NEW"]  # a listed state and an unlisted one
NOT_APPLICABLE = "-"


@dataclass
class ToolResult:
    """The result of one tool.

    Attributes:
        tool: The tool.
        verdicts: Whether each check passed, by its name in CHECKS.
        notes: Messages of the tool.
        skipped: Why the tool did not run, else "".
    """

    tool: Tool
    verdicts: dict[str, bool] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    skipped: str = ""

    @property
    def failed(self) -> bool:
        return not self.skipped and not (self.verdicts and all(self.verdicts.values()))

    def cells(self) -> list[str]:
        words = {True: "yes", False: "**no**"}
        given = [words[self.verdicts[c]] if c in self.verdicts else NOT_APPLICABLE for c in CHECKS]
        return ["skipped"] + [NOT_APPLICABLE] * 4 if self.skipped else given


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/portability/run", description="Test openapi.yaml with other tools.")
    parser.add_argument(
        "tools", nargs="*", metavar="TOOL", help="run only these: " + ", ".join(each.name for each in TOOLS)
    )
    parser.add_argument("--write", action="store_true", help="write the table into docs/portability.md")
    arguments = parser.parse_args()
    unknown = set(arguments.tools) - {tool.name for tool in TOOLS}
    if unknown:
        parser.error(f"no such tool: {', '.join(sorted(unknown))}")
    if arguments.write and arguments.tools:
        parser.error("--write runs all tools; omit the names")
    document = load(CONTRACT)
    check(document)
    responses = example_responses(document.data)
    results = []
    with echo(responses) as server:
        for tool in TOOLS:
            if not arguments.tools or tool.name in arguments.tools:
                results.append(result := test(tool, server, document.data, responses))
                print(f"{tool.name:36} {' '.join(f'{cell:8}' for cell in result.cells())} {result.skipped}", flush=True)
                for note in result.notes:
                    print(f"    {note}")
    failed = [result.tool.name for result in results if result.failed]
    skipped = [result.tool.name for result in results if result.skipped]
    print(f"{len(results) - len(failed) - len(skipped)} passed, {len(failed)} failed, {len(skipped)} skipped")
    if arguments.write:
        write(results)
    return 1 if failed else 0


def example_responses(contract: Mapping[str, Any]) -> dict[str, Any]:
    """Return the example of the contract, the same with unlisted values, and the same with null where it is allowed."""
    page = contract["components"]["examples"]["TrainingJobsPage"]["value"]
    properties = contract["components"]["schemas"]["TrainingJobBasicInfo"]
    nullable = {name: None for name in properties["properties"] if name not in properties["required"]}
    known = {"state": "SOMETHING_NEW", "model_version": "V9.9", "matting_type": "MAGIC", "model_resolution": "8K"}
    first, *others = page["jobs"]
    return {
        "page": page,
        "unknown": {**page, "jobs": [{**first, **known}, *others]},
        "null": {**page, "jobs": [{**first, **nullable}, *others]},
    }


def test(tool: Tool, server: EchoServer, contract: Mapping[str, Any], responses: Mapping[str, Any]) -> ToolResult:
    result = ToolResult(tool)
    missing = [each for each in {*tool.needs, *(["node"] if tool.kind == "node" else [])} if not shutil.which(each)]
    if missing:
        result.skipped = f"there is no {' and no '.join(sorted(missing))} on the PATH"
        return result
    prefix = CACHE / tool.name.replace(" ", "-")
    environment = {**os.environ, "npm_config_cache": str(ROOT / ".cache" / "npm"), "SERVER": server.url}
    environment |= {"CONTRACT": str(CONTRACT), "PREFIX": str(prefix), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        if tool.run.startswith("lint "):
            lint(tool.run.split()[1], result)
            return result
        install(tool, prefix, environment)
        work = prefix / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        data = {"RESPONSES": responses, "CONTRACT_JSON": contract}
        for name, value in data.items():
            environment[name] = str(work / f"{name.lower()}.json")
            Path(environment[name]).write_text(json.dumps(value), encoding="utf-8")
        shutil.copy(HERE / "programs" / "checks.py", work)
        for program in tool.programs:
            shutil.copy(HERE / "programs" / program, work / ("try.ts" if program.endswith(".ts") else program))
        lines = (("server", server.url), ("states", STATES), ("responses", responses))
        text = "".join(f"export const {name} = {json.dumps(value)};\n" for name, value in lines)
        (work / "data.ts").write_text(text, encoding="utf-8")
        places = {"bin": commands(tool, prefix), "work": work, "contract": CONTRACT, "python": sys.executable}
        places["typescript"] = commands(TOOLS[4], CACHE / TOOLS[4].name)
        for command in tool.prepare:
            call(command.format(**places), environment)
        server.queries.clear()
        for line in call(tool.run.format(**places), environment).splitlines():
            if line.startswith('{"check"'):
                verdict = json.loads(line)
                result.verdicts[verdict["check"]] = verdict["ok"]
                if verdict["note"]:
                    result.notes.append(verdict["note"] if verdict["ok"] else f"{verdict['check']}: {verdict['note']}")
    except subprocess.CalledProcessError as error:
        result.verdicts["works"] = False
        result.notes.append(" ".join((error.stderr or error.stdout or str(error)).split())[-400:])
        return result
    sent = [query for query in server.queries if "SOMETHING_NEW" in query]
    if sent and "joined" not in result.verdicts:
        result.verdicts["joined"] = all(re.search("state=TRAINING(%2C|,)SOMETHING_NEW(&|$)", each) for each in sent)
        if not result.verdicts["joined"]:
            result.notes.append(f"joined: sent {sent[0]}")
    return result


def lint(linter: str, result: ToolResult) -> None:
    done = subprocess.run([ROOT / "scripts" / "lint-contract"], capture_output=True, text=True, check=False)
    clean = {"spectral": "No results with a severity of 'hint' or higher", "redocly": "redocly: 0 errors, 0 warnings"}
    result.verdicts["works"] = clean[linter] in done.stdout
    if not result.verdicts["works"]:
        result.notes.append(done.stdout + done.stderr)


def commands(tool: Tool, prefix: Path) -> Path:
    return prefix / ("node_modules/.bin" if tool.kind == "node" else "venv/bin")


def install(tool: Tool, prefix: Path, environment: Mapping[str, str]) -> None:
    """Install the packages of a tool, unless these versions are installed."""
    stamp, wanted = prefix / "installed", "\n".join(tool.packages)
    if tool.kind == "project" or (stamp.exists() and stamp.read_text(encoding="utf-8") == wanted):
        return
    print(f"Installing {', '.join(tool.packages)} ...", file=sys.stderr, flush=True)
    shutil.rmtree(prefix, ignore_errors=True)
    prefix.mkdir(parents=True)
    if tool.kind == "node":
        options = "--no-save --no-package-lock --ignore-scripts --no-audit --no-fund --silent"
        call(f"npm install --prefix {prefix} {options} {shlex.join(tool.packages)}", environment)
    else:
        call(f"{sys.executable} -m venv {prefix / 'venv'}", environment)
        pip = f"{prefix / 'venv' / 'bin' / 'python'} -m pip install --quiet --disable-pip-version-check"
        call(f"{pip} --cache-dir {ROOT / '.cache' / 'pip'} {shlex.join(tool.packages)}", environment)
    stamp.write_text(wanted, encoding="utf-8")


def call(command: str, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        shlex.split(command), env=environment, capture_output=True, text=True, check=True, timeout=600, cwd=CACHE.parent
    )
    return done.stdout


def write(results: Sequence[ToolResult]) -> None:
    head = (
        "tool",
        "version",
        "test",
        "works",
        "the example",
        "unknown values",
        "null",
        "`state` joined",
    )
    rows = [head, ("---",) * len(head)]
    for result in results:
        version = re.split("==|@", result.tool.packages[0])[-1]
        rows.append((result.tool.name, version, result.tool.test, *result.cells()))
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    notes = [
        f"- {result.tool.name}: {note}"
        for result in results
        for note in ([f"skipped, {result.skipped}"] if result.skipped else result.notes)
    ]
    text = PAGE.read_text(encoding="utf-8")
    block = re.compile(
        r"(<!-- table: written by scripts/portability/run --write -->\n).*(<!-- end of table -->)", re.DOTALL
    )
    PAGE.write_text(
        block.sub(lambda found: f"{found[1]}\n{table}\n\n" + "\n".join(notes) + f"\n\n{found[2]}", text),
        encoding="utf-8",
    )


if __name__ == "__main__":
    sys.exit(main())
