"""The generic broker at the Example Exchange, and everything that can answer it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.domain.orders import OrderType, Side
from engine.errors import (
    AccessDenied,
    BrokerUnavailable,
    DataError,
    InsufficientFunds,
    OrderRejected,
    OrderStateUnknown,
)
from tests.contract.all_venues import MakeVenue, Trouble, buy
from tests.contract.brokers import Venue
from tests.contract.market_subject import Subject
from tests.contract.rest_venue import (
    CODE,
    IMPATIENT_S,
    PLACE,
    RestVenue,
    open_account,
    rest_venue,
    untrusted_venue,
)
from tests.fakes.rest_exchange import ExampleExchange

VENUES: dict[str, MakeVenue] = {"rest": rest_venue}

Begin = Callable[[Venue], object]


def _listed(venue: Venue) -> ExampleExchange:
    """The exchange, once the symbols are known: a trouble strikes what comes after that."""
    assert isinstance(venue, RestVenue)
    venue.market.instruments()
    return venue.opened.exchange


def _set(**values: Any) -> Begin:
    def begin(venue: Venue) -> None:
        exchange = _listed(venue)
        for name, value in values.items():
            setattr(exchange, name, value)

    return begin


def _fault(name: str, on: str = "", value: str = "", times: int = 9) -> Begin:
    return lambda venue: _listed(venue).fault(name, on, value, times)


def _silence(name: str, on: str = "") -> Begin:
    """No answer comes, to somebody who does not wait long."""

    def begin(venue: Venue) -> None:
        exchange = _listed(venue)
        hasty = open_account(exchange, timeout_s=IMPATIENT_S)
        hasty.market.instruments()
        venue.broker, first_close = hasty.broker, venue.close

        def close() -> None:
            hasty.client.close()
            first_close()

        venue.close = close
        exchange.fault(name, on, times=9)

    return begin


def _rules(**values: Any) -> Begin:
    def begin(venue: Venue) -> None:
        rules = _listed(venue).rules(CODE)
        for name, value in values.items():
            setattr(rules, name, value)

    return begin


def _delist(venue: Venue) -> None:
    exchange = _listed(venue)
    exchange.matching.symbols.pop(CODE)


def _unreachable(venue: Venue) -> None:
    """Nobody listens there any more."""
    assert isinstance(venue, RestVenue)
    venue.market.instruments()
    venue.unplug()


def _move_behind_a_bad_certificate(venue: Venue) -> None:
    """The account is at an address now whose certificate nobody trusts."""
    assert isinstance(venue, RestVenue)
    moved, first_close = untrusted_venue(), venue.close

    def close() -> None:
        moved.close()
        first_close()

    venue.broker, venue.market, venue.close = moved.broker, moved.market, close


def _quote(venue: Venue) -> object:
    return venue.market.quote(venue.symbol)


def _tiny(venue: Venue) -> object:
    price = venue.near("0.5")
    step = venue.instrument.quantity_step
    return venue.ask(type=OrderType.LIMIT, price=price, quantity=step)


def _one(venue: Venue) -> object:
    return venue.ask(quantity=venue.worth(600, venue.instrument.price_tick * 5_000_000))


def _rich(venue: Venue) -> object:
    return venue.ask(side=Side.SELL, quantity=venue.worth(600))


KEYS = (
    Trouble(
        "wrong key", _set(key="another"), AccessDenied, r"unknown|no key \*\*\*; check the key"
    ),
    Trouble("wrong secret", _set(secret="another"), AccessDenied, "check the secret"),
    Trouble("revoked", _set(is_revoked=True), AccessDenied, "revoked; make a new key"),
    Trouble(
        "no permission", _set(permissions=["read"]), AccessDenied, "allow the key to trade", buy
    ),
    Trouble("clock off", _set(ahead_s=3600), BrokerUnavailable, "clock was off", _one),
)
REFUSALS = (
    Trouble("wrong symbol", _delist, OrderRejected, "no instrument", _one),
    Trouble("closed", _rules(status="HALTED"), OrderRejected, "market is closed", buy),
    Trouble("below minimum", _rules(), OrderRejected, "below the minimum", _tiny),
    Trouble("minimum raised", _rules(min_notional=10_000), OrderRejected, "below minimum", buy),
    Trouble("another tick", _rules(step=1, min_quantity=1), OrderRejected, "bad amount", buy),
    Trouble("insufficient funds", _rules(), InsufficientFunds, "insufficient", _rich),
)
PASSING = (
    Trouble("429", _fault("limited", value="7"), BrokerUnavailable, "no requests for 7 s"),
    Trouble("429 to an order", _fault("limited", PLACE, "7"), BrokerUnavailable, "for 7 s", buy),
    Trouble("503", _fault("status", value="503"), BrokerUnavailable, "status 503"),
    Trouble("redirect", _fault("status", value="302"), BrokerUnavailable, "another address"),
    Trouble("undocumented", _fault("error", value="418 teapot"), BrokerUnavailable, "teapot"),
    Trouble("timeout", _silence("timeout"), BrokerUnavailable, "no answer in time"),
    Trouble("cut", _fault("cut"), BrokerUnavailable, "broke off"),
    Trouble("html", _fault("html"), BrokerUnavailable, "no JSON"),
    Trouble("nulls", _fault("nulls_after"), BrokerUnavailable, "is not there"),
    Trouble("NaN", _fault("nan_after"), BrokerUnavailable, "no JSON"),
    Trouble("down", _unreachable, BrokerUnavailable, "nothing answers at its address", _one),
    Trouble("TLS that does not verify", _move_behind_a_bad_certificate, BrokerUnavailable,
            "certificate does not verify"),
    Trouble("no price", _fault("nulls_after"), DataError, "cannot be read", _quote),
)  # fmt: skip
DOUBTS = tuple(
    Trouble(f"order, {name} {value}", _fault(name, PLACE, value), OrderStateUnknown, words, buy)
    for name, value, words in (
        ("cut", "", "broke off"),
        ("status", "500", "status 500"),
        ("status", "302", "another address"),
        ("html", "200", "no JSON"),
        ("error", "400 new_rule", "new_rule"),
        ("error", "500 below_minimum", "below_minimum"),
        ("cut_after", "", "broke off"),
        ("status_after", "504", "status 504"),
        ("html_after", "", "no JSON"),
        ("nulls_after", "", "cannot be read"),
        ("nan_after", "", "no JSON"),
        ("huge_after", "", "too long"),
        ("other_after", "", "another order"),
    )
) + tuple(
    Trouble(f"order, {name}", _silence(name, PLACE), OrderStateUnknown, "no answer in time", buy)
    for name in ("timeout", "timeout_after")
)
TROUBLES: Mapping[str, Sequence[Trouble]] = {"rest": (*KEYS, *REFUSALS, *PASSING, *DOUBTS)}


@contextmanager
def rest_market(folder: Path) -> Iterator[Subject]:
    """Its prices."""
    venue = rest_venue(folder)
    yield Subject(venue.market, venue.symbol, "1m")
    venue.close()


MARKETS = {"rest": rest_market}
