"""Renders the client package from a checked contract: openapi-python-client with our template overrides.

The overrides in templates/ include the stock template and change a few lines of it. They get three things that the
generator does not give them: the stock templates under `stock/`, values of the contract that its parser drops, and the
filter `replace_once`, which stops the generation where the stock text is no longer what an override expects.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import attrs
from jinja2 import ChoiceLoader, FileSystemLoader, PackageLoader, PrefixLoader, pass_context
from jinja2.runtime import Context
from metastudio.contract import ContractError, Document, compile_contract
from metastudio.contract.compiler import Contract, plain
from metastudio.contract.json_pointer import join
from metastudio.contract.naming import method_name, method_suffix, python_name
from metastudio.contract.operation import EPOCHS, Operation
from metastudio.lists.options import IterateOptions, WaitOptions
from openapi_python_client import Project
from openapi_python_client.config import Config, ConfigFile, MetaType
from openapi_python_client.parser import GeneratorData
from openapi_python_client.parser.errors import GeneratorError
from openapi_python_client.strings import ClassName

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "templates"
SETTINGS = ["project_id"]
"""Path parameters that the client fills from its settings."""


def generate(document: Document, fresh: Path) -> None:
    """Generate the whole package into the new folder `fresh`.

    Raises:
        ContractError: the generator cannot make something, or a stock template has changed under an override.
    """
    contract = compile_contract(document)
    config = Config.from_sources(
        ConfigFile.load_from_path(TEMPLATES / "config.yaml"),
        MetaType.NONE,
        document_source=document.path,
        file_encoding="utf-8",
        overwrite=False,
        output_path=fresh,
    )
    data = GeneratorData.from_dict(deepcopy(document.data), config=config)
    if isinstance(data, GeneratorError):
        raise _refused(document, [data])
    _describe_parameters(data, contract)
    project = Project(openapi=data, config=config, custom_template_path=TEMPLATES)
    stock = PackageLoader("openapi_python_client")
    project.env.loader = ChoiceLoader([FileSystemLoader(TEMPLATES), PrefixLoader({"stock": stock}), stock])
    filters: dict[str, Any] = project.env.filters
    filters["replace_once"] = _replace_once
    known = {
        id(property): contract.operations[endpoint.name].parameters[property.name.get_untrusted_value()]
        for collection in data.endpoint_collections_by_tag.values()
        for endpoint in collection.endpoints
        for property in (*endpoint.query_parameters, *endpoint.path_parameters)
    }
    filters["is_joined"] = lambda property: id(property) in known and known[id(property)].joined
    filters["is_epoch"] = lambda property: id(property) in known and known[id(property)].epoch is not None
    project.env.globals.update(_template_values(document, contract))
    with contextlib.redirect_stdout(io.StringIO()):  # it prints the path of the folder
        errors = project.build()
    if errors:
        raise _refused(document, errors)
    (fresh / "contract.py").write_text(_constants(contract), encoding="utf-8")
    shutil.copy(document.path, fresh / "openapi.yaml")
    (fresh / "py.typed").touch()
    _format(fresh)


def _describe_parameters(data: GeneratorData, contract: Contract) -> None:
    """Give each parameter its own description. The generator takes that of its schema, which others may share."""
    for collection in data.endpoint_collections_by_tag.values():
        for endpoint in collection.endpoints:
            known = contract.operations[endpoint.name].parameters
            for kind in ("path_parameters", "query_parameters", "header_parameters"):
                described = [
                    attrs.evolve(each, description=known[each.name.get_untrusted_value()].description)
                    for each in getattr(endpoint, kind)
                ]
                setattr(endpoint, kind, described)


@pass_context
def _replace_once(context: Context, text: str, old: str, new: str, times: int = 1) -> str:
    """Replace `old`, which must occur exactly `times` times in the stock text."""
    if (found := text.count(old)) != times:
        raise ContractError(
            f"templates/{context.name} replaces {old.strip()!r} in the generator's stock template, "
            f"which holds it {found} times, not {times}. The stock template has changed; adapt the override"
        )
    return text.replace(old, new)


def _refused(document: Document, errors: Sequence[GeneratorError]) -> ContractError:
    text = "\n".join(part for each in errors for part in (each.header, each.detail) if part)
    return document.error(_place(text), f"the generator cannot make this:\n{text}")


def _place(text: str) -> str:
    """The pointer of what the generator's message names: a schema, which is the cause of the rest, or an operation."""
    if schema := re.search(r"schema (/components/schemas/[\w.-]+)", text):
        return schema[1]
    operation = re.search(r"parsing ([A-Z]+) (/\S*) within", text)
    return join(["paths", operation[2], operation[1].lower()]) if operation else ""


def _constants(contract: Contract) -> str:
    operations = contract.operations
    return "\n".join(
        (
            '"""The contract as typed constants, for code that interprets it."""',
            "from metastudio.contract.operation import Body, Filter, ListRules, Operation, Order, Parameter",
            "from metastudio.contract.operation import ServerUrl, State, Transition",
            "from metastudio.contract.structure import JsonArray, JsonObject",
            f"TITLE = {contract.title!r}",
            f"VERSION = {contract.version!r}",
            f"SERVER = {contract.server!r}",
            *(f"{_constant(name)} = {operation!r}" for name, operation in operations.items()),
            f"OPERATIONS = {{{', '.join(f'{name!r}: {_constant(name)}' for name in operations)}}}",
            "",
        )
    )


