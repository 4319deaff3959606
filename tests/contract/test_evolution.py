"""Editing openapi.yaml and running ./generate.sh is enough: no Python changes.

In a copy of the repository, the contract gets a query parameter with its `x-list` line, a response field and a second
list operation. The typed client and the sandbox then have them; tests/cli/test_evolution.py tests the command, and
tests/contract/test_second_contract.py what a type checker sees.
"""

from __future__ import annotations

import sys
import textwrap

import pytest
from repository import Repository

PARAMETER = """\
        - name: matting_type
          in: query
          description: Keep tasks with this matting type.
          schema:
            $ref: '#/components/schemas/FilterText'
"""

FIELD = """\
        training_hours:
          description: Hours of training so far.
          type: integer
          nullable: true
"""

OPERATION = """\
  /v2/{project_id}/voices:
    get:
      operationId: list_voices
      tags: [voices]
      summary: List voices
      parameters:
        - $ref: '#/components/parameters/ProjectId'
        - name: start
          in: query
          description: Voices to skip.
          schema: {type: integer, minimum: 0}
        - name: page_size
          in: query
          description: Voices on a page.
          schema: {type: integer, minimum: 1, maximum: 50}
        - name: ready
          in: query
          description: Keep voices that are ready, or voices that are not.
          schema: {type: boolean}
      responses:
        '200':
          description: A page of voices.
          headers:
            X-Request-Id:
              $ref: '#/components/headers/RequestId'
          content:
            application/json:
              schema:
                $ref: '#/components/schemas/VoicePage'
        '400':
          description: A parameter is invalid.
          content:
            application/json:
              schema:
                $ref: '#/components/schemas/ServiceError'
      x-list:
        items: /data/voices
        total: /data/total
        identity: /voice_id
        page: {style: offset, offset: start, limit: page_size}
        filters:
          ready: {property: /ready, op: eq}
"""

SCHEMAS = """\
    VoicePage:
      type: object
      required: [data]
      properties:
        data:
          $ref: '#/components/schemas/VoiceData'
    VoiceData:
      type: object
      required: [total, voices]
      properties:
        total: {type: integer}
        voices:
          type: array
          items:
            $ref: '#/components/schemas/Voice'
    Voice:
      type: object
      required: [voice_id, ready]
      properties:
        voice_id: {type: string}
        ready: {type: boolean}
"""


@pytest.fixture(scope="module")
def evolved(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    repository = Repository(tmp_path_factory.mktemp("evolution"))
    repository.edit("        - name: X-App-UserId\n", PARAMETER + "        - name: X-App-UserId\n")
    repository.edit(
        "          model_resolution: {property: /model_resolution, op: eq}\n",
        "          model_resolution: {property: /model_resolution, op: eq}\n"
        "          matting_type: {property: /matting_type, op: eq}\n",
    )
    repository.edit("        app_user_id:\n", FIELD + "        app_user_id:\n")
    repository.edit("\ncomponents:\n", "\n" + OPERATION + "\ncomponents:\n")
    repository.edit("    TrainingJobState:\n", SCHEMAS + "    TrainingJobState:\n")
    repository.edit(
        "  - name: training_jobs\n", "  - name: voices\n    description: Voices.\n  - name: training_jobs\n"
    )
    before = repository.snapshot("overlays", "scripts", "templates")
    done = repository.generate()
    assert done.returncode == 0, done.stdout + done.stderr
    assert repository.snapshot("overlays", "scripts", "templates") == before
    return repository


def test_client_and_sandbox(evolved: Repository) -> None:
    program = """
        import attrs, metastudio, metastudio_client
        from metastudio import Credentials, MetaStudio
        from metastudio.sandbox import serve
        from metastudio_client.models import TrainingJobBasicInfo

        print(metastudio.__file__, metastudio_client.__file__)
        assert "training_hours" in attrs.fields_dict(TrainingJobBasicInfo)
        urls = []
        with serve(jobs=60) as sandbox, MetaStudio(
            base_url=sandbox.url,
            credentials=Credentials(sandbox.access_key, sandbox.secret_key),
            project_id=sandbox.project_id,
            event_hooks={"request": [lambda request: urls.append(str(request.url))]},
        ) as studio:
            every = list(studio.training_jobs.iterate())
            manual = list(studio.training_jobs.iterate(matting_type="MANUAL"))
            assert "matting_type=MANUAL" in urls[-1], urls
            assert 0 < len(manual) < len(every) == 60
            assert {job.matting_type for job in manual} == {"MANUAL"}
            assert sum(job.matting_type == "MANUAL" for job in every) == len(manual)

            voices = list(studio.voices.iterate(page_size=7))
            ready = list(studio.voices.iterate(ready=True, page_size=7))
            assert "/v2/" in urls[-1] and "page_size=7" in urls[-1] and "ready=true" in urls[-1], urls
            assert 0 < len(ready) < len(voices) == studio.voices.list(page_size=1).data.total
            assert len({voice.voice_id for voice in voices}) == len(voices)
            try:
                studio.voices.list(redy=True)
            except TypeError as error:
                assert "did you mean ready" in str(error)
            else:
                raise AssertionError("a misspelled filter was accepted")
        print("served", len(voices))
    """
    done = evolved.run(sys.executable, "-W", "error", "-c", textwrap.dedent(program))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(str(evolved.root)) == 2
    assert "served" in done.stdout
