"""The Example Exchange through the generic broker, for the contract suite and its own tests."""

import ssl
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import trustme

from engine.adapters.brokers.rest.broker import RestBroker
from engine.adapters.brokers.rest.client import RestClient
from engine.adapters.brokers.rest.description import Description
from engine.adapters.brokers.rest.loading import EXAMPLE_FILE, read_description
from engine.adapters.brokers.rest.market import RestMarket
from engine.adapters.clock.system import SystemClock
from engine.ports import Clock
from tests.contract.brokers import OPENING, Venue
from tests.fakes.rest_exchange import ExampleExchange, example_exchange

CODE, SYMBOL = "BTC-USDT", "BTC/USDT"
TIMEOUT_S = 3.0  # a machine that is busy is no fault
IMPATIENT_S = 0.3
MEGABYTE = 1024 * 1024
PLACE = "POST /v1/orders"


@cache
def described(edit: Callable[[str], str] = str) -> Description:
    """The example that comes with Quarterdeck, changed by ``edit``; its client has another address.

    Read once: most of a test's time would be YAML's.
    """
    return read_description(edit(EXAMPLE_FILE.read_text("utf-8")), "example.yaml")


@dataclass
class Opened:
    """An account at the Example Exchange, as the engine has it."""

    exchange: ExampleExchange
    client: RestClient
    market: RestMarket
    broker: RestBroker
    clock: Clock


def open_account(
    exchange: ExampleExchange, clock: Clock | None = None, edit: Callable[[str], str] = str,
    **options: Any,
) -> Opened:  # fmt: skip
    """As the engine opens it, but in a hurry. ``options`` are the client's."""
    own = clock or SystemClock()
    secrets = {"key": exchange.key, "secret": exchange.secret}
    told: dict[str, Any] = {"pace_s": 0.0, "timeout_s": TIMEOUT_S, "most_bytes": MEGABYTE} | options
    client = RestClient(described(edit), exchange.url, told.pop("secrets", secrets), own, **told)
    market = RestMarket("account:example", client)
    return Opened(exchange, client, market, RestBroker("test:example", market, client), own)


@dataclass(kw_only=True)
class RestVenue(Venue):
    """The venue with what is behind it."""

    opened: Opened
    unplug: Callable[[], object]
    """Nobody listens at its address any more; connections that are open stay so."""


def rest_venue(folder: Path, tls: ssl.SSLContext | None = None) -> RestVenue:
    """The Example Exchange at a loopback address."""
    stack = ExitStack()
    plug = stack.enter_context(ExitStack())
    exchange = plug.enter_context(example_exchange(tls=tls))
    exchange.deposit("BTC", -10)
    exchange.deposit("USDT", OPENING - 100_000)
    opened = open_account(exchange)
    stack.callback(opened.client.close)

    def step() -> None:
        for share in ("0.997", "1.003"):
            exchange.set_price(CODE, 50_000 * Decimal(share))

    def reopen() -> RestBroker:
        again = open_account(exchange)
        stack.callback(again.client.close)
        return again.broker

    def thin_out() -> None:
        exchange.rules(CODE).depth = Decimal("0.5")

    return RestVenue(
        opened.broker, opened.market, SYMBOL, step, reopen, thin_out, close=stack.close,
        opened=opened, unplug=plug.close,
    )  # fmt: skip


def untrusted_venue() -> RestVenue:
    """The same behind a certificate that nobody trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return rest_venue(Path(), context)
