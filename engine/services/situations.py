"""What a model is told about a bot, gathered when it is asked."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from engine.domain.advice import EntryProposal, Situation
from engine.domain.bots import Bot
from engine.domain.candles import Candles
from engine.domain.cycle import MAY_SHORT
from engine.domain.exits import fixed_levels
from engine.domain.instruments import Instrument
from engine.domain.news import NewsItem
from engine.domain.positions import PositionSide
from engine.ports import MarketData, Venues
from engine.services.books import Books
from engine.services.lanes import Lanes, market_lane

NewsReader = Callable[[Instrument, datetime], Sequence[NewsItem]]
"""The news about an instrument that is kept here and was published by then, newest first; asks
nobody outside."""

OutsideReader = Callable[[str, str], Mapping[str, float | None]]
"""What others tell of a market's symbol beside its prices, by name (an Expert Advisor's
indicators)."""


def no_news(_instrument: Instrument, _until: datetime) -> Sequence[NewsItem]:
    """Where no source of news is connected."""
    return ()


def nothing_outside(_market_id: str, _symbol: str) -> Mapping[str, float | None]:
    """Where nobody tells anything."""
    return {}


class Situations:
    """Gathers situations, on the market's lane: a price is asked for."""

    def __init__(
        self,
        books: Books,
        venues: Venues,
        lanes: Lanes,
        news: NewsReader = no_news,
        outside: OutsideReader = nothing_outside,
    ) -> None:
        self._books = books
        self._venues = venues
        self._lanes = lanes
        self._news = news
        self._outside = outside

    async def gather(
        self,
        bot: Bot,
        candles: Candles,
        values: Mapping[str, float | None],
        decision_id: str,
    ) -> Situation:
        """The situation of a bot with ``config.ai``. ``candles`` are of its own market,
        ``values`` the strategy's newest series, ``decision_id`` that of the decision which the
        answer becomes a part of. Raises DataError, NotFound."""
        lane = market_lane(bot.config.market)
        return await self._lanes.run(lane, self.of, bot, candles, values, decision_id)

    def of(
        self,
        bot: Bot,
        candles: Candles,
        values: Mapping[str, float | None],
        decision_id: str,
        market: MarketData | None = None,
    ) -> Situation:
        """The same, in the caller's thread. Raises DataError, NotFound."""
        config = bot.config
        if config.ai is None:
            raise ValueError(f"bot {bot.id} asks no model")
        market = market or self._venues.market(config.market, bot.id)
        instrument = market.instrument(config.symbol)
        return Situation(
            bot_id=bot.id,
            bot_name=config.name,
            ai=config.ai,
            market=config.market,
            instrument=instrument,
            candles=candles,
            values={**self._outside(config.market, config.symbol), **values},
            position=self._books.positions.get(bot.id),
            last_price=market.quote(config.symbol).last,
            now=market.now(),
            decision_id=decision_id,
            stop_loss=config.stop_loss,
            take_profit=config.take_profit,
            can_short=config.direction in MAY_SHORT,
            news=tuple(self._news(instrument, market.now())) if config.ai.has_news else (),
        )


def propose(
    bot: Bot, situation: Situation, side: PositionSide, amount: Decimal, reason: str
) -> EntryProposal:
    """The entry of ``amount`` quote that an advisor is to judge, with the levels that the bot
    would give it at the last price."""
    price = situation.last_price
    stop, target = fixed_levels(bot.config, side, price, situation.instrument)
    return EntryProposal(
        side=side, amount=amount, price=price, stop_price=stop, target_price=target, reason=reason
    )
