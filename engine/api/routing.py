"""What all routes share: the services, who asks, strict JSON, and bounded parameters."""

import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any, cast

from anyio import CapacityLimiter
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.routing import APIRoute

from engine.api.auth import actor_of
from engine.api.errors import NOT_UTF8
from engine.api.services import EngineServices

API = "/api/v1"


# Dependencies are coroutines: a plain function would wait for a free thread.


async def _services(request: Request) -> EngineServices:
    return cast(EngineServices, request.app.state.services)


async def _urgent(request: Request) -> CapacityLimiter:
    return cast(CapacityLimiter, request.app.state.urgent)


Services = Annotated[EngineServices, Depends(_services)]
Urgent = Annotated[CapacityLimiter, Depends(_urgent)]
"""Threads of their own, for what must be answered while all others wait for a slow venue."""
Actor = Annotated[str, Depends(actor_of)]
BotKey = Annotated[str, Path(max_length=64, description="a bot's id or name")]
Limit = Annotated[int, Query(ge=1, le=5000)]


class _StrictRequest(Request):
    async def json(self) -> Any:
        """The body as JSON; NaN and Infinity, which Python would take, are malformed."""
        body = await self.body()
        try:
            return json.loads(body, parse_constant=_refuse_constant)
        except UnicodeDecodeError as error:
            raise json.JSONDecodeError(NOT_UTF8, "", 0) from error
        except (RecursionError, ValueError) as error:
            raise json.JSONDecodeError("malformed", "", 0) from error


class _StrictRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(_StrictRequest(request.scope, request.receive))

        return strict


_FAILURES: Mapping[int | str, str] = {
    401: "No token, a wrong one, or one that expired or was revoked",
    403: "The token lacks the scope that is named",
    404: "There is no such thing",
    409: "Sound, but not in the present state",
    422: "Wrong input: one row of `details` a field",
    429: "Too many requests; `Retry-After` says when to ask again",
    503: "The database, a market or a broker does not answer",
    "4XX": "The request cannot be served",
    "5XX": "The engine failed; its log has the details",
}
"""What every route may answer in place of what was asked for."""


def new_router(tag: str, prefix: str = API) -> APIRouter:
    """An empty router whose routes take strict JSON and tell how they fail.

    ``openapi`` adds the body of failures: as a ``model`` it would be built for each status of each
    route, half a second's work of every start.
    """
    responses: dict[int | str, dict[str, Any]] = {
        status: {"description": words} for status, words in _FAILURES.items()
    }
    return APIRouter(prefix=prefix, tags=[tag], route_class=_StrictRoute, responses=responses)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
