"""Zerodha through kiteconnect, at the loopback Kite."""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from engine.domain.money import floor_to
from tests.contract.brokers import OPENING, Venue
from tests.contract.kite_venue import SYMBOL, KiteVenue, kite_venue


@dataclass
class ZerodhaVenue(Venue):
    """An account at Zerodha; ``opened`` is Kite behind it."""

    opened: KiteVenue = field(kw_only=True)


def zerodha_venue(folder: Path) -> ZerodhaVenue:
    """Shares for delivery on NSE."""
    running = kite_venue()
    opened = running.__enter__()
    kite = opened.kite
    kite.cash = OPENING
    listed = kite.shares[f"NSE:{SYMBOL}"]
    start = listed.price

    def step() -> None:
        opened.clock.advance(60)
        for share in ("0.997", "1.003"):
            kite.set_price(SYMBOL, floor_to(start * Decimal(share), listed.tick))

    def thin_out() -> None:
        listed.depth = Decimal(10)

    return ZerodhaVenue(
        opened.broker, opened.market, SYMBOL, step, opened.reopen, thin_out,
        close=lambda: running.__exit__(None, None, None), opened=opened,
    )  # fmt: skip


VENUES = {"zerodha": zerodha_venue}
