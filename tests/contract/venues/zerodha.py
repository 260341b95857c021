"""Zerodha through kiteconnect, at the loopback Kite."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from engine.adapters.brokers.zerodha.broker import ZerodhaBroker
from engine.adapters.brokers.zerodha.client import KiteClient
from engine.domain.money import floor_to
from engine.domain.orders import Side
from engine.errors import (
    AccessDenied,
    BrokerUnavailable,
    DataError,
    InsufficientFunds,
    OrderRejected,
    OrderStateUnknown,
)
from tests.contract.all_venues import Trouble, buy
from tests.contract.brokers import OPENING, Venue
from tests.contract.kite_venue import SYMBOL, TIMEOUT_S, KiteVenue, kite_venue, open_account
from tests.fakes.impostor import start_impostor
from tests.fakes.kite import API_KEY, Kite


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


# --- what Kite can answer -------------------------------------------------------------------------


def strikes(name: str, on: str, value: str | None = None) -> Callable[[Venue], object]:
    """A fault at the requests that begin so."""
    return lambda venue: kite_of(venue).fault(name, on=on, value=value)


def lasts(name: str, value: str | None = None) -> Callable[[Venue], object]:
    """A fault that is in force from now on."""
    return lambda venue: kite_of(venue).fault(name, value=value)


def kite_of(venue: Venue) -> Kite:
    """Kite behind a venue of this module."""
    assert isinstance(venue, ZerodhaVenue)
    return venue.opened.kite


def log_out(venue: Venue) -> object:
    """Another login somewhere else ends this one's, after the symbols were listed."""
    venue.market.instruments()
    kite_of(venue).token = "another"
    return venue


def never_logged_in(venue: Venue) -> object:
    """An account as it is before the first login."""
    assert isinstance(venue, ZerodhaVenue)
    opened = venue.opened
    _, venue.broker = open_account(opened.kite, opened.clock, opened.options, token="")
    return venue


def speak_tls(venue: Venue) -> object:
    """Somebody who is not Kite answers under its name: its certificate does not verify."""
    assert isinstance(venue, ZerodhaVenue)
    opened = venue.opened
    client = KiteClient(API_KEY, "token", start_impostor(), opened.clock, timeout_s=TIMEOUT_S)
    venue.broker = ZerodhaBroker("test:zerodha", venue.market, client, opened.options)
    return venue


def unlisted(venue: Venue) -> object:
    """Buy what the exchange does not have."""
    request = venue.request("a", Side.BUY, quantity=Decimal(1))
    return venue.broker.submit(request.model_copy(update={"symbol": "NOSUCH"}))


def order_blindly(venue: Venue) -> object:
    """Buy one share without asking for its price."""
    return venue.broker.submit(venue.request("a", Side.BUY, quantity=Decimal(1)))


def quote(venue: Venue) -> object:
    """Ask for a price."""
    return venue.market.quote(venue.symbol)


def candles(venue: Venue) -> object:
    """Ask for candles."""
    return venue.market.candles(venue.symbol, "1m", limit=5)


def nothing_wrong(_venue: Venue) -> None:
    """The order itself is the trouble."""


PLACE = "POST /orders/regular"
LOG_IN = "log in again on the Accounts page"


def _refusal(name: str, told: str, error: type[Exception], words: str) -> Trouble:
    return Trouble(name, strikes("error", PLACE, told), error, words, buy)


