"""What exchanges can answer besides what is wanted, as the contract suite meets it."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from engine.domain.orders import OrderRequest, Side
from engine.errors import (
    AccessDenied,
    BrokerUnavailable,
    InsufficientFunds,
    OrderRejected,
    OrderStateUnknown,
)
from tests.contract.all_venues import Trouble, buy
from tests.contract.brokers import OPENING, Venue, VenueAtExchange
from tests.fakes.exchange import BinanceExchange
from tests.support.tls import untrusted_server


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
    url, asked = running.__enter__()
    close = venue.close

    def end() -> None:
        assert asked == [], "an order went to whoever stands between"
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
AT_OKX = (
    *troubles("POST trade/batch-orders", "GET account/balance", OKX_CODES), MAY_NOT_TRADE,
)  # fmt: skip
