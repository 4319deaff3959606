"""Runs the tools over openapi.yaml and makes the table of docs/portability.md. Started by scripts/portability/run."""

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

from portability.echo import Echo, echo
from portability.tools import TOOLS, Tool

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".cache" / "portability"
PAGE = ROOT / "docs" / "portability.md"
CONTRACT = ROOT / "openapi.yaml"
COLUMNS = ("works", "page", "unknown", "null", "joined")
STATES = ["TRAINING", "SOMETHING_NEW"]  # one that the contract lists, one that it does not
NOTHING_TO_SAY = "-"


@dataclass
class Result:
    """What became of a tool: a verdict for each column, what it said, or why it did not run."""

    tool: Tool
    verdicts: dict[str, bool] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    skipped: str = ""

    @property
    def failed(self) -> bool:
        return not self.skipped and not (self.verdicts and all(self.verdicts.values()))

    def cells(self) -> list[str]:
        words = {True: "yes", False: "**no**"}
        given = [words[self.verdicts[c]] if c in self.verdicts else NOTHING_TO_SAY for c in COLUMNS]
        return ["skipped"] + [NOTHING_TO_SAY] * 4 if self.skipped else given


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/portability/run", description="Try openapi.yaml with other tools.")
    parser.add_argument(
        "tools", nargs="*", metavar="TOOL", help="only these: " + ", ".join(each.name for each in TOOLS)
    )
    parser.add_argument("--write", action="store_true", help="put the table into docs/portability.md")
    arguments = parser.parse_args()
    unknown = set(arguments.tools) - {tool.name for tool in TOOLS}
    if unknown:
        parser.error(f"no such tool: {', '.join(sorted(unknown))}")
    if arguments.write and arguments.tools:
        parser.error("--write needs the results of all tools")
    document = load(CONTRACT)
    check(document)
    answers = answers_of(document.data)
    results = []
    with echo(answers) as server:
        for tool in TOOLS:
            if not arguments.tools or tool.name in arguments.tools:
                results.append(result := tried(tool, server, document.data, answers))
                print(f"{tool.name:36} {' '.join(f'{cell:8}' for cell in result.cells())} {result.skipped}", flush=True)
                for note in result.notes:
                    print(f"    {note}")
    failed = [result.tool.name for result in results if result.failed]
    skipped = [result.tool.name for result in results if result.skipped]
    print(f"{len(results) - len(failed) - len(skipped)} passed, {len(failed)} failed, {len(skipped)} skipped")
    if arguments.write:
        write(results)
    return 1 if failed else 0


def answers_of(contract: Mapping[str, Any]) -> dict[str, Any]:
    """The page's example; the same with what the contract does not know; the same with null where it allows it."""
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


def tried(tool: Tool, server: Echo, contract: Mapping[str, Any], answers: Mapping[str, Any]) -> Result:
    result = Result(tool)
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
        data = {"ANSWERS": answers, "CONTRACT_JSON": contract}
        for name, value in data.items():
            environment[name] = str(work / f"{name.lower()}.json")
            Path(environment[name]).write_text(json.dumps(value), encoding="utf-8")
        shutil.copy(HERE / "programs" / "checks.py", work)
        for program in tool.programs:
            shutil.copy(HERE / "programs" / program, work / ("try.ts" if program.endswith(".ts") else program))
        lines = (("server", server.url), ("states", STATES), ("answers", answers))
        text = "".join(f"export const {name} = {json.dumps(value)};\n" for name, value in lines)
        (work / "data.ts").write_text(text, encoding="utf-8")
        places = {"bin": commands(tool, prefix), "work": work, "contract": CONTRACT, "python": sys.executable}
        places["typescript"] = commands(TOOLS[4], CACHE / TOOLS[4].name)
        for command in tool.prepare:
            call(command.format(**places), environment)
        server.queries.clear()
        for line in call(tool.run.format(**places), environment).splitlines():
            if line.startswith('{"check"'):
                said = json.loads(line)
                result.verdicts[said["check"]] = said["ok"]
                if said["note"]:
                    result.notes.append(said["note"] if said["ok"] else f"{said['check']}: {said['note']}")
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


def lint(linter: str, result: Result) -> None:
    done = subprocess.run([ROOT / "scripts" / "lint-contract"], capture_output=True, text=True, check=False)
    clean = {"spectral": "No results with a severity of 'hint' or higher", "redocly": "redocly: 0 errors, 0 warnings"}
    result.verdicts["works"] = clean[linter] in done.stdout
    if not result.verdicts["works"]:
        result.notes.append(done.stdout + done.stderr)


def commands(tool: Tool, prefix: Path) -> Path:
    return prefix / ("node_modules/.bin" if tool.kind == "node" else "venv/bin")


def install(tool: Tool, prefix: Path, environment: Mapping[str, str]) -> None:
    """Install the tool's packages, unless these versions are there."""
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


def write(results: Sequence[Result]) -> None:
    head = (
        "tool",
        "version",
        "how it was tried",
        "works",
        "the page's example",
        "the unknown",
        "null",
        "`state` joined",
    )
    rows = [head, ("---",) * len(head)]
    for result in results:
        version = re.split("==|@", result.tool.packages[0])[-1]
        rows.append((result.tool.name, version, result.tool.does, *result.cells()))
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
