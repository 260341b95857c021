"""The markets that the contract suite runs over, ready to be asked."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path

from engine.adapters.clock.system import SystemClock
from engine.adapters.market_data.ccxt_public import CcxtPublicMarket
from engine.adapters.market_data.replay import ReplayMarket
from engine.adapters.market_data.simulated import SimulatedMarket
from engine.domain.instruments import InstrumentKind
from tests.contract import venues
from tests.contract.alpaca_venue import SYMBOLS, alpaca_venue
from tests.contract.brokers import CSV
from tests.contract.kite_venue import SYMBOL as SHARE
from tests.contract.kite_venue import kite_venue
from tests.contract.market_subject import Subject
from tests.contract.mt5_venue import local
from tests.fakes.binance_public import binance_public
from tests.fakes.clock import FakeClock
from tests.fakes.market import FakeMarket
from tests.fakes.okx import okx_exchange


@contextmanager
def fake_market(folder: Path) -> Iterator[Subject]:
    """Prices set by hand."""
    market = FakeMarket()
    market.history("BTC/USDT", [100 + place % 7 for place in range(200)])
    yield Subject(market, "BTC/USDT", "1m")


@contextmanager
def simulated_market(folder: Path) -> Iterator[Subject]:
    """The simulated world, at a moment inside a second."""
    clock = FakeClock()
    clock.advance(12.7)
    yield Subject(SimulatedMarket(7, clock), "ETH/USDT", "1m")


@contextmanager
def replay_market(folder: Path) -> Iterator[Subject]:
    """A candle file, two hours in."""
    path = folder / "BTC-USD.1m.csv"
    path.write_text(CSV)
    market = ReplayMarket(f"replay:{path}")
    market.seek(market.now() + timedelta(hours=2))
    yield Subject(market, "BTC/USD", "1m")


@contextmanager
def ccxt_market(folder: Path) -> Iterator[Subject]:
    """Binance's public interface on the loopback, through ccxt."""
    with binance_public() as server:
        market = CcxtPublicMarket("ccxt:binance", SystemClock(), base_url=server.url)
        yield Subject(market, "BTC/USDT", "1m")


@contextmanager
def okx_market(folder: Path) -> Iterator[Subject]:
    """OKX's public interface on the loopback, through ccxt."""
    with okx_exchange() as exchange:
        market = CcxtPublicMarket("ccxt:okx", SystemClock(), base_url=exchange.url, is_paced=False)
        yield Subject(market, "BTC/USDT", "1m")


@contextmanager
def alpaca_market(kind: InstrumentKind) -> Iterator[Subject]:
    """Alpaca on the loopback, in trading hours, through alpaca-py."""
    with alpaca_venue(kind) as venue:
        connection = venue.connect()
        yield Subject(connection.market, SYMBOLS[kind], "1m")
        connection.close()


@contextmanager
def zerodha_market(folder: Path) -> Iterator[Subject]:
    """Kite on the loopback, at noon in India."""
    with kite_venue() as venue:
        yield Subject(venue.market, SHARE, "1m")


@contextmanager
def mt5_market(folder: Path) -> Iterator[Subject]:
    """A terminal of MetaTrader, whose server is two hours ahead of UTC."""
    clock = FakeClock()
    clock.advance(12.7)
    yield Subject(local(clock).market, "EURUSD", "1m")


MARKETS: dict[str, Callable[[Path], AbstractContextManager[Subject]]] = {
    "fake": fake_market,
    "simulated": simulated_market,
    "replay": replay_market,
    "ccxt": ccxt_market,
    "ccxt-okx": okx_market,
    "alpaca-stocks": lambda _folder: alpaca_market(InstrumentKind.STOCK),
    "alpaca-crypto": lambda _folder: alpaca_market(InstrumentKind.CRYPTO),
    "zerodha": zerodha_market,
    "mt5": mt5_market,
}
for _module in pkgutil.iter_modules(venues.__path__):
    _found = importlib.import_module(f"{venues.__name__}.{_module.name}")
    MARKETS.update(getattr(_found, "MARKETS", {}))
