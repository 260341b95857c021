"""Alpaca in the contract suite: whole shares, parts of shares, crypto; and what it can answer."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from engine.domain.instruments import InstrumentKind
from engine.domain.orders import OrderRequest, OrderType, Side
from engine.errors import (
    AccessDenied,
    BrokerUnavailable,
    DataError,
    InsufficientFunds,
    NotFound,
    OrderRejected,
    OrderStateUnknown,
)
from tests.contract.all_venues import MakeVenue, Trouble, buy
from tests.contract.alpaca_venue import LoopbackVenue, loopback_venue
from tests.contract.brokers import Venue
from tests.support.tls import untrusted_server

VENUES: dict[str, MakeVenue] = {
    "alpaca-stocks": loopback_venue(InstrumentKind.STOCK),
    "alpaca-parts": loopback_venue(InstrumentKind.STOCK, is_fractional=True),
    "alpaca-crypto": loopback_venue(InstrumentKind.CRYPTO),
}
OCO_VENUES: dict[str, MakeVenue] = {"alpaca-stocks": VENUES["alpaca-stocks"]}
PLACE = "POST /v2/orders"


def loopback(venue: Venue) -> LoopbackVenue:
    """The venue with its stand-in."""
    assert isinstance(venue, LoopbackVenue)
    return venue


def is_well(venue: Venue) -> None:
    """Nothing is wrong at the venue."""


def fault(name: str, on: str = "*", value: Any = None) -> Callable[[Venue], object]:
    """A fault of the stand-in, once the listing is known."""

    def begin(venue: Venue) -> None:
        venue.market.instruments()
        venue.buy("before")
        loopback(venue).exchange.fault(name, on=on, value=value, times=99)

    return begin


def error(told: str) -> Callable[[Venue], object]:
    """An answer to an order: 'STATUS CODE message'."""
    return fault("error", PLACE, told)


def sell_nothing(venue: Venue) -> object:
    """A sale of what is not held."""
    return venue.ask(side=Side.SELL, quantity=venue.worth(500))


def buy_one(venue: Venue) -> object:
    """An order that asks for no price first."""
    return venue.ask(quantity=Decimal(1))


def buy_unknown(venue: Venue) -> object:
    """An order of a symbol that there is not."""
    return venue.broker.submit(
        OrderRequest(client_id="a", symbol="NO/PE", side=Side.BUY, quantity=Decimal(1))
    )


def close_market(venue: Venue) -> None:
    """It is night in New York, and a weekend begins."""
    clock = loopback(venue).clock
    clock.advance(timedelta(days=4, hours=6).total_seconds())


def sleep_listing(venue: Venue) -> None:
    """Prices cannot be had."""
    venue.market.instruments()
    loopback(venue).exchange.fault("status", on="GET *", times=99)


def ask_an_impostor(venue: Venue) -> object:
    """Somebody else answers at Alpaca's address, with a certificate that nobody knows."""
    with untrusted_server() as (url, _asked):
        connection = loopback(venue).opened.connect(url=url)
        try:
            return connection.broker.balances()
        finally:
            connection.close()


