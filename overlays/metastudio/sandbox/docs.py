"""API documentation: Swagger UI at /docs, and the contract at /openapi.json.

The files of Swagger UI come from the package swagger-ui-bundle, so that the page loads nothing from another host. The
page is authorised with the token of the main account: the sandbox listens on the loopback interface only, and its
credentials are fictitious.
"""

from __future__ import annotations

import html
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from swagger_ui_bundle import swagger_ui_path

from metastudio.contract import Document

_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/index.css">
<link rel="stylesheet" href="docs/swagger-ui.css">
<div id="page"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script>
const ui = SwaggerUIBundle({{
  spec: {contract}, dom_id: "#page", deepLinking: true, tryItOutEnabled: true, persistAuthorization: true,
  validatorUrl: null, docExpansion: "full", defaultModelsExpandDepth: 0,
  onComplete: () => {schemes}.forEach(name => ui.preauthorizeApiKey(name, {token}))
}});
</script>
</html>
"""


def docs_routes(document: Document, token: str) -> list[BaseRoute]:
    """Return the routes of the documentation. The contract that they serve names the sandbox as the server."""
    schemes = (document.at("/components/securitySchemes") or {}).items()
    tokens = [name for name, scheme in schemes if str(scheme.get("name")).lower() == "x-auth-token"]

    def contract(request: Request) -> dict[str, Any]:
        server = f"{request.url.scheme}://{request.url.netloc}"
        return {**document.data, "servers": [{"url": server, "description": "This sandbox."}]}

    async def page(request: Request) -> Response:
        values = {"contract": _with_item_types(document, contract(request)), "schemes": tokens, "token": token}
        scripts = {name: json.dumps(value).replace("<", "\\u003c") for name, value in values.items()}
        return HTMLResponse(_PAGE.format(title=html.escape(document.data["info"]["title"]), **scripts))

    async def as_json(request: Request) -> Response:
        return JSONResponse(contract(request))

    files = Mount("/docs", StaticFiles(directory=swagger_ui_path))
    return [Route("/docs", page), Route("/openapi.json", as_json), files]


def _with_item_types(document: Document, node: Any) -> Any:
    """Name the type of array items whose alternatives share one: Swagger UI shows `array<any>` otherwise."""
    if isinstance(node, list):
        return [_with_item_types(document, each) for each in node]
    if not isinstance(node, dict):
        return node
    result = {key: _with_item_types(document, value) for key, value in node.items()}
    if isinstance(items := node.get("items"), dict) and "anyOf" in items:
        types = {document.resolve(each, "")[0].get("type") for each in items["anyOf"]}
        result["items"] = {**({"type": types.pop()} if len(types) == 1 else {}), **result["items"]}
    return result
