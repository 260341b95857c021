"""Short addresses for scripts: the services of /api/v1 by the names that people guess."""

from typing import Annotated

from fastapi import Body, Query, Response
from pydantic import JsonValue

from engine.api import thin_views
from engine.api.routes_bots import ConfirmName
from engine.api.routing import Actor, BotKey, Services, new_router
from engine.api.wire import answer
from engine.contracts import (
    AccountView,
    BotConfig,
    BotView,
    Event,
    EventFilter,
    Overview,
    PositionView,
    StartRequest,
    StopRequest,
    SymbolView,
    TradeFilter,
    TradePage,
)
from engine.contracts.thin import (
    AlertRequest,
    BotDetails,
    CandleData,
    CandleQuery,
    PlatformView,
    Prediction,
    SwitchRequest,
)

router = new_router("thin", prefix="")

BOT = "/api/bot/{key}"

Changes = Annotated[
    dict[str, JsonValue], Body(description="fields of BotConfig; what is not given stays")
]


@router.get("/bots", response_model=list[BotView], summary="All bots")
def bots(services: Services) -> Response:
    """As ``/api/v1/bots``."""
    return answer(services.list_bots())


@router.get("/positions", response_model=list[PositionView], summary="Open positions")
def positions(services: Services) -> Response:
    """As ``/api/v1/positions``."""
    return answer(services.positions())


@router.get("/trades", response_model=TradePage, summary="Closed trades")
def trades(services: Services, chosen: Annotated[TradeFilter, Query()]) -> Response:
    """As ``/api/v1/trades``."""
    return answer(services.trades(chosen))


@router.get("/api/overview", response_model=Overview, summary="Everything at a glance")
def overview(services: Services) -> Response:
    """As ``/api/v1/overview``."""
    return answer(services.overview())


@router.get("/api/accounts", response_model=list[AccountView], summary="Accounts and balances")
def accounts(services: Services) -> Response:
    """As ``/api/v1/accounts``."""
    return answer(services.accounts())


@router.get("/api/logs", response_model=list[Event], summary="What happened")
def logs(services: Services, chosen: Annotated[EventFilter, Query()]) -> Response:
    """As ``/api/v1/events``. The access log is in no answer: it is a file."""
    return answer(services.events(chosen))


@router.get("/api/data", response_model=CandleData, summary="Candles of a market")
def data(services: Services, asked: Annotated[CandleQuery, Query()]) -> Response:
    """The newest closed ones."""
    return answer(services.thin.candles(asked))


@router.get("/api/search-coins", response_model=list[SymbolView], summary="Search symbols")
def search_coins(
    services: Services,
    q: Annotated[str, Query(max_length=100)] = "",
    market: Annotated[str, Query(min_length=1, max_length=500)] = "simulated",
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """Those of ``market`` whose code or name contains ``q``."""
    return answer(services.symbols(market, q, limit))


@router.get("/api/platforms", response_model=list[PlatformView], summary="Where bots trade")
def platforms(services: Services) -> Response:
    """Markets and added accounts, with what they are now."""
    return answer(thin_views.platforms(services))


@router.post("/api/platforms/switch", response_model=BotView, summary="Move a bot elsewhere")
def switch(request: SwitchRequest, services: Services, actor: Actor) -> Response:
    """409 while it is active or holds a position, or without ``confirm_name`` where it would trade
    real money."""
    return answer(thin_views.switch(services, request, actor))


@router.get("/api/ml/predictions", response_model=list[Prediction], summary="What models said")
def predictions(
    services: Services,
    bot: Annotated[str, Query(max_length=64, description="a bot's id or name")] = "",
    limit: Annotated[int, Query(ge=1, le=100, description="of each bot")] = 1,
) -> Response:
    """The newest of each bot that has a model."""
    return answer(services.thin.predictions(bot, limit))


@router.post("/api/send_alert", response_model=Event, status_code=201, summary="Send an alert")
def send_alert(request: AlertRequest, services: Services, actor: Actor) -> Response:
    """Written down as an event ``alert.manual``, with who has sent it."""
    return answer(services.thin.send_alert(request, actor), 201)


# --- one bot --------------------------------------------------------------------------------------


@router.post("/api/create-bot", response_model=BotView, status_code=201, summary="Create a bot")
def create_bot(
    config: BotConfig, services: Services, actor: Actor, confirm_name: ConfirmName = ""
) -> Response:
    """As ``POST /api/v1/bots``."""
    return answer(services.create_bot(config, actor, confirm_name), 201)


@router.get(f"{BOT}/details", response_model=BotDetails, summary="A bot and what it did")
def bot_details(key: BotKey, services: Services) -> Response:
    """With its newest orders, trades and decisions."""
    return answer(thin_views.details(services, key))


@router.post(f"{BOT}/start", response_model=BotView, summary="Start a bot")
def start_bot(
    key: BotKey, services: Services, actor: Actor, request: StartRequest | None = None
) -> Response:
    """As ``POST /api/v1/bots/{key}/start``."""
    confirm_name = (request or StartRequest()).confirm_name
    return answer(services.start_bot(key, actor, confirm_name))


@router.post(f"{BOT}/stop", response_model=BotView, summary="Stop a bot")
def stop_bot(
    key: BotKey, services: Services, actor: Actor, request: StopRequest | None = None
) -> Response:
    """As ``POST /api/v1/bots/{key}/stop``."""
    close_position = request is not None and request.close_position
    return answer(services.stop_bot(key, close_position, actor))


@router.post(f"{BOT}/update", response_model=BotView, summary="Change some of a bot's settings")
def update_bot(
    key: BotKey, changes: Changes, services: Services, actor: Actor, confirm_name: ConfirmName = ""
) -> Response:
    """What is not given stays; all is checked as in ``PUT /api/v1/bots/{key}``."""
    return answer(thin_views.update(services, key, changes, actor, confirm_name))
