"""Exchanges through ccxt: the unified broker over Binance and OKX, and what goes wrong there."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.adapters.brokers.ccxt_unified.broker import UnifiedBroker
from engine.adapters.brokers.ccxt_unified.client import Keys
from engine.adapters.clock.system import SystemClock
from engine.adapters.market_data.ccxt_streams import CcxtStreamingMarket
from engine.domain.orders import OrderRequest, Side
from engine.errors import (
    AccessDenied,
    BrokerUnavailable,
    InsufficientFunds,
    OrderRejected,
    OrderStateUnknown,
)
from engine.links.pause import Pause
from engine.ports import Broker, Clock
from tests.contract.all_venues import MakeVenue, Trouble, buy
from tests.contract.brokers import OPENING, Venue, VenueAtExchange
from tests.contract.exchange_venue import SYMBOL, TIMEOUT_MS, open_market
from tests.fakes.exchange import BinanceExchange, binance_exchange
from tests.fakes.okx import PASSPHRASE, okx_exchange
from tests.support.tls import untrusted_server

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


VENUES: dict[str, MakeVenue] = {
    "ccxt-unified-binance": unified_binance,
    "ccxt-okx": okx,
}


# --- what goes wrong -----------------------------------------------------------------------------


def at(venue: Venue) -> BinanceExchange:
    """The exchange behind a venue."""
    assert isinstance(venue, VenueAtExchange)
    return venue.exchange


def fault(name: str, on: str = "*", **fields: Any) -> Callable[[Venue], object]:
    """Begins a fault of the loopback exchange, once the venue's listing is known."""

    def begin(venue: Venue) -> None:
        assert venue.last  # asked for before anything goes wrong
        at(venue).fault(name, on=on, **fields)

    return begin


def another_key(venue: Venue) -> None:
    """The exchange knows another key than ours."""
    at(venue).key = "of-somebody-else"


def another_secret(venue: Venue) -> None:
    """The exchange knows another secret than ours."""
    at(venue).secret = "of-somebody-else"


def may_not_trade(venue: Venue) -> None:
    """The key may read, and no more."""
    assert venue.last
    at(venue).may["enableSpotAndMarginTrading"] = False


def suspended(venue: Venue) -> None:
    """The symbol is not traded any more, and its listing was read before."""
    assert venue.last
    at(venue).rules(venue.symbol.replace("/", "")).status = "BREAK"


def untrusted(venue: Venue) -> None:
    """Somebody stands between, with a certificate of his own."""
    assert venue.last
    running = untrusted_server()
    url, _ = running.__enter__()
    close = venue.close

    def end() -> None:
        running.__exit__(None, None, None)
        close()

    venue.close = end
    client = venue.broker.client  # type: ignore[attr-defined]
    exchange = getattr(client, "exchange", None) or client._exchange
    there = at(venue).url
    exchange.urls = json.loads(json.dumps(exchange.urls).replace(there, url))


def buy_unlisted(venue: Venue) -> object:
    """An order of what is not listed."""
    request = OrderRequest(client_id="a", symbol="NO/PE", side=Side.BUY, quantity=Decimal(1))
    return venue.broker.submit(request)


def buy_crumbs(venue: Venue) -> object:
    """An order below every minimum."""
    return venue.ask(quantity=venue.instrument.quantity_step)


def buy_too_much(venue: Venue) -> object:
    """An order that the account does not cover."""
    return venue.ask(quantity=venue.worth(int(OPENING) * 2))


