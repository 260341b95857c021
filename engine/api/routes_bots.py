"""Bots: create, edit, start, pause, stop, delete, and what one of them did."""

from typing import Annotated

from fastapi import Path, Query, Response

from engine.api.routing import Actor, BotKey, Limit, Services, new_router
from engine.api.wire import answer
from engine.contracts import (
    BotConfig,
    BotPreview,
    BotView,
    Chart,
    CloneRequest,
    CloseRequest,
    Decision,
    EquityPoint,
    Fill,
    Order,
    OrderChanges,
    OrderTicket,
    StartRequest,
    StopRequest,
)
from engine.domain.decisions import Action

router = new_router("bots")

ConfirmName = Annotated[
    str, Query(max_length=60, description="the bot's name, typed, where it trades real money")
]
ClientId = Annotated[str, Path(max_length=64, description="an order's client id")]


@router.get("/bots", response_model=list[BotView], summary="All bots")
def list_bots(services: Services) -> Response:
    """In order of creation."""
    return answer(services.list_bots())


@router.post("/bots", response_model=BotView, status_code=201, summary="Create a bot")
def create_bot(
    config: BotConfig, services: Services, actor: Actor, confirm_name: ConfirmName = ""
) -> Response:
    """The new bot is stopped. 409 without ``confirm_name`` on an account with real money."""
    return answer(services.create_bot(config, actor, confirm_name), 201)


@router.post("/bots/preview", response_model=BotPreview, summary="What a configuration means")
def preview_bot(
    config: BotConfig,
    services: Services,
    bot_id: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """Validates everything, saves nothing. Give ``bot_id`` when editing."""
    return answer(services.preview_bot(config, bot_id))


@router.get("/bots/{key}", response_model=BotView, summary="One bot")
def get_bot(key: BotKey, services: Services) -> Response:
    """By id or name."""
    return answer(services.get_bot(key))


@router.put("/bots/{key}", response_model=BotView, summary="Edit a bot")
def update_bot(
    key: BotKey, config: BotConfig, services: Services, actor: Actor, confirm_name: ConfirmName = ""
) -> Response:
    """409 while it is active; its market and symbol may change only when it is flat."""
    return answer(services.update_bot(key, config, actor, confirm_name))


@router.delete("/bots/{key}", status_code=204, summary="Delete a bot")
def delete_bot(key: BotKey, services: Services, actor: Actor) -> Response:
    """409 while it is active or holds a position."""
    services.delete_bot(key, actor)
    return Response(status_code=204)


@router.post("/bots/{key}/start", response_model=BotView, summary="Start a bot")
def start_bot(
    key: BotKey, services: Services, actor: Actor, request: StartRequest | None = None
) -> Response:
    """Asks for it to run; the engine brings it there. 409 without ``confirm_name`` on an account
    with real money."""
    confirm_name = (request or StartRequest()).confirm_name
    return answer(services.start_bot(key, actor, confirm_name))


@router.post("/bots/{key}/pause", response_model=BotView, summary="Pause a bot's entries")
def pause_bot(key: BotKey, services: Services, actor: Actor) -> Response:
    """Its exits stay watched."""
    return answer(services.pause_bot(key, actor))


@router.post("/bots/{key}/stop", response_model=BotView, summary="Stop a bot")
def stop_bot(
    key: BotKey, services: Services, actor: Actor, request: StopRequest | None = None
) -> Response:
    """Without a body the position is kept."""
    close_position = request is not None and request.close_position
    return answer(services.stop_bot(key, close_position, actor))


@router.post("/bots/{key}/clone", response_model=BotView, status_code=201, summary="Clone a bot")
def clone_bot(key: BotKey, request: CloneRequest, services: Services, actor: Actor) -> Response:
    """A stopped copy under another name."""
    return answer(services.clone_bot(key, request.name, actor, request.confirm_name), 201)


@router.get("/bots/{key}/chart", response_model=Chart, summary="A bot's candles and markers")
def chart(key: BotKey, services: Services, limit: Limit = 300) -> Response:
    """The newest ``limit`` closed candles."""
    return answer(services.chart(key, limit))


@router.get("/bots/{key}/decisions", response_model=list[Decision], summary="Why it did what")
def decisions(
    key: BotKey, services: Services, limit: Limit = 100, action: Action | None = None
) -> Response:
    """Newest first."""
    return answer(services.decisions(key, limit, action))


@router.get("/bots/{key}/orders", response_model=list[Order], summary="A bot's orders")
def orders(key: BotKey, services: Services, limit: Limit = 200) -> Response:
    """Newest first."""
    return answer(services.orders(key, limit))


@router.post("/bots/{key}/orders", response_model=list[Order], status_code=201,
             summary="Place an order by hand")  # fmt: skip
def place_order(key: BotKey, ticket: OrderTicket, services: Services, actor: Actor) -> Response:
    """As the venue has answered; none for a target with a stop, the position's new levels."""
    return answer(services.place_order(key, ticket, actor), 201)


@router.post("/bots/{key}/orders/{client_id}/cancel", response_model=Order,
             summary="Take an order back")  # fmt: skip
def cancel_order(key: BotKey, client_id: ClientId, services: Services, actor: Actor) -> Response:
    """What was filled before stays."""
    return answer(services.cancel_order(key, client_id, actor))


@router.post("/bots/{key}/orders/{client_id}/replace", response_model=Order,
             summary="Change a working order")  # fmt: skip
def replace_order(
    key: BotKey, client_id: ClientId, changes: OrderChanges, services: Services, actor: Actor
) -> Response:
    """The order that works in its stead."""
    return answer(services.replace_order(key, client_id, changes, actor))


@router.post("/bots/{key}/close", response_model=BotView, summary="Close the position")
def close_position(
    key: BotKey, services: Services, actor: Actor, request: CloseRequest | None = None
) -> Response:
    """At the market; without a body all of it."""
    fraction = (request or CloseRequest()).fraction
    return answer(services.close_position(key, fraction, actor))


@router.get("/bots/{key}/fills", response_model=list[Fill], summary="A bot's fills")
def fills(key: BotKey, services: Services, limit: Limit = 500) -> Response:
    """Newest first."""
    return answer(services.fills(key, limit))


@router.get("/bots/{key}/equity", response_model=list[EquityPoint], summary="A bot's equity")
def equity(key: BotKey, services: Services, limit: Limit = 2000) -> Response:
    """The newest ``limit`` points, oldest first."""
    return answer(services.equity(key, limit))
