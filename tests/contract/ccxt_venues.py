"""Accounts through ccxt's unified interface, at the loopback Binance and the loopback OKX."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.adapters.brokers.ccxt_unified.broker import UnifiedBroker
from engine.adapters.brokers.ccxt_unified.client import Keys
from engine.adapters.clock.system import SystemClock
from engine.adapters.market_data.ccxt_streams import CcxtStreamingMarket
from engine.links.pause import Pause
from engine.ports import Broker, Clock
from tests.contract.brokers import OPENING, Venue, VenueAtExchange
from tests.contract.exchange_venue import SYMBOL, TIMEOUT_MS, open_market
from tests.fakes.exchange import BinanceExchange, binance_exchange
from tests.fakes.okx import PASSPHRASE, okx_exchange

QUICKLY: dict[str, Any] = {
    "timeout_ms": TIMEOUT_MS, "is_paced": False, "quiet_period_s": 0.5, "poll_every_s": 0,
}  # fmt: skip


def unified_venue(
    running: AbstractContextManager[BinanceExchange],
    make_market: Callable[[BinanceExchange, Clock, Pause], CcxtStreamingMarket],
    password: str = "",
) -> Venue:
    """An account at a loopback exchange through what is the same of all exchanges."""
    exchange, clock = running.__enter__(), SystemClock()
    pause = Pause(clock.monotonic)
    market = make_market(exchange, clock, pause)

    def opened() -> Broker:
        keys = Keys(exchange.key, exchange.secret, password)
        return UnifiedBroker("test:unified", market, clock, keys, pause=pause, **QUICKLY)

    name = SYMBOL.replace("/", "")
    exchange.deposit("BTC", -exchange.balance("BTC"))
    exchange.deposit("USDT", OPENING - exchange.balance("USDT"))
    start = exchange.rules(name).price

    def step() -> None:
        for share in ("0.997", "1.003"):
            exchange.set_price(name, start * Decimal(share))

    def thin_out() -> None:
        exchange.rules(name).depth = Decimal("0.5")

    return VenueAtExchange(
        opened(), market, SYMBOL, step, opened, thin_out,
        close=lambda: running.__exit__(None, None, None), exchange=exchange,
    )  # fmt: skip


def unified_binance(folder: Path) -> Venue:
    """The loopback Binance."""
    return unified_venue(binance_exchange(), open_market)


def okx(folder: Path) -> Venue:
    """The loopback OKX, whose smallest order is one of a quantity, not of a value."""

    def stocked(exchange: BinanceExchange, clock: Clock, pause: Pause) -> CcxtStreamingMarket:
        exchange.rules(SYMBOL.replace("/", "")).min_quantity = Decimal("0.0001")
        return open_okx_market(exchange, clock, pause)

    return unified_venue(okx_exchange(), stocked, PASSPHRASE)


def open_okx_market(
    exchange: BinanceExchange, clock: Clock, pause: Pause | None = None
) -> CcxtStreamingMarket:
    """OKX's market as the engine makes it."""
    return CcxtStreamingMarket(
        "account:okx", clock, exchange="okx", base_url=exchange.url, can_short=False,
        timeout_ms=TIMEOUT_MS, first_wait_s=0.02, is_paced=False, pause=pause,
    )  # fmt: skip