def troubles(order: str, account: str, codes: Mapping[str, str]) -> tuple[Trouble, ...]:
    """What every exchange can answer: ``order`` and ``account`` are its endpoints, ``codes`` its
    own codes and sentences."""

    def refused(name: str, on: str = order, times: int = 1) -> Callable[[Venue], object]:
        return fault("error", on, value=codes[name], times=times)

    unread, unsure = BrokerUnavailable, OrderStateUnknown
    return (
        Trouble("wrong-key", another_key, AccessDenied, "does not accept the key"),
        Trouble("wrong-secret", another_secret, AccessDenied, codes["signature"]),
        Trouble("revoked", fault("key_revoked"), AccessDenied, codes["revoked"]),
        Trouble("unknown-symbol", fault("drop_frames"), OrderRejected, "NO/PE", buy_unlisted),
        Trouble("delisted", refused("symbol"), OrderRejected, "(?i)symbol|instrument", buy),
        Trouble("closed", suspended, OrderRejected, "(?i)closed|suspended", buy),
        Trouble("minimum", fault("drop_frames"), OrderRejected, "minimum|NOTIONAL", buy_crumbs),
        Trouble("rules", refused("rules"), OrderRejected, "NOTIONAL|minimum", buy),
        Trouble("funds", fault("drop_frames"), InsufficientFunds, "nsufficient", buy_too_much),
        Trouble("clock", refused("clock", account, 2), unread, "clock"),
        Trouble("too-many", fault("rate_limit_429", value=7), unread, "no requests for 7 s"),
        Trouble("order-too-many", fault("rate_limit_429", order, value=7), unread, "for 7 s", buy),
        Trouble("down", fault("status_5xx"), unread, "no answer of use"),
        Trouble("order-down", fault("status_5xx", order), unsure, "did not say", buy),
        Trouble("order-unsure", refused("unsure"), unsure, "did not say", buy),
        Trouble("order-doubled", refused("doubled"), unsure, "did not say", buy),
        Trouble("hangs", fault("timeout_before_accept", order), unsure, "did not say", buy),
        Trouble("cut", fault("cut", account), unread, "no answer of use"),
        Trouble("order-cut", fault("cut_after_accept", order), unsure, "did not say", buy),
        Trouble("maintenance", fault("html", account), unread, "HTTP 403|no requests for"),
        Trouble(
            "order-junk",
            fault("junk_after_accept", order),
            unsure,
            "did not say|cannot be read",
            buy,
        ),
        Trouble("nan", fault("nan_json", account), unread, "cannot be read|no answer of use"),
        Trouble("order-tls", untrusted, unread, "certificate does not verify", buy),
    )


BINANCE_CODES = {
    "signature": "Signature", "revoked": "Invalid API-key", "symbol": "-1121 Invalid symbol.",
    "rules": "-1013 Filter failure: NOTIONAL", "doubled": "-2010 Duplicate order sent.",
    "clock": "-1021 Timestamp for this request is outside of the recvWindow.",
    "unsure": "-1000 An unknown error occurred while processing the request.",
}  # fmt: skip
OKX_CODES = {
    "signature": "Sign", "revoked": "API key doesn't exist",
    "symbol": "51001 Instrument ID doesn't exist.",
    "rules": "51020 Your order should meet or exceed the minimum order amount.",
    "doubled": "51016 Client order ID already exists.", "clock": "50102 Timestamp request expired",
    "unsure": "50004 Endpoint request timeout",
}  # fmt: skip
BANNED = Trouble("banned", fault("ban_418", value=9), BrokerUnavailable, "no requests for 9 s")
MAY_NOT_TRADE = Trouble("permission", may_not_trade, AccessDenied, "have permission", buy)
MAY_NOT_ORDER = Trouble(
    "permission",
    fault("error", "POST order", value="-2015 Invalid API-key, IP, or permissions for action."),
    AccessDenied, "permissions", buy,
)  # fmt: skip
AT_BINANCE = (*troubles("POST order", "GET account", BINANCE_CODES), BANNED, MAY_NOT_ORDER)
TROUBLES: dict[str, Sequence[Trouble]] = {
    "ccxt-okx": (
        *troubles("POST trade/batch-orders", "GET account/balance", OKX_CODES), MAY_NOT_TRADE,
    ),
    "ccxt-unified-binance": [
        trouble for trouble in AT_BINANCE if trouble.name in ("rules", "order-doubled", "banned")
    ],
}  # fmt: skip
