"""The brokers that the contract suite runs over, each with a way to move its market on."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from engine.adapters.brokers.paper import PaperBroker
from engine.adapters.market_data.replay import ReplayMarket
from engine.adapters.market_data.simulated import SimulatedMarket
from engine.ports import Broker, MarketData
from tests.fakes.clock import FakeClock
from tests.fakes.market import FakeMarket
from tests.fakes.paper_book import FakePaperBook

CSV = "timestamp,open,high,low,close,volume\n" + "".join(
    f"2024-01-01T{minute // 60:02}:{minute % 60:02}:00Z,"
    f"{100 + minute},{103 + minute},{98 + minute},{101 + minute},1000\n"
    for minute in range(240)
)


@dataclass
class Venue:
    """A broker under test. ``reopen`` makes the same account anew, as after a restart."""

    broker: Broker
    market: MarketData
    symbol: str
    step: Callable[[], None]
    reopen: Callable[[], Broker]


def fake_venue(folder: Path) -> Venue:
    """Paper over prices set by hand."""
    market = FakeMarket(FakeClock())
    market.set_price("BTC/USDT", "100")
    return _paper(market, "BTC/USDT", lambda: market.add_bar("BTC/USDT", 100, 103, 98, 101, 1000))


def simulated_venue(folder: Path) -> Venue:
    """Paper over the simulated market."""
    clock = FakeClock()
    market = SimulatedMarket(7, clock)
    return _paper(market, "BTC/USDT", lambda: _advance(clock))


def replay_venue(folder: Path) -> Venue:
    """Paper over a candle file."""
    path = folder / "BTC-USD.1m.csv"
    path.write_text(CSV)
    market = ReplayMarket(f"replay:{path}")
    market.seek(market.now() + timedelta(minutes=5))
    return _paper(market, "BTC/USD", lambda: market.seek(market.now() + timedelta(minutes=1)))


def _advance(clock: FakeClock) -> None:
    clock.advance(60)


def _paper(market: MarketData, symbol: str, step: Callable[[], None]) -> Venue:
    book = FakePaperBook()

    def opened() -> Broker:
        return PaperBroker("paper:test", market, book, opening_balance=Decimal(1_000_000))

    return Venue(opened(), market, symbol, step, opened)


VENUES: dict[str, Callable[[Path], Venue]] = {
    "paper-fake": fake_venue,
    "paper-simulated": simulated_venue,
    "paper-replay": replay_venue,
}
