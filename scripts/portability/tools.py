"""The tools, each with its pinned packages, what prepares it, and the program that tries it.

In a command, {bin} is where the tool's commands are, {contract} the contract, {work} a folder of its own (its programs
are copied there), {java} Java.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata

_TSC = (
    "{bin}/tsc --strict --target es2022 --lib es2022,dom,dom.iterable --module node16 --moduleResolution node16 "
    "--skipLibCheck --outDir {work}/js {work}/try.ts"
)
_TS = "typescript@5.9.3"
_GENERATOR = "openapi-generator-cli==7.26.0"  # the one on PyPI ships the jar; npm's wrapper downloads it


@dataclass(frozen=True)
class Tool:
    """`kind` is python, node or project (this project's own environment); `does` says how it is tried."""

    name: str
    kind: str
    packages: tuple[str, ...]
    does: str
    run: str
    programs: tuple[str, ...] = ()
    prepare: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


TOOLS = (
    Tool(
        "spectral",
        "project",
        ("@stoplight/spectral-cli@6.16.3",),
        "lints, `spectral:oas`",
        "lint spectral",
        needs=("node",),
    ),
    Tool(
        "redocly", "project", ("@redocly/cli@2.77.0",), "lints, `recommended-strict`", "lint redocly", needs=("node",)
    ),
    Tool(
        "openapi-spec-validator",
        "python",
        ("openapi-spec-validator==0.9.0",),
        "validates the file, and answers against its schemas",
        "{bin}/python {work}/spec_validator.py",
        ("spec_validator.py",),
    ),
    Tool(
        "swagger-parser",
        "node",
        ("@apidevtools/swagger-parser@12.1.0",),
        "validates, dereferences, hands out the example",
        "node {work}/swagger_parser.cjs",
        ("swagger_parser.cjs",),
    ),
    Tool(
        "openapi-typescript",
        "node",
        ("openapi-typescript@7.13.0", "openapi-fetch@0.17.0", _TS),
        "types under tsc --strict, calls with openapi-fetch",
        "node {work}/js/try.js",
        ("openapi_typescript.ts",),
        ("{bin}/openapi-typescript {contract} -o {work}/types.ts", _TSC),
    ),
    Tool(
        "hey-api",
        "node",
        ("@hey-api/openapi-ts@0.95.0", _TS),
        "client under tsc --strict, calls",
        "node {work}/js/try.js",
        ("hey_api.ts",),
        ("{bin}/openapi-ts -i {contract} -o {work}/client -c @hey-api/client-fetch", _TSC),
    ),
    Tool(
        "openapi-generator python",
        "python",
        (_GENERATOR, "pydantic==2.14.3", "urllib3==2.8.0", "python-dateutil==2.9.0.post0", "typing-extensions==4.16.0"),
        "client, calls, back to JSON",
        "{bin}/python {work}/generator_python.py",
        ("generator_python.py",),
        ("{bin}/openapi-generator-cli generate -i {contract} -g python -o {work} --package-name generated_client",),
        ("java",),
    ),
    Tool(
        "openapi-generator typescript-fetch",
        "python",
        (_GENERATOR,),
        "client under tsc --strict, calls, back to JSON",
        "node {work}/js/try.js",
        ("generator_typescript.ts",),
        (
            "{bin}/openapi-generator-cli generate -i {contract} -g typescript-fetch -o {work}/client",
            _TSC.replace("{bin}", "{typescript}"),
        ),
        ("java", "node"),
    ),
    Tool(
        "datamodel-code-generator",
        "python",
        ("datamodel-code-generator==0.89.0", "pydantic[email]==2.14.3"),
        "pydantic models, answers in and out",
        "{bin}/python {work}/datamodel.py",
        ("datamodel.py",),
        (
            "{bin}/datamodel-codegen --input {contract} --input-file-type openapi --output {work}/models.py "
            "--output-model-type pydantic_v2.BaseModel --formatters black isort",
        ),
    ),
    Tool(
        "openapi-core",
        "python",
        ("openapi-core==0.23.1",),
        "validates requests and answers",
        "{bin}/python {work}/core.py",
        ("core.py",),
    ),
    Tool("aiopenapi3", "python", ("aiopenapi3==0.11.0",), "reads it, calls", "{bin}/python {work}/aio.py", ("aio.py",)),
    Tool(
        "prism",
        "node",
        ("@stoplight/prism-cli@5.14.2",),
        "mock server and validating proxy, called by our client",
        "{python} {work}/prism.py {bin}/prism",
        ("prism.py",),
    ),
    Tool(
        "schemathesis",
        "project",
        (f"schemathesis=={metadata.version('schemathesis')}",),
        "makes requests, validates answers",
        "{python} {work}/tester.py",
        ("tester.py",),
    ),
)
