"""A hostile contract is refused with one message that gives its place; odd but valid text is accepted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from metastudio.contract import ContractError, check, compile_contract, load

CONTRACT = (Path(__file__).parents[2] / "openapi.yaml").read_text(encoding="utf-8")
PROPERTY = "        app_user_id:\n"
LAUGHS = "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
MERGES = "".join(f"a{n}: &a{n} {{<<: [{','.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 12))
HEAD = "openapi: 3.0.3\ninfo: {title: a, version: '1'}\n"

REFUSED = {
    "deep, closed": ("a: " + "[" * 100_000 + "]" * 100_000, "openapi.yaml:1:103: nested more than 100 levels"),
    "deep, open": ("a: " + "[" * 100_000, "nested more than 100 levels"),
    "deep JSON": ('{"a":' * 50_000 + "1" + "}" * 50_000, "nested more than 100 levels"),
    "deep in blocks": ("\n".join(" " * n + "a:" for n in range(1000)), "openapi.yaml:101:101: nested"),
    "aliases that multiply": (f"a0: &a0 [x]\n{LAUGHS}", "more than 200,000 values"),
    "merges that multiply": (f"a0: &a0 {{k: v}}\n{MERGES}", "more than 200,000 values"),
    "list in itself": ("a: &a [*a]", "openapi.yaml:1:4: nested more than 100 levels deep; does an alias"),
    "mapping in itself": ("a: &a\n  b: *a", "nested"),
    "merge of itself": ("a: &a {<<: *a}", "nested"),
    "long number": ("a: " + "9" * 5000, "does not match its tag"),
    "text tagged as a number": ("a: !!int x", "does not match its tag"),
    "text tagged as a boolean": ("a: !!bool maybe", "does not match its tag"),
    "time that is none": ("a: !!timestamp 2001-99-99", "openapi.yaml:1:4: timestamp is no type that JSON has"),
    "set": ("a: !!set {b}", "openapi.yaml:1:4: set is no type"),
    "Python object": ("a: !!python/object/apply:os.system [ls]", "is no type that JSON has"),
    "no number": ("a: .nan", "openapi.yaml:1:1: nan is no number"),
    "half of an emoji": ('{"a": "\\ud83d"}', "openapi.yaml:1:2: half of a surrogate pair"),
    "control character": ("a: \x00", "not YAML"),
    "paths": (f"{HEAD}paths: 3", "openapi.yaml:3:1: 3 is not of type"),
    "operation": (f"{HEAD}paths: {{/a: {{get: 3}}}}", "openapi.yaml:3:14: 3 is not of type"),
    "tags": (CONTRACT.replace("tags: [training_jobs]", "tags: 3"), "3 is not of type"),
    "pattern": (
        f"{HEAD}paths: {{}}\ncomponents: {{schemas: {{A: {{pattern: '{'(' * 3000 + ')' * 3000}'}}}}}}",
        "openapi.yaml:4:28: not a regular expression",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_contracts_are_refused_with_their_place(tmp_path: Path, name: str) -> None:
    text, said = REFUSED[name]
    path = tmp_path / "openapi.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ContractError) as caught:
        check(load(path))
    assert said in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "name", ["", "\0", " ", "1", "a/b", "a~b", "~", "日本", "$ref", "__init__", "def", '"', "\\", "\n", "😀", "{{x}}"]
)
def test_odd_property_names_are_compiled(tmp_path: Path, name: str) -> None:
    path = tmp_path / "openapi.yaml"
    path.write_text(CONTRACT.replace(PROPERTY, f"        {json.dumps(name)}: {{type: string}}\n{PROPERTY}"))
    document = load(path)
    check(document)
    [operation] = compile_contract(document).operations.values()
    assert name in operation.fields


def test_keys_are_text_as_written(tmp_path: Path) -> None:
    path = tmp_path / "openapi.yaml"
    path.write_text("200: a\n0x10: b\n~: c\n1.0: d\n2001-01-01: {e: f}\n")
    document = load(path)
    assert document.data == {"200": "a", "0x10": "b", "~": "c", "1.0": "d", "2001-01-01": {"e": "f"}}
    assert document.position("/2001-01-01/e") == (5, 14)


@pytest.mark.parametrize("ascii_only", [True, False])
def test_an_emoji_in_json_is_one_character(tmp_path: Path, ascii_only: bool) -> None:
    """JSON may write it as two surrogates."""
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps({"a": "😀", "😀": "b"}, ensure_ascii=ascii_only), encoding="utf-8")
    assert load(path).data == {"a": "😀", "😀": "b"}
