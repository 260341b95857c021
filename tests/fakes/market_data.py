"""Feeds of candles as the API tells them, set by a test."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from engine.contracts.market_data import FeedView


class FakeMarketData:
    """Implements ``MarketDataServices``; ``rows`` are set freely."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.rows: list[FeedView] = []
        self._now = now

    def feeds(self) -> Sequence[FeedView]:
        """Those it was given."""
        return list(self.rows)

    def add(self, symbol: str, **changes: object) -> None:
        """A healthy feed of one-minute candles, but for ``changes``."""
        row = FeedView(
            market="ccxt:binance", symbol=symbol, timeframe="1m", source="ccxt:binance",
            newest=self._now() - timedelta(seconds=20), age_s=20.0, is_late=False,
            is_market_open=True, bots=1, requests=12, errors=0, revisions=0,
        )  # fmt: skip
        self.rows.append(row.model_copy(update=changes))