TROUBLES: dict[str, Sequence[Trouble]] = {
    "alpaca-stocks": (
        Trouble("wrong-key", lambda venue: setattr(loopback(venue).exchange, "secret", "other"),
                AccessDenied, "does not accept the key.*Check"),
        Trouble("revoked-key", fault("key_revoked"), AccessDenied, "forbidden.*Check the key"),
        Trouble("revoked-key-order", fault("key_revoked"), AccessDenied, "forbidden", buy_one),
        Trouble("unauthorized", error("401 40110000 request is not authorized"), AccessDenied,
                "not authorized", buy),
        Trouble("account-blocked", error("403 40310000 account is not authorized to trade"),
                AccessDenied, "not authorized to trade.*account at alpaca.markets", buy),
        Trouble("no-permission", error("422 40010001 us_equity orders not allowed for account"),
                OrderRejected, "not allowed for account", buy),
        Trouble("liquidation-only", error("403 40310000 your account is set to liquidation only"),
                OrderRejected, "liquidation only", buy),
        Trouble("day-trading", error("403 40310100 trade denied due to pattern day trading "
                "protection"), OrderRejected, "pattern day trading.*hold the position", buy),
        Trouble("wash-trade", error("403 40310000 potential wash trade detected. use complex "
                "orders"), OrderRejected, "wash trade", buy),
        Trouble("no-buying-power", error("403 40310000 insufficient buying power"),
                InsufficientFunds, "insufficient buying power", buy),
        Trouble("nothing-to-sell", is_well, InsufficientFunds,
                "position intent mismatch", sell_nothing),
        Trouble("no-shorts", error("403 40310000 account is not allowed to short"),
                InsufficientFunds, "not allowed to short", buy),
        Trouble("asset-inactive", error("422 42210000 asset F is not active"), OrderRejected,
                "not active", buy),
        Trouble("unknown-symbol", is_well, OrderRejected, "does not trade 'NO/PE'",
                buy_unknown),
        Trouble("market-closed", close_market, OrderRejected, "closed until 2026-03-09T13:30:00Z",
                buy),
        Trouble("rate-limited", fault("rate_limit_429", value=7), BrokerUnavailable,
                "no requests for 7 s"),
        Trouble("rate-limited-order", fault("rate_limit_429", PLACE, 7), BrokerUnavailable,
                "no requests for 7 s", buy),
        Trouble("down", fault("status", value=503), BrokerUnavailable, "HTTP 503"),
        Trouble("down-order", fault("status", PLACE, 500), OrderStateUnknown, "HTTP 500", buy),
        Trouble("gateway-timeout", fault("status_504_after_accept", PLACE), OrderStateUnknown,
                "HTTP 504", buy),
        Trouble("timeout", fault("timeout_before_accept"), BrokerUnavailable, "no answer"),
        Trouble("timeout-order", fault("timeout_after_accept", PLACE), OrderStateUnknown,
                "no answer", buy),
        Trouble("cut", fault("cut"), BrokerUnavailable, "no answer"),
        Trouble("cut-order", fault("cut_after_accept", PLACE), OrderStateUnknown, "no answer", buy),
        Trouble("impostor", is_well, BrokerUnavailable, "certificate does not verify",
                ask_an_impostor),
        Trouble("junk", fault("junk_after_accept"), BrokerUnavailable, "HTTP 200"),
        Trouble("junk-order", fault("junk_after_accept", PLACE), OrderStateUnknown, "HTTP 200",
                buy),
        Trouble("html-403-order", fault("html", PLACE, 403), OrderStateUnknown, "HTTP 403", buy),
        Trouble("nan", fault("nan_json"), BrokerUnavailable, "cannot be read"),
        Trouble("null-order", fault("null_json", PLACE), OrderStateUnknown, "cannot be read", buy),
        Trouble("undocumented-code", error("422 42299999 something new"), OrderStateUnknown,
                "something new", buy),
        Trouble("listing-behind", fault("activities_behind"), BrokerUnavailable, "list of trades",
                lambda venue: (venue.buy(), venue.found())),
        Trouble("no-prices", sleep_listing, DataError, "HTTP 503",
                lambda venue: venue.market.quote(venue.symbol)),
        Trouble("no-such-candles", is_well, NotFound, "does not trade",
                lambda venue: venue.market.candles("NOPE", "1m", limit=1)),
        Trouble("sub-penny", is_well, OrderRejected, "not a multiple of the tick",
                lambda venue: venue.ask(type=OrderType.LIMIT, quantity=Decimal(1),
                                        price=Decimal("19.005"))),
    ),
    "alpaca-parts": (
        Trouble("below-minimum", is_well, OrderRejected, "minimal amount of order 1",
                lambda venue: venue.ask(quantity=Decimal("0.01"))),
        Trouble("no-pairs", error("422 42210000 fractional orders must be simple orders"),
                OrderRejected, "must be simple orders", buy),
    ),
    "alpaca-crypto": (
        Trouble("below-minimum", is_well, OrderRejected, "minimal amount of order 10",
                lambda venue: venue.ask(quantity=Decimal("0.0001"))),
        Trouble("insufficient-balance", is_well, InsufficientFunds,
                "insufficient balance for BTC", sell_nothing),
        Trouble("not-enabled", error("422 40010001 crypto orders not allowed for account"),
                OrderRejected, "not allowed for account", buy),
        Trouble("no-stops", is_well, OrderRejected, "takes no stop orders",
                lambda venue: venue.ask(type=OrderType.STOP, quantity=Decimal(1),
                                        stop_price=Decimal(60_000))),
    ),
}  # fmt: skip
