"""A description tried out: each question that changes nothing is asked once, and judged."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from engine.adapters.brokers.rest.broker import RestBroker
from engine.adapters.brokers.rest.client import RestClient
from engine.adapters.brokers.rest.market import RestMarket
from engine.adapters.brokers.rest.reports import Reports
from engine.adapters.brokers.rest.words import Unreadable
from engine.domain.candles import Candles
from engine.domain.instruments import Instrument, Quote
from engine.domain.money import text
from engine.domain.venue_accounts import Grade
from engine.errors import QuarterdeckError

UNKNOWN_ID = "qd-check-0-e"  # an id that no order has
SOME = 5


@dataclass(frozen=True)
class Finding:
    """What became of one endpoint. ``detail`` says what was read, or what is wrong."""

    endpoint: str
    grade: Grade
    detail: str


PRIVATE = ("balances", "find_order", "open_orders", "executions", "permissions")


def try_out(
    client: RestClient, market: RestMarket, broker: RestBroker, *, has_secrets: bool, symbol: str
) -> Iterator[Finding]:
    """Public endpoints, then with secrets those of the account; orders are never sent.

    ``symbol`` is what is asked for, by default the first that is listed.
    """
    if client.description.endpoints.time is None:
        yield Finding("time", Grade.UNKNOWN, "it is not described: this machine's time is used")
    else:
        yield _tried("time", client.sync_clock, lambda told: f"{told:%Y-%m-%d %H:%M:%S} UTC")
    yield _tried("instruments", market.instruments, _symbols)
    chosen = _chosen(market, symbol)
    if isinstance(chosen, str):
        yield from _skipped(("candles", "quote", *PRIVATE), chosen)
    else:
        name, length = chosen.symbol, market.timeframes()[0]
        yield _tried("candles", lambda: market.candles(name, length, limit=SOME), _candles)
        yield _tried("quote", lambda: market.quote(name), _price)
        if has_secrets:
            yield from _private(client, market, broker, chosen)
        else:
            yield from _skipped(PRIVATE, "it needs the account's secrets: say --account")
    yield from _skipped(("place", "cancel"), "it would order: try it with a test account's bot")


def _chosen(market: RestMarket, symbol: str) -> Instrument | str:
    """What is asked for, or why nothing is."""
    try:
        if symbol:
            return market.instrument(symbol)
        return next(iter(market.instruments()), "no symbol is listed")
    except QuarterdeckError as error:
        return error.message


def _private(
    client: RestClient, market: RestMarket, broker: RestBroker, first: Instrument
) -> Iterator[Finding]:
    symbol = first.symbol
    yield _tried("balances", broker.balances, _held)
    yield _tried(
        "find_order", lambda: broker.find_order(UNKNOWN_ID, symbol),
        lambda found: "an unknown id is not found" if found is None else "it found one",
    )  # fmt: skip
    yield _tried("open_orders", broker.open_orders, lambda found: f"{len(found)} work")
    since = market.now() - timedelta(days=1)
    yield _tried(
        "executions", lambda: broker.executions(symbol, since),
        lambda found: f"{len(found)} of {symbol} in 24 hours",
    )  # fmt: skip
    endpoint = client.description.endpoints.permissions
    if endpoint is not None:
        reader = Reports(client.description)
        yield _tried(
            "permissions", lambda: reader.permissions(client.ask(endpoint)),
            lambda may: ", ".join(f"{name}: {'yes' if is_so else 'no'}"
                                  for name, is_so in may.items()),
        )  # fmt: skip


def _tried(name: str, question: Callable[[], Any], told: Callable[[Any], str]) -> Finding:
    try:
        return Finding(name, Grade.OK, told(question()))
    except (QuarterdeckError, Unreadable) as error:
        return Finding(name, Grade.FAILED, str(error))


def _skipped(names: tuple[str, ...], reason: str) -> Iterator[Finding]:
    return (Finding(name, Grade.UNKNOWN, reason) for name in names)


def _symbols(found: list[Instrument]) -> str:
    names = ", ".join(one.symbol for one in found[:SOME])
    return f"{len(found)} symbols: {names}{', ...' if len(found) > SOME else ''}"


def _candles(found: Candles) -> str:
    bar = found.bar(-1)
    return f"{len(found)} of {found.timeframe}, the last closed at {bar.close:g}"


def _price(found: Quote) -> str:
    return f"{found.symbol} {text(found.last)} (bid {text(found.bid)}, ask {text(found.ask)})"


def _held(found: Any) -> str:
    words = [f"{text(one.total)} {one.asset}" for one in found.values()]
    return ", ".join(words[:SOME]) or "nothing"
