"""Candles for bots, the hours of markets, and the sleep that follows from them, put together."""

from engine.adapters.calendars.exchanges import ExchangeCalendars
from engine.domain.records import Level
from engine.ports import Venues
from engine.services.books import Books
from engine.services.candle_feed import CandleFeed
from engine.services.candle_sources import CandleSources
from engine.services.fallback_candles import FallbackCandles
from engine.services.lanes import Lanes
from engine.services.market_hours import MarketHours
from engine.services.sleep import SleepKeeper
from engine.settings import Settings


def build_market_data(
    settings: Settings, books: Books, venues: Venues, lanes: Lanes, sources: CandleSources
) -> tuple[SleepKeeper, CandleFeed]:
    """Nothing is asked or loaded yet."""
    hours = MarketHours(ExchangeCalendars())

    def tell(level: Level, kind: str, message: str) -> None:
        with books.writing() as writing:
            writing.event(level, kind, message)

    order = settings.fallback_order
    fallbacks = FallbackCandles(sources, order) if order else None
    sleep = SleepKeeper(books, hours, venues.is_stepped)
    return sleep, CandleFeed(lanes, hours, fallbacks, tell)
