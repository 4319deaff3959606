"""Nothing is special-cased: another contract goes through all that is made or read from the first, without new Python.

tests/contract/second.yaml takes the place of openapi.yaml in a copy of the repository: other names for paging, total,
items, identity and direction, items below another object, a boolean filter, nested properties, repeated keys instead
of commas. Then it is generated, typed, called, served, listed in a terminal and proven.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from repository import ROOT, Repository

SECOND = ROOT / "tests" / "contract" / "second.yaml"
COMMAND = "import sys; from metastudio.cli import main; sys.argv[0] = 'metastudio'; sys.exit(main())"


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The copy, generated from the second contract; the first is nowhere in it any more."""
    repository = Repository(tmp_path_factory.mktemp("second"))
    shutil.copy(SECOND, repository.contract)
    before = repository.snapshot("overlays", "templates", "scripts")
    done = repository.generate()
    assert done.returncode == 0, done.stdout + done.stderr
    assert repository.snapshot("overlays", "templates", "scripts") == before
    return repository


def python(repository: Repository, program: str) -> str:
    done = repository.run(sys.executable, "-W", "error", "-c", textwrap.dedent(program))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_generated_without_a_trace_of_the_first(second: Repository) -> None:
    assert "is what openapi.yaml gives" in second.generate("--check").stdout
    text = "".join(path.read_text(encoding="utf-8") for path in second.generated.rglob("*.py"))
    assert "class Scenes:" in text
    assert "training_job" not in text.replace("openapi.yaml", "")
    assert (second.generated / "openapi.yaml").read_bytes() == SECOND.read_bytes()


def test_typed(second: Repository) -> None:
    program = second.root / "use.py"
    program.write_text(
        textwrap.dedent("""
            from typing import assert_type

            from metastudio import AsyncMetaStudio, MetaStudio
            from metastudio_client.models import Scene, ScenePage, Turn


            async def use(studio: MetaStudio, other: AsyncMetaStudio) -> None:
                assert_type(studio.scenes.list(count=5, start=10, finished=True, turn="down"), ScenePage)
                assert_type(await other.scenes.list(label=["a"], turn=Turn.UP), ScenePage)
                for scene in studio.scenes.iterate(owner="alpha", min_frames=3, page_size=7):
                    assert_type(scene.owner.name, str)
                assert_type(studio.scenes.find("c"), Scene | None)
                assert_type(studio.scenes.wait("c", timeout=1), Scene)
                studio.scenes.list(finished="yes")
                studio.scenes.list(turn="sideways")
                studio.scenes.list(limit=5)
                studio.training_jobs
        """),
        encoding="utf-8",
    )
    done = second.run(sys.executable, "-m", "mypy", "--strict", "--cache-dir", "mypy-cache", "use.py")
    errors = [line.split(":")[1] for line in done.stdout.splitlines() if ": error: " in line]
    assert errors == ["15", "16", "17", "18"], done.stdout


def test_called_and_served(second: Repository) -> None:
    said = python(
        second,
        """
        import asyncio
        from collections import Counter
        from metastudio import AsyncMetaStudio, Credentials, MetaStudio
        from metastudio.sandbox import serve
        from metastudio_client.models import Stage

        urls = []
        with serve(jobs=60) as sandbox:
            settings = dict(
                base_url=sandbox.url,
                credentials=Credentials(sandbox.access_key, sandbox.secret_key),
                project_id=sandbox.project_id,
            )
            hooks = {"request": [lambda request: urls.append(str(request.url))]}
            with MetaStudio(**settings, event_hooks=hooks) as studio:
                scenes = studio.scenes
                page = scenes.list(count=3, start=2)
                assert page.data.matches == 60 and len(page.data.scenes) == 3
                assert urls == [f"{sandbox.url}/v3/farms/{sandbox.project_id}/scenes?count=3&start=2"], urls
                every = list(scenes.iterate(page_size=7))
                codes = [scene.scene_code for scene in every]
                assert len(set(codes)) == len(codes) == 60
                assert {scene.farm.project for scene in every} == {sandbox.project_id}

                def kept(**filters):
                    return {scene.scene_code for scene in scenes.iterate(**filters)}

                def those(test):
                    found = {scene.scene_code for scene in every if test(scene)}
                    assert 0 < len(found) < 60, "a filter that keeps all or nothing proves nothing"
                    return found

                assert kept(finished=True) == those(lambda scene: scene.finished)
                assert kept(finished=False) == those(lambda scene: not scene.finished)
                assert "finished=false" in urls[-1]
                owner = Counter(scene.owner.name for scene in every).most_common(1)[0][0]
                assert kept(owner=owner) == those(lambda scene: scene.owner.name == owner)
                part = every[1].title[:2]
                assert kept(title=part) == those(lambda scene: part in scene.title)
                assert kept(min_frames=9, below_frames=15) == those(lambda scene: 9 <= scene.size.frames < 15)
                assert kept(stage=Stage.DONE) == those(lambda scene: scene.stage == "DONE")
                middle = sorted(scene.queued_at for scene in every)[30]
                assert kept(queued_from=middle) == those(lambda scene: scene.queued_at >= middle)
                scenes.list(label=["one", "two"])
                assert "label=one&label=two" in urls[-1], urls[-1]

                for turn, down in (("up", False), ("down", True)):
                    frames = [scene.size.frames for scene in scenes.iterate(order_by="frames", turn=turn)]
                    assert frames == sorted(frames, reverse=down)
                walked = [scene.scene_code for scene in scenes.iterate(consistent=True, page_size=7)]
                assert sorted(walked) == sorted(codes) and "order_by=queued" in urls[-1]

                assert scenes.find(codes[5]).scene_code == codes[5]
                assert scenes.find("nowhere") is None
                done = next(scene for scene in every if scene.stage == "DONE")
                assert scenes.wait(done.scene_code, timeout=5).scene_code == done.scene_code
                for wrong, hint in (({"finishd": True}, "did you mean finished"), ({"label": "one"}, "label")):
                    try:
                        scenes.list(**wrong)
                    except (TypeError, ValueError) as error:
                        assert hint in str(error), error
                    else:
                        raise AssertionError(f"{wrong} was accepted")

            async def alike():
                async with AsyncMetaStudio(**settings) as studio:
                    return [scene.scene_code async for scene in studio.scenes.iterate(page_size=7)]

            assert asyncio.run(alike()) == codes
        print("all right")
        """,
    )
    assert said.endswith("all right\n")


