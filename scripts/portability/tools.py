"""The tools: their pinned packages, commands to prepare them, and the program that tests them.

In a command, {bin} is the directory of the tool's commands, {contract} the contract, {work} a directory of its own with
its programs, {python} this project's Python and {typescript} the directory of the TypeScript compiler.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata

_TSC = (
    "{bin}/tsc --strict --target es2022 --lib es2022,dom,dom.iterable --module node16 --moduleResolution node16 "
    "--skipLibCheck --outDir {work}/js {work}/try.ts"
)
_TS = "typescript@5.9.3"
_GENERATOR = "openapi-generator-cli==7.26.0"  # the PyPI package contains the jar, the npm package downloads it


@dataclass(frozen=True)
class Tool:
    """A tool under test.

    Attributes:
        name: Its name in the table.
        kind: `python`, `node`, or `project` for this project's own environment.
        packages: Pinned packages; the first decides the version in the table.
        test: What is tested, for the table.
        run: The command of the test, or `lint LINTER`.
        programs: Files of programs/ that the test needs.
        prepare: Commands to run before the test.
        needs: Commands that must be on the PATH.
    """

    name: str
    kind: str
    packages: tuple[str, ...]
    test: str
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
        "validates the file, and responses against its schemas",
        "{bin}/python {work}/spec_validator.py",
        ("spec_validator.py",),
    ),
    Tool(
        "swagger-parser",
        "node",
        ("@apidevtools/swagger-parser@12.1.0",),
        "validates and dereferences the file, returns the example",
        "node {work}/swagger_parser.cjs",
        ("swagger_parser.cjs",),
    ),
    Tool(
        "openapi-typescript",
        "node",
        ("openapi-typescript@7.13.0", "openapi-fetch@0.17.0", _TS),
        "types pass tsc --strict, calls with openapi-fetch",
        "node {work}/js/try.js",
        ("openapi_typescript.ts",),
        ("{bin}/openapi-typescript {contract} -o {work}/types.ts", _TSC),
    ),
    Tool(
        "hey-api",
        "node",
        ("@hey-api/openapi-ts@0.95.0", _TS),
        "client passes tsc --strict, calls",
        "node {work}/js/try.js",
        ("hey_api.ts",),
        ("{bin}/openapi-ts -i {contract} -o {work}/client -c @hey-api/client-fetch", _TSC),
    ),
    Tool(
        "openapi-generator python",
        "python",
        (_GENERATOR, "pydantic==2.14.3", "urllib3==2.8.0", "python-dateutil==2.9.0.post0", "typing-extensions==4.16.0"),
        "client calls, converts back to JSON",
        "{bin}/python {work}/generator_python.py",
        ("generator_python.py",),
        ("{bin}/openapi-generator-cli generate -i {contract} -g python -o {work} --package-name generated_client",),
        ("java",),
    ),
    Tool(
        "openapi-generator typescript-fetch",
        "python",
        (_GENERATOR,),
        "client passes tsc --strict, calls, converts back to JSON",
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
        "pydantic models parse and serialize responses",
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
        "validates requests and responses",
        "{bin}/python {work}/core.py",
        ("core.py",),
    ),
    Tool(
        "aiopenapi3",
        "python",
        ("aiopenapi3==0.11.0",),
        "client at run time, calls",
        "{bin}/python {work}/aio.py",
        ("aio.py",),
    ),
    Tool(
        "prism",
        "node",
        ("@stoplight/prism-cli@5.14.2",),
        "mock server and validating proxy, called by this client",
        "{python} {work}/prism.py {bin}/prism",
        ("prism.py",),
    ),
    Tool(
        "schemathesis",
        "project",
        (f"schemathesis=={metadata.version('schemathesis')}",),
        "generates requests, validates responses",
        "{python} {work}/tester.py",
        ("tester.py",),
    ),
)
