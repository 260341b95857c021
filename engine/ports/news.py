"""Where news comes from."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from engine.domain.news import NewsItem


class NewsSource(Protocol):
    """One provider of news. Thread-safe."""

    source_id: str

    def fetch(self, symbol: str, since: datetime) -> Sequence[NewsItem]:
        """What was published about ``symbol`` (BTC, AAPL, EURUSD) since then, newest first.
        Raises DataError, in words for the user, when the provider does not answer or refuses."""
        ...
