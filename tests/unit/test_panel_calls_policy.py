"""Everything the panel does is in the API: each of its calls goes to a route that there is."""

import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from engine.api.app import all_routes
from engine.api.scopes import RouteBook
from panel.connection import Connection
from panel.facade import ControlPanel

SAMPLES: Mapping[type, Any] = {
    str: "x", bool: False, int: 1, Decimal: Decimal(1), bytes: b"x", Mapping: {}, dict: {},
    list: ["x", "y"], float: 1.0,
}  # fmt: skip


def calls() -> list[str]:
    """The names of what the panel can ask."""
    own = {name for name, _ in inspect.getmembers(Connection, inspect.isfunction)}
    members = inspect.getmembers(ControlPanel, inspect.isfunction)
    return [name for name, _ in members if not name.startswith("_") and name not in own]


def sample(kind: Any) -> Any:
    """Some value of a type. Raises AssertionError for one that this test does not know."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return sample(typing.get_args(kind)[-1 if type(None) not in typing.get_args(kind) else 0])
    if origin is typing.Literal:
        return typing.get_args(kind)[0]
    plain = origin or kind
    for known, value in SAMPLES.items():
        if plain is known or (inspect.isclass(plain) and issubclass(known, plain)):
            return value
    if inspect.isclass(plain) and issubclass(plain, Enum):
        return next(iter(plain))
    if inspect.isclass(plain) and issubclass(plain, BaseModel):
        needed = {name: sample(field.annotation) for name, field in plain.model_fields.items()
                  if field.is_required()}  # fmt: skip
        return plain(**needed)
    raise AssertionError(f"no sample of {kind}")


def arguments(call: Callable[..., Any]) -> dict[str, Any]:
    """What it must be given."""
    hints = typing.get_type_hints(call)
    return {
        name: sample(hints[name])
        for name, one in inspect.signature(call).parameters.items()
        if one.default is inspect.Parameter.empty
    }


@pytest.mark.parametrize("name", calls())
def test_a_call_of_the_panel_goes_to_a_route(name: str) -> None:
    asked: list[httpx.Request] = []

    def keep(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(503, json={"error": {"code": "x", "message": "No.", "details": []}})

    panel = ControlPanel("http://127.0.0.1", lambda: "token", transport=httpx.MockTransport(keep))
    call = getattr(panel, name)
    with pytest.raises(Exception, match=r"No\."):
        found = call(**arguments(call))
        for _ in found if isinstance(found, Iterator) else ():
            pass
    panel.close()
    book = RouteBook(all_routes())
    assert asked
    for request in asked:
        rule = book.find(request.method, request.url.path)
        assert rule is not None, f"{request.method} {request.url.path}"
