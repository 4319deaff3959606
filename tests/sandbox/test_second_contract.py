"""A contract without any name of the packaged one is served too: other names, nesting and types."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metastudio.sandbox import Sandbox, serve

CONTRACT = """
openapi: 3.0.3
info: {title: Voices, version: 1.0.0}
paths:
  /v2/{project_id}/groups/{group}/voices:
    parameters:
      - {name: project_id, in: path, required: true, schema: {type: string, pattern: '^[a-z0-9]+$'}}
      - {name: group, in: path, required: true, schema: {type: string, enum: [men, women]}}
    get:
      operationId: list_voices
      tags: [voices]
      security: [{Token: []}]
      parameters:
        - {name: start, in: query, schema: {type: integer, minimum: 0}}
        - {name: page_size, in: query, schema: {type: integer, minimum: 1, maximum: 40, default: 7}}
        - {name: order_by, in: query, schema: {type: string, enum: [size, born, label]}}
        - {name: direction, in: query, schema: {type: string, enum: [up, down]}}
        - {name: open, in: query, schema: {type: boolean}}
        - {name: rated, in: query, schema: {type: boolean}}
        - {name: owner, in: query, schema: {type: array, items: {type: string}}}
        - {name: not_kind, in: query, explode: false, schema: {type: array, items: {type: string}}}
        - {name: min_size, in: query, schema: {type: integer}}
        - {name: below, in: query, schema: {type: number}}
        - {name: label_part, in: query, schema: {type: string}}
        - {name: label_start, in: query, schema: {type: string}}
        - {name: language, in: query, schema: {type: string}}
        - {name: after, in: query, schema: {type: string, format: date-time}}
        - {name: X-Kind, in: header, schema: {type: string, enum: [a, b]}}
      responses:
        '200':
          description: One page.
          content: {application/json: {schema: {$ref: '#/components/schemas/Voices'}}}
      x-list:
        items: /data/found
        total: /data/paging/all
        identity: /id
        scope: {project_id: /home/project, group: /home/group}
        page: {style: offset, offset: start, limit: page_size}
        order:
          key: {parameter: order_by, values: {size: /size, born: /dates/born, label: /label}}
          direction: {parameter: direction, asc: up, desc: down, default: desc}
          without_key: unstated
        filters:
          open: {property: /open, op: eq}
          rated: {property: /rating, op: exists}
          owner: {property: /owner/name, op: eq}
          not_kind: {property: /kind, op: ne}
          min_size: {property: /size, op: ge}
          below: {property: /rating, op: lt}
          label_part: {property: /label, op: substring}
          label_start: {property: /label, op: prefix}
          language: {property: /samples/*/language, op: eq}
          after: {property: /dates/born, op: gt}
          X-Kind: {property: /kind, op: unstated}
  /v2/tags:
    get:
      operationId: list_tags
      tags: [tags]
      security: []
      parameters:
        - {name: skip, in: query, schema: {type: integer}}
        - {name: take, in: query, schema: {type: integer}}
      responses:
        '200':
          description: All tags.
          content:
            application/json:
              schema: {$ref: '#/components/schemas/Tags'}
              example: {tags: [{word: one}, {word: two}]}
      x-list: {items: /tags, identity: /word, page: {style: offset, offset: skip, limit: take}}
components:
  securitySchemes:
    Token: {type: apiKey, in: header, name: X-Auth-Token}
  schemas:
    Voices:
      type: object
      required: [data, version]
      properties:
        version: {type: string, enum: [v2]}
        data:
          type: object
          required: [found, paging]
          properties:
            paging: {type: object, required: [all, note], properties: {all: {type: integer}, note: {type: string}}}
            found: {type: array, items: {$ref: '#/components/schemas/Voice'}}
    Voice:
      type: object
      required: [id, home, open, size, label, dates]
      properties:
        id: {type: integer}
        home:
          type: object
          required: [project, group]
          properties: {project: {type: string}, group: {type: string, enum: [men, women]}}
        open: {type: boolean}
        size: {type: integer, minimum: 1, maximum: 6}
        rating: {type: number, minimum: 0, maximum: 5}
        kind: {type: string, enum: [a, b, c]}
        label: {type: string, minLength: 1}
        owner: {type: object, required: [name], properties: {name: {type: string}}}
        dates: {type: object, required: [born], properties: {born: {type: string, format: date-time}}}
        samples:
          type: array
          items: {type: object, required: [language], properties: {language: {type: string, enum: [de, fr, zh]}}}
    Tags:
      type: object
      required: [tags]
      properties: {tags: {type: array, items: {$ref: '#/components/schemas/Tag'}}}
    Tag: {type: object, required: [word], properties: {word: {type: string, pattern: '^[a-z0-9-]+$'}}}
"""

KEEP: dict[str, Callable[[dict[str, Any], Any], bool]] = {
    "open": lambda voice, value: voice["open"] is value,
    "rated": lambda voice, value: ("rating" in voice) is value,
    "owner": lambda voice, value: voice.get("owner", {}).get("name") in value,
    "not_kind": lambda voice, value: "kind" in voice and voice["kind"] not in value.split(","),
    "min_size": lambda voice, value: voice["size"] >= value,
    "below": lambda voice, value: "rating" in voice and voice["rating"] < value,
    "label_part": lambda voice, value: value in voice["label"],
    "label_start": lambda voice, value: voice["label"].startswith(value),
    "language": lambda voice, value: value in [sample["language"] for sample in voice.get("samples", [])],
    "after": lambda voice, value: voice["dates"]["born"] > value,
}
KEYS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "size": lambda voice: voice["size"],
    "born": lambda voice: voice["dates"]["born"],
    "label": lambda voice: voice["label"],
}
TEXT = st.sampled_from(["a", "al", "alpha", "Alpha", "数字", "2", "zz"]) | st.text(max_size=3)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "open": st.booleans(),
    "rated": st.booleans(),
    "owner": st.lists(st.sampled_from(["alpha", "alpha 2", "x; y", "nobody"]), min_size=1, max_size=3),
    "not_kind": st.sampled_from(["a", "a,b", "z"]),
    "min_size": st.integers(-1, 8) | st.just(10**30),
    "below": st.sampled_from([0.5, 2.5, 4, 1e300]),
    "label_part": TEXT,
    "label_start": TEXT,
    "language": st.sampled_from(["de", "fr", "xx"]),
    "after": st.dates().map(lambda day: f"{day:%Y-%m-%d}T00:00:00Z".zfill(20)),
    "order_by": st.sampled_from(sorted(KEYS)),
    "direction": st.sampled_from(["up", "down"]),
    "start": st.sampled_from([0, 1, 30, 10**30]),
    "page_size": st.sampled_from([1, 5, 40]),
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    spec = Path(tmp_path_factory.mktemp("contract")) / "voices.yaml"
    spec.write_text(CONTRACT, encoding="utf-8")
    with serve(spec=spec, jobs=60) as running:
        yield running


@settings(max_examples=150, deadline=None)
@given(query=st.fixed_dictionaries({}, optional=VALUES), group=st.sampled_from(["men", "women"]))
def test_filters_order_and_pages_follow_the_rules(
    query: dict[str, Any], group: str, sandbox: Sandbox, http: httpx.Client
) -> None:
    voices = [
        voice
        for voice in sandbox.stores["list_voices"].items()
        if voice["home"] == {"project": sandbox.project_id, "group": group}
        and all(KEEP[name](voice, value) for name, value in query.items() if name in KEEP)
    ]
    if key := KEYS.get(query.get("order_by", "")):
        voices.sort(key=lambda voice: (key(voice), voice["id"]), reverse=query.get("direction", "down") == "down")
    start, size = query.get("start", 0), query.get("page_size", 7)

    url = f"{sandbox.url}/v2/{sandbox.project_id}/groups/{group}/voices"
    response = http.get(url, params=query, headers={"X-Auth-Token": sandbox.token})

    assert response.status_code == 200, response.headers
    body = response.json()
    assert body["data"]["found"] == voices[start : start + size]
    assert body["data"]["paging"]["all"] == len(voices)
    assert body["version"] == "v2"
    assert isinstance(body["data"]["paging"]["note"], str)


def test_each_filter_splits_the_items(sandbox: Sandbox) -> None:
    voices = sandbox.stores["list_voices"].items()
    examples = {
        "open": True, "rated": True, "owner": ["alpha"], "not_kind": "a", "min_size": 4, "below": 2.5,
        "label_part": "pha", "label_start": "al", "language": "de", "after": "2023-11-01T00:00:00Z",
    }  # fmt: skip
    for name, value in examples.items():
        assert 0 < sum(KEEP[name](voice, value) for voice in voices) < len(voices), name


@pytest.mark.parametrize(
    ("query", "status"),
    [("open=yes", 400), ("open=1", 400), ("below=1e3", 200), ("below=x", 400), ("below=1e999", 200),
     ("below=-1e999", 200), ("owner=a&owner=b", 200),
     ("not_kind=a&not_kind=b", 400), ("order_by=name", 400), ("page_size=41", 400), ("after=2023", 400)],
)  # fmt: skip
def test_query_parameters_are_checked(sandbox: Sandbox, http: httpx.Client, query: str, status: int) -> None:
    url = f"{sandbox.url}/v2/{sandbox.project_id}/groups/men/voices?{query}"

    assert http.get(url, headers={"X-Auth-Token": sandbox.token}).status_code == status


def test_path_parameters_are_checked(sandbox: Sandbox, http: httpx.Client) -> None:
    url = f"{sandbox.url}/v2/{sandbox.project_id}/groups/children/voices"

    assert http.get(url, headers={"X-Auth-Token": sandbox.token}).status_code == 400


def test_only_its_security_requirement_is_accepted(sandbox: Sandbox, http: httpx.Client, sign: Any) -> None:
    url = f"{sandbox.url}/v2/{sandbox.project_id}/groups/men/voices"

    assert http.get(url, headers=sign(url, sandbox.main.keys, X_Project_Id=sandbox.project_id)).status_code == 401
    assert http.get(url).status_code == 401


def test_an_operation_without_authentication(sandbox: Sandbox, http: httpx.Client) -> None:
    response = http.get(f"{sandbox.url}/v2/tags", params={"take": 1000}).json()

    assert [tag["word"] for tag in response["tags"][:2]] == ["one", "two"]
    assert len({tag["word"] for tag in response["tags"]}) == 60
    assert http.get(f"{sandbox.url}/v2/tags", params={"take": -1, "skip": -5}).status_code == 200