TROUBLES = {
    "zerodha": [
        Trouble("never-logged-in", never_logged_in, AccessDenied, f"nobody has.*{LOG_IN}"),
        Trouble("token-expired", lasts("logged_out"), AccessDenied, f"ended.*{LOG_IN}"),
        Trouble("token-revoked", log_out, AccessDenied, f"revoked.*{LOG_IN}",
                order_blindly),
        Trouble("other-address", lasts("other_address"), AccessDenied,
                "IP Whitelist.*developers.kite.trade", buy),
        _refusal("no-permission", "403 PermissionException Insufficient permission for that call.",
                 AccessDenied, "does not allow this: Insufficient permission"),
        Trouble("unknown-symbol", nothing_wrong, OrderRejected, "NSE lists no share 'NOSUCH'",
                unlisted),
        Trouble("market-closed", lasts("market_closed"), BrokerUnavailable,
                "Markets are closed", buy),
        _refusal("bad-input", "400 InputException Invalid `quantity`.", OrderRejected,
                 "Invalid `quantity`"),
        _refusal("order-refused", "400 OrderException The price is out of the circuit limits.",
                 OrderRejected, "circuit limits"),
        _refusal("blocked-user", "400 UserException Your account is blocked.", OrderRejected,
                 "account is blocked"),
        _refusal("no-funds", "400 MarginException Insufficient funds.", InsufficientFunds,
                 "Insufficient funds"),
        _refusal("no-shares", "400 HoldingException Insufficient stock holding.",
                 InsufficientFunds, "Insufficient stock holding"),
        Trouble("refused-behind-the-gateway", lasts("rejected_later"), OrderRejected,
                "RMS: scrip is blocked", buy),
        Trouble("poor-behind-the-gateway",
                lasts("rejected_later", "Insufficient funds. Required margin is 9."),
                InsufficientFunds, "Required margin", buy),
        Trouble("rate-limited", strikes("rate_limit", "GET /user"), BrokerUnavailable,
                "no requests for 10 s"),
        Trouble("orders-rate-limited", strikes("rate_limit", PLACE), BrokerUnavailable,
                "no requests for 10 s", buy),
        *(_refusal(f"{status}-{kind}", f"{status} {kind} It went wrong.", OrderStateUnknown,
                   "did not say: .*It went wrong")
          for status, kind in ((500, "GeneralException"), (500, "OrderException"),
                               (502, "DataException"), (503, "NetworkException"),
                               (504, "NetworkException"), (400, "NetworkException"),
                               (400, "NewException"))),
        Trouble("down", strikes("status", "GET /user", "502"), BrokerUnavailable, "HTTP 502"),
        Trouble("down-for-orders", strikes("status", PLACE, "503"), OrderStateUnknown, "HTTP 503",
                buy),
        Trouble("maintained", strikes("html", "GET /user"), BrokerUnavailable, "no answer of use"),
        Trouble("timeout", strikes("no_answer", "GET /user"), BrokerUnavailable, "ReadTimeout"),
        Trouble("timeout-of-an-order", strikes("no_answer", PLACE), OrderStateUnknown,
                "ReadTimeout", buy),
        Trouble("cut", strikes("cut", "GET /user"), BrokerUnavailable, "there was no answer"),
        Trouble("order-cut", strikes("cut_after_accept", PLACE), OrderStateUnknown,
                "there was no answer", buy),
        Trouble("junk", strikes("junk_after_accept", "GET /portfolio"), BrokerUnavailable,
                "no answer of use"),
        Trouble("order-junk", strikes("junk_after_accept", PLACE), OrderStateUnknown,
                "did not say", buy),
        Trouble("nan", strikes("nan", "GET /user/margins"), BrokerUnavailable, "not JSON"),
        Trouble("null", strikes("null", "GET /user/margins"), BrokerUnavailable, "net is 'None'"),
        Trouble("huge", strikes("huge", "GET /user/margins"), BrokerUnavailable, "Unreadable"),
        Trouble("redirected", strikes("redirect", PLACE), OrderStateUnknown, "HTTP 302", buy),
        Trouble("no-certificate", speak_tls, BrokerUnavailable, "SSLError"),
        Trouble("price-down", strikes("status", "GET /quote", "503"), DataError, "HTTP 503", quote),
        Trouble("price-null", strikes("null", "GET /quote"), DataError, "no price of", quote),
        Trouble("no-candles-plan",
                strikes("error", "GET /instruments/historical",
                        "403 PermissionException Insufficient permission for that call."),
                DataError, "does not allow this", candles),
        Trouble("candles-null", strikes("null", "GET /instruments/historical"), DataError,
                "candle that cannot be read", candles),
    ]
}  # fmt: skip