def _constant(operation_id: str) -> str:
    return operation_id.upper()


class OptionParameter(NamedTuple):
    """A keyword parameter of `iterate` or `wait`. `default` is its source text, None where it must be given."""

    name: str
    annotation: str
    default: str | None
    text: str


def _option_parameters(options: type[Any]) -> list[OptionParameter]:
    return [
        OptionParameter(
            each.name,
            str(each.type),
            None if each.default is dataclasses.MISSING else repr(each.default),
            each.metadata["doc"],
        )
        for each in dataclasses.fields(options)
    ]


def _template_values(document: Document, contract: Contract) -> dict[str, Any]:
    operations = contract.operations.values()
    schemas = document.at("/components/schemas") or {}
    return {
        "enum_descriptions": {name: raw.get("description", "") for name, raw in schemas.items() if "enum" in raw},
        "epoch_properties": {
            str(ClassName(name, "")): _epochs(plain(document, f"/components/schemas{join([name])}")) for name in schemas
        },
        # Properties that are equal in all items of a list: those of its scope.
        "shared_properties": {
            op.item_class: sorted({pointer[1:] for pointer in op.list_rules.scope.values()})
            for op in operations
            if op.list_rules and op.item_class
        },
        "response_models": {op.response_class for op in operations},
        "list_models": {
            op.response_class: {"pointer": op.list_rules.items, "item": op.item_class or "Any"}
            for op in operations
            if op.list_rules
        },
        "item_states": {
            model: {"constant": _constant(op.id), "phases": sorted({state.phase for state in op.states.values()})}
            for op in operations
            for model in (op.item_class, op.response_class if op.kind == "show" else None)
            if model and op.states
        },
        "methods": {op.id: _methods(op, contract) for op in operations},
        "iterate_options": _option_parameters(IterateOptions),
        "wait_options": _option_parameters(WaitOptions),
    }


def _epochs(schema: Mapping[str, Any]) -> dict[str, int]:
    """Return the properties of a schema that are times as numbers, with their units in a second."""
    found = {name: units for part in schema.get("allOf", []) for name, units in _epochs(part).items()}
    times = {name: each.get("format", "") for name, each in schema.get("properties", {}).items()}
    return found | {name: EPOCHS[time] for name, time in times.items() if time in EPOCHS}


def _find_through(operation: Operation, contract: Contract) -> tuple[Operation, str] | None:
    """Return the operation that finds an item of a list by its ID, and the parameter: the list itself, or its show."""
    rules = operation.list_rules
    if rules is None or rules.identity is None or _own_path(operation):
        return None
    for name, each in rules.filters.items():
        if each.property == rules.identity and each.op == "eq":
            return operation, python_name(name)
    for other in contract.operations.values():
        if other.kind == "show" and other.list_id == operation.id and other.item_parameter:
            return (other, python_name(other.item_parameter)) if len(_own_path(other)) == 1 else None
    return None


def _own_path(operation: Operation) -> list[str]:
    return [
        each.name for each in operation.parameters.values() if each.location == "path" and each.name not in SETTINGS
    ]


def _response_type(operation: Operation) -> str:
    """Return the type of the response: a model, Any for JSON without a model, and None where a success has no JSON."""
    with_json = [structure is not None for structure in operation.success.values()]
    known = operation.response_class or ("Any" if any(with_json) else "None")
    return known if all(with_json) or known in ("None", "Any") else f"{known} | None"


def _methods(operation: Operation, contract: Contract) -> dict[str, Any]:
    """What endpoint_init.py.jinja needs to write the methods of an operation."""
    rules = operation.list_rules
    suffix = method_suffix(operation.id, operation.tag)
    found, body = _find_through(operation, contract), operation.body
    response = _response_type(operation)
    finder_type = None
    if found:
        finder_type = operation.item_class if found[0] is operation else _response_type(found[0])
    return {
        "constant": _constant(operation.id),
        "method": method_name(operation.id, operation.tag),
        "leading": [*_own_path(operation), *(["body"] if operation.body else [])],
        "writes": operation.method not in ("GET", "HEAD", "OPTIONS"),
        "idempotent": operation.idempotent,
        "iterate": f"iterate{suffix}",
        "find": f"find{suffix}",
        "wait": f"wait{suffix}",
        "list": rules is not None,
        "settings": SETTINGS,
        "paging": [rules.offset, rules.limit] if rules else [],
        "identity": found[1] if found else "",
        "finder": found[0].id if found else "",
        "found": finder_type or "Any",
        "states": bool(operation.states),
        "response": response,
        "model": operation.response_class,
        "item": operation.item_class or ("Any" if rules else response),
        "classes": [
            each for each in (operation.response_class, operation.item_class, body and body.class_name) if each
        ],
        "summary": operation.summary or operation.id,
        "description": operation.description,
        "texts": {each.name: each.description or each.name for each in operation.parameters.values()}
        | ({"body": operation.body.description or "The body of the request."} if operation.body else {}),
    }


def _format(folder: Path) -> None:
    ruff = [sys.executable, "-m", "ruff"]
    settings = ["--isolated", "--no-cache", "--line-length", "120", str(folder)]
    for command in (["check", "--fix-only", "--select=F401,I"], ["format"]):
        done = subprocess.run([*ruff, *command, *settings], capture_output=True, text=True, check=False)
        if done.returncode:
            raise ContractError(f"ruff {command[0]} failed on the generated code:\n{done.stdout}{done.stderr}")
