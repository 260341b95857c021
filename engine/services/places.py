"""Where bots with routing trade: at one place at a time, on the lane of that place's account.

A flat bot moves on the lane of the account that it leaves. What still waits there for it then finds
it gone and does nothing; so no two lanes ever act for one bot.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from engine.domain.bots import Bot
from engine.errors import ConfigError, NotFound
from engine.ports import MarketData, Venues
from engine.services.books import Books
from engine.services.lanes import Lanes, account_lane


def is_here(bot: Bot, market: MarketData) -> bool:
    """Whether ``market`` is where the bot trades; one that never moves cannot be elsewhere."""
    return not is_mobile(bot) or bot.market == market.market_id


def is_mobile(bot: Bot) -> bool:
    """Whether routing is on, or was when the bot went where it still is."""
    return bot.config.routing is not None or bot.place is not None


def choices_of(bot: Bot, venues: Venues) -> Mapping[str, str]:
    """Market by account id: the bot's own first, then those that its entries may go to. One that
    was removed meanwhile is not among them."""
    routing = bot.config.routing
    found = {}
    for market_id in (bot.config.market, *(routing.markets if routing else ())):
        with contextlib.suppress(NotFound, ConfigError):
            found[venues.account_of(market_id, bot.id)] = market_id
    return found


def routed_accounts(books: Books, venues: Venues) -> Mapping[str, tuple[str, Bot]]:
    """Every account that a bot which moves may use, or is at: its market, and one such bot."""
    found: dict[str, tuple[str, Bot]] = {}
    for bot in filter(is_mobile, list(books.bots.values())):
        places = {**choices_of(bot, venues), bot.account_id: bot.market}
        for account_id, market_id in places.items():
            found.setdefault(account_id, (market_id, bot))
    return found


async def run_where_it_is(
    books: Books, lanes: Lanes, bot: Bot, call: Callable[..., Any], *args: Any, **kwargs: Any
) -> Any:
    """Run ``call`` on the lane of the account that the bot trades with when its turn comes."""
    while True:
        account_id = _account_of(books, bot)

        def in_turn(at: str = account_id) -> tuple[bool, Any]:
            if _account_of(books, bot) != at:
                return False, None  # it moved while this waited
            return True, call(*args, **kwargs)

        is_done, answer = await lanes.run(account_lane(account_id), in_turn)
        if is_done:
            return answer


def _account_of(books: Books, bot: Bot) -> str:
    return books.bots.get(bot.id, bot).account_id
