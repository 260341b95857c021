"""An account at the loopback Alpaca, for the contract suite and for whoever needs one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.adapters.brokers.alpaca.addresses import addresses_of
from engine.adapters.brokers.alpaca.connection import Ids, Key, connect
from engine.adapters.brokers.alpaca.terms import Terms
from engine.domain.instruments import InstrumentKind
from engine.domain.venue_accounts import Mode
from engine.ports import Broker, VenueConnection
from tests.contract.brokers import OPENING, Venue
from tests.fakes.alpaca import AlpacaExchange, alpaca_exchange
from tests.fakes.clock import FakeClock

TRADING_HOURS = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)  # noon in New York
TIMEOUT_S = 10.0
SHORT_TIMEOUT_S = 3.0  # of venues that are made to hang; a machine that is busy is no fault
SYMBOLS = {InstrumentKind.STOCK: "F", InstrumentKind.CRYPTO: "BTC/USD"}


@dataclass
class AlpacaVenue:
    """The exchange, and an account of one kind as the engine has it, but in a hurry."""

    exchange: AlpacaExchange
    clock: FakeClock
    terms: Terms

    def connect(self, **options: Any) -> VenueConnection:
        """The account, as after a restart."""
        settings: dict[str, Any] = {"timeout_s": TIMEOUT_S, "first_wait_s": 0.02} | options
        url = settings.pop("url", self.exchange.url)
        key = settings.pop("key", Key(self.exchange.key, self.exchange.secret))
        return connect(
            Ids("test:alpaca", "account:alpaca"), key, addresses_of(Mode.TEST, url, url),
            self.clock, self.terms, **settings,
        )  # fmt: skip


def terms_of(kind: InstrumentKind, **fields: Any) -> Terms:
    """An account's terms, without the waits of the real one."""
    hurry = {"quiet_period_s": 0.5, "poll_every_s": 0.0, "look_every_s": 0.002}
    fees = {"fee_bps": (Decimal(25), Decimal(15))} if kind is InstrumentKind.CRYPTO else {}
    return Terms(kind=kind, **(hurry | fees | fields))


@contextmanager
def alpaca_venue(
    kind: InstrumentKind = InstrumentKind.STOCK, **fields: Any
) -> Iterator[AlpacaVenue]:
    """A stocked exchange in trading hours, until the end of the block."""
    clock = FakeClock(TRADING_HOURS)
    with alpaca_exchange(clock.now) as exchange:
        yield AlpacaVenue(exchange, clock, terms_of(kind, **fields))


@dataclass
class LoopbackVenue(Venue):
    """A venue of the contract suite, with what serves it."""

    opened: AlpacaVenue = field(kw_only=True)

    @property
    def exchange(self) -> AlpacaExchange:
        """The stand-in."""
        return self.opened.exchange

    @property
    def clock(self) -> FakeClock:
        """The time by which both go."""
        return self.opened.clock


def loopback_venue(kind: InstrumentKind, **fields: Any) -> Callable[[Path], LoopbackVenue]:
    """Makes venues of a kind; ``fields`` are those of Terms."""
    symbol = SYMBOLS[kind]

    def make(folder: Path) -> LoopbackVenue:
        running = alpaca_venue(kind, **fields)
        opened = running.__enter__()
        exchange = opened.exchange
        exchange.matching.cash = OPENING
        connections = [opened.connect(timeout_s=SHORT_TIMEOUT_S)]
        start = exchange.asset(symbol).price

        def reopen() -> Broker:
            connections.append(opened.connect())
            return connections[-1].broker

        def step() -> None:
            opened.clock.advance(60)
            for share in ("0.997", "1.003"):
                exchange.set_price(symbol, start * Decimal(share))

        def thin_out() -> None:
            exchange.asset(symbol).depth = Decimal(4)

        def close() -> None:
            for connection in connections:
                connection.close()
            running.__exit__(None, None, None)

        return LoopbackVenue(
            connections[0].broker, connections[0].market, symbol, step, reopen, thin_out,
            move_to=lambda price: exchange.set_price(symbol, price), close=close,
            keeps_ids=True, opened=opened,
        )  # fmt: skip

    return make
