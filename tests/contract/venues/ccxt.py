"""Exchanges through ccxt: the unified broker over Binance and OKX, and what goes wrong there."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.adapters.brokers.ccxt_unified.broker import UnifiedBroker
from engine.adapters.brokers.ccxt_unified.client import Keys
from engine.adapters.clock.system import SystemClock
from engine.links.pause import Pause
from engine.ports import Broker, Clock
from tests.contract.brokers import OPENING, Venue
from tests.contract.exchange_venue import SYMBOL, TIMEOUT_MS, open_market
from tests.fakes.exchange import BinanceExchange, binance_exchange

QUICKLY: dict[str, Any] = {
    "timeout_ms": TIMEOUT_MS, "is_paced": False, "quiet_period_s": 0.5, "poll_every_s": 0,
}  # fmt: skip


def unified_binance(folder: Path) -> Venue:
    """Binance through what is the same of all exchanges, at the loopback exchange."""
    running = binance_exchange()
    exchange, clock = running.__enter__(), SystemClock()
    pause = Pause(clock.monotonic)
    market = open_market(exchange, clock, pause)

    def opened() -> Broker:
        keys = Keys(exchange.key, exchange.secret)
        return UnifiedBroker("test:binance", market, clock, keys, pause=pause, **QUICKLY)

    name = SYMBOL.replace("/", "")
    exchange.deposit("BTC", -exchange.balance("BTC"))
    exchange.deposit("USDT", OPENING - exchange.balance("USDT"))
    start = exchange.rules(name).price

    def step() -> None:
        for share in ("0.997", "1.003"):
            exchange.set_price(name, start * Decimal(share))

    def thin_out() -> None:
        exchange.rules(name).depth = Decimal("0.5")

    return Venue(
        opened(), market, SYMBOL, step, opened, thin_out,
        close=lambda: running.__exit__(None, None, None),
    )  # fmt: skip


VENUES: dict[str, Callable[[Path], Venue]] = {"ccxt-unified-binance": unified_binance}
