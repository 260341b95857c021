"""An account at the loopback Kite, for the contract suite and for whoever needs one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from engine.adapters.brokers.zerodha.broker import ZerodhaBroker
from engine.adapters.brokers.zerodha.client import KiteClient
from engine.adapters.brokers.zerodha.market import ZerodhaMarket
from engine.adapters.brokers.zerodha.options import Product, ZerodhaOptions
from engine.links.pause import Pause
from tests.fakes.clock import FakeClock
from tests.fakes.kite import API_KEY, Kite, kite_server

SYMBOL = "IDEA"
TIMEOUT_S = 3.0  # a machine that is busy is no fault
NOON = datetime(2026, 3, 2, 7, 0, 30, tzinfo=UTC)  # a Monday, 12:30:30 in India


@dataclass
class KiteVenue:
    """Kite, and an account's market and broker as the engine makes them, but in a hurry."""

    kite: Kite
    clock: FakeClock
    options: ZerodhaOptions
    market: ZerodhaMarket
    broker: ZerodhaBroker

    def reopen(self, **options: Any) -> ZerodhaBroker:
        """The same account anew, as after a restart."""
        return open_account(self.kite, self.clock, self.options, **options)[1]


def open_account(
    kite: Kite, clock: FakeClock, options: ZerodhaOptions, *, token: str | None = None,
    **broker: Any,
) -> tuple[ZerodhaMarket, ZerodhaBroker]:  # fmt: skip
    """An account's market and broker over one client."""
    client = KiteClient(
        API_KEY, kite.token if token is None else token, kite.url, clock,
        timeout_s=TIMEOUT_S, pause=Pause(clock.monotonic), sleep=lambda _seconds: None,
    )  # fmt: skip
    market = ZerodhaMarket(
        "account:zerodha", client, clock.monotonic, options.exchange,
        can_short=options.product is Product.MIS, quote_age_s=0,
    )  # fmt: skip
    settings = {"quiet_period_s": 0.5, "poll_every_s": 0.0} | broker
    return market, ZerodhaBroker("test:zerodha", market, client, options, **settings)


@contextmanager
def kite_venue(**options: Any) -> Iterator[KiteVenue]:
    """Kite with an account, until the end of the block; both go by one clock."""
    clock = FakeClock(NOON)
    with kite_server(clock.now) as kite:
        chosen = ZerodhaOptions(address=kite.url, **options)
        market, broker = open_account(kite, clock, chosen)
        yield KiteVenue(kite, clock, chosen, market, broker)
