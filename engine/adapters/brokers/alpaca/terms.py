"""What an account at Alpaca trades, and what Alpaca does for that by itself."""

from dataclasses import dataclass
from decimal import Decimal

from engine.domain.instruments import InstrumentKind
from engine.domain.money import ZERO
from engine.domain.orders import OrderType, TimeInForce
from engine.ports import BrokerCapabilities

QUIET_S = 30.0  # its own 504 comes after a quarter of a minute; as much again
POLL_EVERY_S = 5.0
LOOK_EVERY_S = 0.25
WHOLE = frozenset(OrderType)
PARTS = WHOLE - {OrderType.TRAILING_STOP}
CRYPTO = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT})
ALL_TIMES = frozenset(TimeInForce)
PARTS_TIMES = frozenset({TimeInForce.DAY, TimeInForce.GTC})  # both end with the day
CRYPTO_TIMES = frozenset({TimeInForce.GTC, TimeInForce.IOC})


@dataclass(frozen=True)
class Terms:
    """What an account trades and how: ``fee_bps`` are its rates of crypto, of a taker and of a
    maker. The rest is for tests: how long an order stays in doubt, and how often one that was just
    sent is looked at."""

    kind: InstrumentKind
    is_fractional: bool = False
    fee_bps: tuple[Decimal, Decimal] = (ZERO, ZERO)
    quiet_period_s: float = QUIET_S
    poll_every_s: float = POLL_EVERY_S
    look_every_s: float = LOOK_EVERY_S


def capabilities_of(terms: Terms) -> BrokerCapabilities:
    """What Alpaca does for a kind. Parts of shares trade by the day only, and crypto has no plain
    stops: there the engine itself watches the levels."""
    is_stock = terms.kind is InstrumentKind.STOCK
    rests = is_stock and not terms.is_fractional
    types, times = (WHOLE, ALL_TIMES) if rests else (PARTS, PARTS_TIMES)
    if not is_stock:
        types, times = CRYPTO, CRYPTO_TIMES
    return BrokerCapabilities(
        fee_bps=terms.fee_bps[0],
        fee_bps_maker=terms.fee_bps[1],
        quiet_period_s=terms.quiet_period_s,
        poll_every_s=terms.poll_every_s,
        order_types=types,
        times_in_force=times,
        has_oco=rests,
        rests_protection=rests,
        has_exact_cash=False,
    )