class Farm:
    """The command, with the sandbox of the second contract behind it."""

    def __init__(self, repository: Repository, settings: dict[str, str]) -> None:
        self._repository, self.settings = repository, settings

    @property
    def url(self) -> str:
        return self.settings["METASTUDIO_BASE_URL"]

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._repository.run(sys.executable, "-c", COMMAND, *arguments, **self.settings)

    def json(self, *arguments: str) -> Any:
        done = self(*arguments, "--output", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def farm(second: Repository) -> Any:
    paths = f"{second.root / 'overlays'}:{second.root / 'generated'}"
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", COMMAND, "sandbox", "--jobs", "40"],
        cwd=second.root, env={"PYTHONPATH": paths}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    settings: dict[str, str] = {}
    try:
        for line in process.stdout:
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                settings[name] = value.strip("'\"")
            if len(settings) == 5:
                break
        yield Farm(second, settings)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def test_listed_in_a_terminal(farm: Farm) -> None:
    shown = farm("scenes", "--help").stdout
    assert "--finished / --no-finished" in shown
    assert "--turn [up|down]" in shown
    assert "--start" not in shown, "paging is not for people"
    every = farm.json("scenes")
    assert len(every) == 40
    finished = farm.json("scenes", "--finished")
    assert finished == [each for each in every if each["finished"]] != every
    owner = every[0]["owner"]["name"]
    assert farm.json("scenes", "--owner", owner) == [each for each in every if each["owner"]["name"] == owner]
    frames = farm.json("scenes", "--order-by", "frames", "--turn", "down", "--limit", "4", "--columns", "size.frames")
    assert [each["size.frames"] for each in frames] == sorted((each["size"]["frames"] for each in every), reverse=True)[
        :4
    ]
    done = next(each["scene_code"] for each in every if each["stage"] == "DONE")
    assert farm("watch", done).returncode == 0
    crashed = next(each["scene_code"] for each in every if each["stage"] == "CRASHED")
    assert farm("watch", crashed).returncode == 5
    assert farm("jobs").returncode == 2


def test_proven(farm: Farm, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = farm("contract-test", farm.url, "--max-examples", "20", "--json", str(report))
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts: dict[str, list[str]] = {}
    for result in json.loads(report.read_text(encoding="utf-8"))["results"]:
        verdicts.setdefault(result["verdict"], []).append(result["id"])
    for name in ("finished", "owner", "title", "min_frames", "below_frames", "queued_from", "stage", "label"):
        assert any(f"filter.{name}" in each for each in verdicts["pass"]), (name, verdicts)
    assert "breach" not in verdicts
    assert len(verdicts["pass"]) > 60


def test_a_faulty_server_is_found_out(second: Repository) -> None:
    said = python(
        second,
        """
        from dataclasses import replace
        from metastudio.tester import Credentials, prove
        from metastudio.sandbox import CONFORMING, Overrides, serve

        def nested_ignored(rule, column, values):
            return None if rule.parameter == "owner" else CONFORMING.condition(rule, column, values)

        def exclusive(rule, column, values):
            changed = replace(rule, op="gt") if rule.parameter == "min_frames" else rule
            return CONFORMING.condition(changed, column, values)

        def boolean_turned(rule, column, values):
            values = [not value for value in values] if rule.parameter == "finished" else values
            return CONFORMING.condition(rule, column, values)

        for fault, name in ((nested_ignored, "owner"), (exclusive, "min_frames"), (boolean_turned, "finished")):
            with serve(jobs=40, overrides=Overrides(condition=fault)) as sandbox:
                keys = Credentials(sandbox.access_key, sandbox.secret_key)
                report = prove(sandbox.url, project_id=sandbox.project_id, keys=keys, only=("filter.*",))
                found = {str(result.property.id) for result in report.results if result.verdict.name == "BREACH"}
                print(name, any(f"filter.{name}" in each for each in found), sorted(found))
        """,
    )
    lines = [line.split()[:2] for line in said.splitlines()]
    assert lines == [["owner", "True"], ["min_frames", "True"], ["finished", "True"]], said


def test_linted(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "lint-contract", str(SECOND)], capture_output=True, text=True, check=False
    )
    if done.returncode == 77:
        pytest.skip(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
