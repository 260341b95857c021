"""A broker over the loopback exchange, for the contract suite and for whoever needs one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from engine.adapters.brokers.ccxt_spot import CcxtSpotBroker
from engine.adapters.brokers.ccxt_unified.broker import UnifiedBroker
from engine.adapters.brokers.ccxt_unified.client import Keys
from engine.adapters.clock.system import SystemClock
from engine.adapters.market_data.ccxt_streams import CcxtStreamingMarket
from engine.links.binance import test_addresses as addresses_of
from engine.links.pause import Pause
from engine.ports import Clock
from tests.fakes.exchange import BinanceExchange, binance_exchange

TIMEOUT_MS = 3000  # a machine that is busy is no fault
SYMBOL = "BTC/USDT"


@dataclass
class ExchangeVenue:
    """The exchange, its market and an account, as the engine has them. ``reopen`` makes the
    account's broker anew, as after a restart."""

    exchange: BinanceExchange
    market: CcxtStreamingMarket
    broker: CcxtSpotBroker
    clock: Clock

    def reopen(self, **options: Any) -> CcxtSpotBroker:
        """Another broker over the same account."""
        return open_broker(self.exchange, self.market, self.clock, **options)


def open_market(
    exchange: BinanceExchange, clock: Clock, pause: Pause | None = None
) -> CcxtStreamingMarket:
    """The exchange's market as the engine makes it."""
    return CcxtStreamingMarket(
        "testnet:binance", clock, addresses=addresses_of(exchange.url), can_short=False,
        timeout_ms=TIMEOUT_MS, first_wait_s=0.02, is_paced=False, pause=pause,
    )  # fmt: skip


def open_broker(
    exchange: BinanceExchange, market: CcxtStreamingMarket, clock: Clock, **options: Any
) -> CcxtSpotBroker:
    """The account's broker as the engine makes it, but in a hurry."""
    settings: dict[str, Any] = {
        "key": exchange.key, "secret": exchange.secret,
        "addresses": addresses_of(exchange.url),
        "refresh_listing": market.refresh, "timeout_ms": TIMEOUT_MS, "is_paced": False,
        "quiet_period_s": 0.5, "poll_every_s": 0, "first_wait_s": 0.02,
    }  # fmt: skip
    return CcxtSpotBroker("test:binance", market, clock, **(settings | options))


def open_unified(
    exchange: BinanceExchange, market: CcxtStreamingMarket, clock: Clock, **options: Any
) -> UnifiedBroker:
    """The account through what is the same of all exchanges."""
    settings: dict[str, Any] = {
        "timeout_ms": TIMEOUT_MS, "is_paced": False, "quiet_period_s": 0.5, "poll_every_s": 0,
    }  # fmt: skip
    keys = Keys(exchange.key, exchange.secret)
    return UnifiedBroker("test:binance", market, clock, keys, **(settings | options))


@contextmanager
def exchange_venue(
    clock: Clock | None = None, open_account: Callable[..., Any] = open_broker, **options: Any
) -> Iterator[ExchangeVenue]:
    """A stocked exchange with a broker, until the end of the block. With a clock of the test's,
    exchange and broker both go by it."""
    with binance_exchange(clock.now if clock else None) as exchange:
        own = clock or SystemClock()
        pause = Pause(own.monotonic)
        market = open_market(exchange, own, pause)
        broker = open_account(exchange, market, own, **({"pause": pause} | options))
        yield ExchangeVenue(exchange, market, broker, own)
