"""Warm-up: the candles of a bot that wakes soon are asked for before it needs them."""

import asyncio
import logging
from datetime import datetime

from engine.domain.bots import Bot
from engine.domain.records import Level
from engine.errors import QuarterdeckError
from engine.ports import StrategyHost, Venues
from engine.services.books import Books
from engine.services.candle_feed import CandleFeed
from engine.services.lanes import STRATEGY_LANE, Lanes, account_lane, market_lane
from engine.services.sleep import SleepKeeper

log = logging.getLogger("quarterdeck.sleep")


class WarmUp:
    """Asks once for each waking of each bot; trouble is written down while there is time."""

    def __init__(
        self,
        books: Books,
        venues: Venues,
        host: StrategyHost,
        feed: CandleFeed,
        lanes: Lanes,
        sleep: SleepKeeper,
    ) -> None:
        self._books = books
        self._venues = venues
        self._host = host
        self._feed = feed
        self._lanes = lanes
        self._sleep = sleep
        self._warmed: dict[str, datetime] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin_due(self) -> None:
        """Begin with every bot whose lead has come; waits for no market."""
        for bot in list(self._books.bots.values()):
            rest = self._sleep.is_waking(bot)
            if rest is None or rest.until is None or self._warmed.get(bot.id) == rest.until:
                continue
            self._warmed[bot.id] = rest.until
            self._tasks.add(task := asyncio.create_task(self._warm(bot)))
            task.add_done_callback(self._tasks.discard)
        for bot_id in self._warmed.keys() - self._books.bots.keys():
            del self._warmed[bot_id]

    async def _warm(self, bot: Bot) -> None:
        config = bot.config
        try:
            market = await self._lanes.run(
                market_lane(config.market), self._venues.market, config.market, bot.id
            )
            history = await self._lanes.run(
                STRATEGY_LANE, self._host.history, config.strategy, config.params
            )
            await self._feed.ask(market, config.symbol, config.timeframe, history)
        except QuarterdeckError as error:
            await self._tell(bot, f"Its candles could not be read before it wakes: {error.message}")
        except Exception:
            log.exception("bot %s could not be warmed up", bot.id)

    async def _tell(self, bot: Bot, message: str) -> None:
        def write() -> None:
            with self._books.writing() as writing:
                writing.event(Level.WARNING, "bot.warm_up", message, bot.id)

        await self._lanes.run(account_lane(bot.account_id), write)
