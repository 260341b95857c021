"""The chart of one bot: its candles, its strategy's lines, and what was done on them."""

from collections.abc import Callable
from datetime import datetime

from engine.api.views import Views
from engine.contracts import Chart, Marker, SeriesView
from engine.domain.bots import Bot
from engine.domain.candles import Candles
from engine.domain.money import from_epoch_ms, text
from engine.domain.positions import PositionSide
from engine.errors import DataError, NotFound, StrategyError
from engine.ports import MarketData, StrategyHost, Venues
from engine.services.books import Books
from engine.services.track_equity import EquityKeeper

MOST_MARKERS = 500
AskFeed = Callable[[MarketData, str, str, int], Candles]
"""The newest closed candles of a symbol and timeframe, so many. Raises DataError, NotFound."""


class ChartMaker:
    """Reads candles from the bot's market and draws nothing itself."""

    def __init__(
        self,
        books: Books,
        venues: Venues,
        host: StrategyHost,
        views: Views,
        equity: EquityKeeper,
        ask_feed: AskFeed,
    ) -> None:
        self._books = books
        self._venues = venues
        self._host = host
        self._views = views
        self._equity = equity
        self._ask_feed = ask_feed

    def chart(self, bot: Bot, limit: int) -> Chart:
        """The newest ``limit`` closed candles. Raises DataError when the market has none; a
        strategy that cannot draw leaves its error in ``series_error``."""
        config = bot.config
        market = self._venues.market(config.market, bot.id)
        series_error = ""
        try:
            history = self._host.history(config.strategy, config.params)
        except (StrategyError, NotFound) as error:
            history, series_error = 0, error.message
        candles = self._candles(bot, market, limit + history)
        series: tuple[SeriesView, ...] = ()
        if not series_error:
            series, series_error = self._series(bot, candles, limit)
        shown = candles[slice(-limit, None)]
        worth = self._equity.worth(bot)
        position = self._books.positions.get(bot.id)
        return Chart(
            symbol=config.symbol,
            timeframe=config.timeframe,
            time=tuple(from_epoch_ms(int(opened)) for opened in shown.time),
            open=tuple(shown.open.tolist()),
            high=tuple(shown.high.tolist()),
            low=tuple(shown.low.tolist()),
            close=tuple(shown.close.tolist()),
            volume=tuple(shown.volume.tolist()),
            series=series,
            series_error=series_error,
            markers=self._markers(bot, from_epoch_ms(int(shown.time[0]))) if len(shown) else (),
            position=self._views.position(bot, position, worth) if position else None,
            last_price=worth.price,
        )

    def _candles(self, bot: Bot, market: MarketData, limit: int) -> Candles:
        """Those of the feed that the bot lives on, whosever they are. Of a feed in trouble what the
        market has is drawn all the same: that nothing is decided on it is said elsewhere."""
        config = bot.config
        if self._venues.is_stepped(config.market):
            # Seen up to the last candle that was decided, wherever the replay's cursor stands.
            before = bot.decided_until
            return market.candles(config.symbol, config.timeframe, limit=limit, before=before)
        try:
            return self._ask_feed(market, config.symbol, config.timeframe, limit)
        except DataError:
            return market.candles(config.symbol, config.timeframe, limit=limit)

    def _series(self, bot: Bot, candles: Candles, limit: int) -> tuple[tuple[SeriesView, ...], str]:
        try:
            plots = self._host.plots(bot.config.strategy, bot.config.params, candles)
        except (StrategyError, NotFound) as error:
            return (), error.message
        return (
            tuple(
                SeriesView(
                    name=plot.name,
                    values=plot.values[-limit:],
                    is_overlay=plot.is_overlay,
                    levels=plot.levels,
                )
                for plot in plots
            ),
            "",
        )

    def _markers(self, bot: Bot, since: datetime) -> tuple[Marker, ...]:
        """Entries and exits since the first candle shown, oldest first."""
        with self._books.store.reading() as tx:
            fills = tx.fills.select(
                bot_id=bot.id, since=since, is_descending=True, limit=MOST_MARKERS
            )
            sides = {
                position.id: position.side
                for position in tx.positions.select(id=list({fill.position_id for fill in fills}))
            }
        return tuple(
            Marker(
                time=fill.time,
                price=fill.price,
                kind=fill.purpose.value,
                side=sides.get(fill.position_id, PositionSide.LONG),
                text=f"{fill.side.value} {text(fill.quantity)} at {text(fill.price)}",
            )
            for fill in reversed(fills)
        )
