"""Short addresses that put together what the services of the long ones tell."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from engine.api.services import EngineServices
from engine.contracts import BotConfig, BotView, MarketView, TradeFilter
from engine.contracts.thin import BotDetails, PlatformView, SwitchRequest
from engine.contracts.venue_accounts import VenueAccountView

SHOWN = 20
"""Orders, trades and decisions in a bot's details."""


def platforms(services: EngineServices) -> Sequence[PlatformView]:
    """Every market on offer, then the added accounts that are not."""
    accounts = {account.market_id: account for account in services.venue_accounts.list()}
    users: dict[str, list[str]] = {}
    for bot in services.list_bots():
        users.setdefault(bot.config.market, []).append(bot.config.name)
    offered = [
        _offered(market, accounts.get(market.id), users.get(market.id, ()))
        for market in services.markets()
    ]
    known = {one.id for one in offered}
    return offered + [
        PlatformView(
            id=one.market_id, title=one.name, description=one.venue_title, mode=one.mode,
            status="disabled", detail=one.trouble or one.objection or "Enable it on its page.",
            account=one.name, venue=one.venue_title, bots=tuple(users.get(one.market_id, ())),
        )
        for one in accounts.values() if one.market_id not in known
    ]  # fmt: skip


def _offered(
    market: MarketView, account: VenueAccountView | None, users: Sequence[str]
) -> PlatformView:
    halted = account.trouble or account.objection or "" if account else ""
    status = "error" if market.error else "halted" if halted else "ready"
    return PlatformView(
        **market.model_dump(exclude={"error"}), status=status, detail=market.error or halted,
        bots=tuple(users),
    )  # fmt: skip


def details(services: EngineServices, key: str) -> BotDetails:
    """A bot with the newest of what it did."""
    bot = services.get_bot(key)
    return BotDetails(
        bot=bot,
        orders=tuple(services.orders(bot.id, SHOWN)),
        trades=services.trades(TradeFilter(bot_id=bot.id, limit=SHOWN)).items,
        decisions=tuple(services.decisions(bot.id, SHOWN, None)),
    )


def switch(services: EngineServices, request: SwitchRequest, actor: str) -> BotView:
    """Move a bot as an edit of its settings would, with all its checks."""
    changes = {"market": request.market}
    if request.symbol:
        changes["symbol"] = request.symbol
    return update(services, request.bot, changes, actor, request.confirm_name)


def update(
    services: EngineServices, key: str, changes: Mapping[str, Any], actor: str, confirm_name: str
) -> BotView:
    """Change some of a bot's settings. Raises RequestValidationError naming each wrong field."""
    bot = services.get_bot(key)
    try:
        config = BotConfig.model_validate({**bot.config.model_dump(mode="json"), **changes})
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from error
    return services.update_bot(bot.id, config, actor, confirm_name)
