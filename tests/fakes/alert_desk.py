"""Alerts of the fake engine: the real services over memory, a fake vault, notifiers that send
nothing. ``notifiers``, ``vault``, ``hidden`` and ``store`` can be read and set by a test."""

from collections.abc import Callable, Sequence
from datetime import datetime

from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from engine.adapters.market_data.simulated import SimulatedMarket
from engine.api.alert_desk import AlertDesk
from engine.api.channel_desk import ChannelDesk
from engine.domain.bots import Bot
from engine.services.books import Books
from engine.services.channel_links import ChannelLinks
from engine.services.channels import Channels
from engine.services.deliver_alerts import AlertSender
from engine.services.delivery_figures import FigureReader
from engine.services.keep_price_alerts import PriceAlertKeeper
from engine.services.outbox import Outbox
from engine.services.registry import MarketKind, VenueRegistry
from engine.services.send_rates import SendRates
from tests.fakes.candle_desk import NowClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.notifier import FakeNotifiers
from tests.fakes.vault import FakeVault


class FakeAlerts:
    """Both desks over one memory; ``bots`` are those that alerts and channels may be of."""

    def __init__(self, now: Callable[[], datetime], bots: dict[str, Bot] | None = None) -> None:
        clock = NowClock(now)
        self.store = MemoryStore(now)
        self.vault = FakeVault()
        self.notifiers = FakeNotifiers()
        self.hidden: set[str] = set()
        self.books = Books(self.store, clock)
        if bots is not None:
            self.books.bots = bots
        links = ChannelLinks(self.vault, self.notifiers, self.hidden.add)
        self.kept = Channels(self.books, links)
        rates = SendRates(MovingWindowRateLimiter(MemoryStorage()))
        sender = AlertSender(self.books, Outbox(self.books, "UTC"), self.kept.notifier, rates)
        market = SimulatedMarket(7, clock)
        venues = VenueRegistry({"simulated": MarketKind(lambda _id: market, _ids)}, {})
        self.channels = ChannelDesk(self.books, self.kept, sender)
        self.alerts = AlertDesk(
            self.books,
            self.kept,
            sender,
            PriceAlertKeeper(self.books, venues),
            FigureReader(self.store, clock),
            "UTC",
        )


def _ids() -> Sequence[str]:
    return ["simulated"]
