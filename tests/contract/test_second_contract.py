"""Nothing is specific to the first contract: client, sandbox, command and tester work from another one.

In a copy of the repository, tests/contract/second.yaml replaces openapi.yaml: other names for paging, total, items,
identity and direction, items in a nested object, a boolean filter, nested properties, repeated keys instead of commas.
"""

from __future__ import annotations

import json
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
    """A copy whose client is generated from the second contract."""
    return Repository.generated_from(SECOND, tmp_path_factory.mktemp("second"))


def python(repository: Repository, program: str) -> str:
    done = repository.run(sys.executable, "-W", "error", "-c", textwrap.dedent(program))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_generated_client_has_no_trace_of_the_first_contract(second: Repository) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in second.generated.rglob("*.py"))
    assert "class Scenes:" in text
    assert "training_job" not in text.replace("openapi.yaml", "")
    assert (second.generated / "openapi.yaml").read_bytes() == SECOND.read_bytes()


@pytest.mark.slow  # 9 s; test_every_kind.py has the same for every kind of operation
def test_the_type_checker_knows_every_argument(second: Repository) -> None:
    program = second.root / "use.py"
    program.write_text(
        textwrap.dedent("""
            from typing import assert_type

            from metastudio import AsyncMetaStudio, MetaStudio, Scene, ScenePage, Turn


            async def use(studio: MetaStudio, other: AsyncMetaStudio) -> None:
                assert_type(studio.scenes.list(count=5, start=10, finished=True, turn="down"), ScenePage)
                assert_type(await other.scenes.list(label=["a"], turn=Turn.UP), ScenePage)
                for scene in studio.scenes.iterate(owner="alpha", min_frames=3, page_size=7):
                    assert_type(scene.owner.name, str)
                for scene in studio.scenes.list():
                    assert_type(scene.settled, bool)
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
    assert errors == ["16", "17", "18", "19"], done.stdout


def test_client_and_sandbox(second: Repository) -> None:
    output = python(
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
                assert page.data.matches == 60 and len(page.data.scenes) == len(page) == 3
                assert [scene.settled for scene in page] == [str(scene.stage) in ("DONE", "CRASHED") for scene in page]
                assert page.request_id and "owner=Owner(name=" in repr(page)
                assert urls == [f"{sandbox.url}/v3/farms/{sandbox.project_id}/scenes?count=3&start=2"], urls
                every = list(scenes.iterate(page_size=7))
                codes = [scene.scene_code for scene in every]
                assert len(set(codes)) == len(codes) == 60
                assert {scene.site.project for scene in every} == {sandbox.project_id}

                def filtered(**filters):
                    return {scene.scene_code for scene in scenes.iterate(**filters)}

                def matching(test):
                    found = {scene.scene_code for scene in every if test(scene)}
                    assert 0 < len(found) < 60, "a filter that matches everything or nothing proves nothing"
                    return found

                assert filtered(finished=True) == matching(lambda scene: scene.finished)
                assert filtered(finished=False) == matching(lambda scene: not scene.finished)
                assert "finished=false" in urls[-1]
                owner = Counter(scene.owner.name for scene in every).most_common(1)[0][0]
                assert filtered(owner=owner) == matching(lambda scene: scene.owner.name == owner)
                part = every[1].title[:2]
                assert filtered(title=part) == matching(lambda scene: part in scene.title)
                assert filtered(min_frames=9, below_frames=15) == matching(lambda scene: 9 <= scene.size.frames < 15)
                assert filtered(stage=Stage.DONE) == matching(lambda scene: scene.stage == "DONE")
                middle = sorted(scene.queued_at for scene in every)[30]
                assert filtered(queued_from=middle) == matching(lambda scene: scene.queued_at >= middle)
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
                for arguments, hint in (({"finishd": True}, "did you mean finished"), ({"label": "one"}, "label")):
                    try:
                        scenes.list(**arguments)
                    except (TypeError, ValueError) as error:
                        assert hint in str(error), error
                    else:
                        raise AssertionError(f"{arguments} was accepted")

            async def codes_from_asyncio():
                async with AsyncMetaStudio(**settings) as studio:
                    return [scene.scene_code async for scene in studio.scenes.iterate(page_size=7)]

            assert asyncio.run(codes_from_asyncio()) == codes
        print("done")
        """,
    )
    assert output == "done\n"


class CommandRunner:
    """Runs the command of the second contract against its sandbox."""

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
def command(second: Repository) -> Any:
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
        yield CommandRunner(second, settings)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def test_the_command(command: CommandRunner) -> None:
    shown = command("scenes", "--help").stdout
    assert "--finished / --no-finished" in shown
    assert "--turn [up|down]" in shown
    assert "--start" not in shown, "the command pages by itself"
    every = command.json("scenes")
    assert len(every) == 40
    finished = command.json("scenes", "--finished")
    assert finished == [each for each in every if each["finished"]] != every
    owner = every[0]["owner"]["name"]
    assert command.json("scenes", "--owner", owner) == [each for each in every if each["owner"]["name"] == owner]
    frames = command.json(
        "scenes", "--order-by", "frames", "--turn", "down", "--limit", "4", "--columns", "size.frames"
    )
    assert [each["size.frames"] for each in frames] == sorted((each["size"]["frames"] for each in every), reverse=True)[
        :4
    ]
    done = next(each["scene_code"] for each in every if each["stage"] == "DONE")
    assert command("watch", done).returncode == 0
    crashed = next(each["scene_code"] for each in every if each["stage"] == "CRASHED")
    assert command("watch", crashed).returncode == 5
    assert command("jobs").returncode == 2


def test_contract_test_passes(command: CommandRunner, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    # Without the suite of shapes, which takes half the time: tests/tester/test_second_operation.py has it.
    done = command("contract-test", command.url, "--only", "meaning", "--only", "auth", "--json", str(report))
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts: dict[str, list[str]] = {}
    for result in json.loads(report.read_text(encoding="utf-8"))["results"]:
        verdicts.setdefault(result["verdict"], []).append(result["id"])
    for name in ("finished", "owner", "title", "min_frames", "below_frames", "queued_from", "stage", "label"):
        assert any(f"filter.{name}" in each for each in verdicts["pass"]), (name, verdicts)
    assert "breach" not in verdicts
    assert len(verdicts["pass"]) > 60


def test_contract_test_finds_faulty_filters(second: Repository) -> None:
    output = python(
        second,
        """
        from metastudio.tester import Credentials, prove
        from metastudio.sandbox import CONFORMING, Overrides, serve

        def ignored(rule, column, values):
            return None if rule.parameter == "owner" else CONFORMING.condition(rule, column, values)

        def exclusive_bound(rule, column, values):
            changed = rule._replace(op="gt") if rule.parameter == "min_frames" else rule
            return CONFORMING.condition(changed, column, values)

        def negated(rule, column, values):
            values = [not value for value in values] if rule.parameter == "finished" else values
            return CONFORMING.condition(rule, column, values)

        for fault, name in ((ignored, "owner"), (exclusive_bound, "min_frames"), (negated, "finished")):
            with serve(jobs=40, overrides=Overrides(condition=fault)) as sandbox:
                keys = Credentials(sandbox.access_key, sandbox.secret_key)
                report = prove(sandbox.url, project_id=sandbox.project_id, keys=keys, only=(f"filter.{name}*",))
                found = {str(result.property.id) for result in report.results if result.verdict.name == "BREACH"}
                print(name, any(f"filter.{name}" in each for each in found), sorted(found))
        """,
    )
    lines = [line.split()[:2] for line in output.splitlines()]
    assert lines == [["owner", "True"], ["min_frames", "True"], ["finished", "True"]], output
