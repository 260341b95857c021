"""The OpenAPI document: what FastAPI knows of the routes, and what the gate adds to them."""

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel

from engine.api.scopes import scope_of
from engine.contracts import ErrorBody

SCHEME = "token"
SCHEMAS = "#/components/schemas/"
ABOUT = (
    "Loopback only. Every call but the open ones carries `Authorization: Bearer <token>`: the"
    " token of the token file, which may do all, or one that was made with scopes (read, signals,"
    " trade, admin). Decimals are plain strings, times ISO 8601 in UTC."
)


class ErrorAnswer(BaseModel):
    """The body of every failed request."""

    error: ErrorBody


def describe(app: FastAPI, routes: Iterable[APIRoute]) -> None:
    """Let ``app`` serve a document that names, for each operation, the scope that it needs."""
    needed = {
        (method.lower(), route.path_format): scope_of(method, route.path_format, str(route.tags[0]))
        for route in routes
        for method in route.methods or ()
    }

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title, version=app.version, description=ABOUT, routes=app.routes
            )
            components = document.setdefault("components", {})
            components["securitySchemes"] = {SCHEME: {"type": "http", "scheme": "bearer"}}
            components.setdefault("schemas", {}).update(_error_schemas())
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    scope = needed[method, path]
                    operation["security"] = [] if scope is None else [{SCHEME: [str(scope)]}]
                    _name_types(path, operation["responses"])
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents it


def _error_schemas() -> dict[str, Any]:
    """That of ``ErrorAnswer``, and those that it refers to."""
    schema = ErrorAnswer.model_json_schema(ref_template=SCHEMAS + "{model}", mode="serialization")
    return {**schema.pop("$defs"), ErrorAnswer.__name__: schema}


def _name_types(path: str, responses: dict[str, Any]) -> None:
    """Failures are JSON whatever the route gives when it goes well, which for a file of text
    FastAPI does not know."""
    for status, response in responses.items():
        if status[0] in "45":
            error = {"$ref": SCHEMAS + ErrorAnswer.__name__}
            response["content"] = {"application/json": {"schema": error}}
        elif path.endswith(".csv"):
            response["content"] = {"text/csv": {"schema": {"type": "string"}}}
