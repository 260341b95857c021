"""The live stream as Server-Sent Events."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import Header, Query, Request, Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from engine.api.auth import PRINCIPAL
from engine.api.errors import error_response
from engine.api.principals import Principal
from engine.api.routing import Services, new_router
from engine.api.services import EngineServices
from engine.api.wire import dump
from engine.domain.live import LiveFilter, LiveKind, LiveMessage
from engine.services.live_bus import MOST_SUBSCRIBERS, LiveBus, Subscription

router = new_router("stream", prefix="")

HEARTBEAT_S = 15
"""Of comments that keep a connection open; as often a token is looked at again."""

_ID = re.compile(r"([0-9a-f]{8})-([0-9]{1,15})")

Key = Annotated[str, Query(max_length=64)]
Kinds = Annotated[list[LiveKind], Query(max_length=10, description="all when there is none")]
Bots = Annotated[list[Key], Query(max_length=50, description="ids or names")]
Symbols = Annotated[list[Key], Query(max_length=50)]


@router.get(
    "/api/stream",
    summary="Prices, fills, orders and states as they come",
    response_class=EventSourceResponse,
    responses={200: {"description": "Server-Sent Events", "content": {"text/event-stream": {}}}},
)
async def stream(
    request: Request,
    services: Services,
    kind: Kinds = [],  # noqa: B006  # FastAPI copies it
    bot: Bots = [],  # noqa: B006
    symbol: Symbols = [],  # noqa: B006
    last_event_id: Annotated[str, Header(max_length=64)] = "",
) -> Response:
    """``Last-Event-ID`` goes on after that message; ``reset`` says that this is not possible."""
    chosen = await run_sync(_filter, services, kind, bot, symbol)
    bus = services.live
    subscription = bus.subscribe(chosen, _number(bus, last_event_id))
    if subscription is None:
        message = f"{MOST_SUBSCRIBERS} streams are open already: close one, or ask again later."
        return error_response(503, "busy", message)
    principal: Principal = getattr(request.state, PRINCIPAL)

    def is_welcome() -> bool:
        token = principal.token
        return token is None or not services.tokens.objection(token)

    return EventSourceResponse(_events(bus, subscription, is_welcome), ping=HEARTBEAT_S, sep="\n")


def _filter(
    services: EngineServices, kinds: list[LiveKind], keys: list[str], symbols: list[str]
) -> LiveFilter:
    """Raises NotFound for a bot that is not there."""
    bots = [services.get_bot(key) for key in keys]
    return LiveFilter(
        kinds=frozenset(kinds),
        bots=frozenset(bot.id for bot in bots),
        symbols=frozenset(symbols),
        places=frozenset((bot.config.market, bot.config.symbol) for bot in bots),
    )


def _number(bus: LiveBus, last_event_id: str) -> int | None:
    """None where the client begins anew; -1, which nobody remembers, where it cannot go on."""
    if not last_event_id:
        return None
    found = _ID.fullmatch(last_event_id)
    return int(found[2]) if found and found[1] == bus.id else -1


async def _events(
    bus: LiveBus, subscription: Subscription, is_welcome: Callable[[], bool]
) -> AsyncIterator[ServerSentEvent]:
    """``hello`` or ``reset`` first, then what was missed, then what comes."""
    try:
        number = f"{bus.id}-{subscription.number}"
        if subscription.missed is None:
            words = "What came since is not remembered: read the state anew."
            yield _event("reset", {"reason": words}, number)
        elif subscription.missed:
            for message in subscription.missed:
                yield _told(bus, message)
        else:
            yield _event("hello", {"heartbeat_s": HEARTBEAT_S}, number)
        while True:
            batch = await subscription.take(HEARTBEAT_S)
            if subscription.is_closed or not is_welcome():
                return
            if batch.lost:
                yield _event("lagged", {"lost": batch.lost})
            for message in batch.messages:
                yield _told(bus, message)
    finally:
        bus.unsubscribe(subscription)


def _told(bus: LiveBus, message: LiveMessage) -> ServerSentEvent:
    number = f"{bus.id}-{message.number}" if message.number else None
    return _event(message.kind.value, message.data, number)


def _event(name: str, data: object, number: str | None = None) -> ServerSentEvent:
    return ServerSentEvent(dump(data).decode(), event=name, id=number, sep="\n")
