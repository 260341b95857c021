"""What the API has for other programs, over memory: the real services of tokens, the stream and
the short addresses. Its events go where the fake services' events are."""

from collections.abc import Callable
from datetime import datetime

from engine.adapters.market_data.simulated import SimulatedMarket
from engine.api.thin_desk import ThinDesk
from engine.api.token_desk import TokenDesk
from engine.contracts import Bot, Event
from engine.domain.candles import Candles
from engine.ports import MarketData
from engine.services.api_tokens import ApiTokens
from engine.services.books import Books, Writing
from engine.services.live_bus import LiveBus
from engine.services.login_failures import LoginFailures
from engine.services.registry import MarketKind, VenueRegistry
from engine.services.send_alert import SendAlert
from tests.fakes.candle_desk import NowClock
from tests.fakes.memory_store import MemoryStore


class FakePrograms:
    """``books`` can be written by a test, and what is told then comes out of ``live``."""

    def __init__(self, now: Callable[[], datetime], bots: dict[str, Bot]) -> None:
        clock = NowClock(now)
        self.books = Books(MemoryStore(now), clock)
        self.books.bots = bots
        self.events: list[Event] = []
        self.live = LiveBus()
        self.books.listen(self.live.on_commit)
        self.books.listen(self._keep_events)
        self.tokens = TokenDesk(ApiTokens(self.books), LoginFailures(self.books))
        market = SimulatedMarket(7, clock)
        kinds = {"simulated": MarketKind(lambda _id: market, lambda: ["simulated"])}
        self.thin = ThinDesk(
            self.books, VenueRegistry(kinds, {}), SendAlert(self.books), _no_feed,
            lambda *_key: False,
        )  # fmt: skip

    def _keep_events(self, writing: Writing) -> None:
        self.events[:0] = writing.written_events


def _no_feed(market: MarketData, symbol: str, timeframe: str, limit: int) -> Candles:
    raise AssertionError("no bot lives on anything here")
