"""Venues as a person adds them: what to type into their forms, and stand-ins that are served.

Nothing here depends on the time of day: what has hours at the vendor never closes at its stand-in,
and bots there are told to follow no market hours.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from engine.adapters.brokers.rest.loading import EXAMPLE_FILE
from engine.adapters.clock.system import SystemClock
from tests.contract.mt5_venue import TOKEN, gateway
from tests.fakes import alpaca, exchange, kite, rest_exchange
from tests.fakes.kite.kite import ACCESS_TOKEN, REQUEST_TOKEN
from tests.fakes.metatrader5 import CRYPTO, StandIn, stocked
from tests.fakes.okx import PASSPHRASE, okx_exchange

PASSWORD = "main-password-of-the-terminal"
EVERY_S = 0.2


@dataclass(frozen=True)
class Form:
    """What is typed and chosen in a venue's form, by label."""

    typed: Mapping[str, str]
    chosen: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class VenueCase:
    """A venue: its title in the list, how its stand-in is served beside a data folder, and what is
    bought there. ``login`` is the answer that its login page gives."""

    title: str
    serve: Callable[[Path], AbstractContextManager[Form]]
    secrets: tuple[str, ...]
    symbol: str = "BTC/USDT"
    amount: str = "250"
    has_hours: bool = False
    login: str = ""


@contextmanager
def serve_binance(data: Path) -> Iterator[Form]:
    """The loopback Binance."""
    with exchange.binance_exchange() as running:
        yield Form(
            {
                "Address of a stand-in": running.url,
                "API key": running.key,
                "Secret key": running.secret,
            }
        )


@contextmanager
def serve_okx(data: Path) -> Iterator[Form]:
    """The loopback OKX, through ccxt's unified interface."""
    with okx_exchange() as running:
        yield Form(
            {
                "Exchange": "okx",
                "Address of a stand-in": running.url,
                "API key": running.key,
                "Secret key": running.secret,
                "Passphrase (optional)": PASSPHRASE,
            }
        )


def serve_alpaca(trades: str) -> Callable[[Path], AbstractContextManager[Form]]:
    """The loopback Alpaca, whose stock market never closes."""

    @contextmanager
    def serve(data: Path) -> Iterator[Form]:
        with alpaca.alpaca_exchange() as running:
            running.sessions.never_closes = True
            typed = {
                "Stand-in for orders": running.url,
                "Stand-in for prices": running.url,
                "Key": running.key,
                "Secret": running.secret,
            }
            yield Form(typed, {"Trades": trades})

    return serve


@contextmanager
def serve_mt5(data: Path) -> Iterator[Form]:
    """A terminal on another machine, whose gateway speaks TLS; its prices move."""
    terminal = stocked(SystemClock().now, password=PASSWORD)
    folder = data.parent / "gateway"
    folder.mkdir()
    with moving(terminal), gateway(terminal, folder) as running:
        world = terminal.world
        typed = {
            "Login": str(world.login),
            "Server": world.server,
            "Gateway": running.url,
            "CA file": running.ca_file,
            "Token of the gateway": TOKEN,
            "Password (optional)": PASSWORD,
        }
        yield Form(typed, {"Positions": "netting"})


@contextmanager
def moving(terminal: StandIn) -> Iterator[None]:
    """Prices are told again and again, as a market's are: it shows the time of its server."""
    is_over = threading.Event()
    world = terminal.world

    def live() -> None:
        while not is_over.wait(EVERY_S):
            world.set_price(CRYPTO, world.symbols[CRYPTO].price)

    thread = threading.Thread(target=live, name="prices", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(60)


@contextmanager
def serve_rest(data: Path) -> Iterator[Form]:
    """The Example Exchange, by a copy of the example with another address."""
    with rest_exchange.example_exchange() as running:
        example = EXAMPLE_FILE.read_text("utf-8")
        (data / "brokers").mkdir(exist_ok=True)
        described = example.replace("https://api.sandbox.exchange.example", running.url)
        (data / "brokers" / "mine.yaml").write_text(described, "utf-8")
        yield Form(
            {
                "Description": "mine",
                "API key (optional)": running.key,
                "Secret (optional)": running.secret,
            }
        )


@contextmanager
def serve_kite(data: Path) -> Iterator[Form]:
    """The loopback Kite."""
    with kite.kite_server() as running:
        yield Form({"Address": running.url, "API key": kite.API_KEY, "API secret": kite.API_SECRET})


CASES = {
    "binance": VenueCase("Binance", serve_binance, secrets=(exchange.KEY, exchange.SECRET)),
    "okx": VenueCase(
        "Crypto exchange (ccxt)", serve_okx, secrets=(exchange.KEY, exchange.SECRET, PASSPHRASE)
    ),
    "alpaca-crypto": VenueCase(
        "Alpaca", serve_alpaca("crypto"), secrets=(alpaca.KEY, alpaca.SECRET), symbol="BTC/USD"
    ),
    "alpaca-stock": VenueCase(
        "Alpaca", serve_alpaca("stock"), secrets=(alpaca.KEY, alpaca.SECRET), symbol="AAPL",
        amount="500", has_hours=True,
    ),
    "mt5": VenueCase(
        "MetaTrader 5 (gateway)", serve_mt5, secrets=(TOKEN, PASSWORD), symbol=CRYPTO
    ),
    "rest": VenueCase(
        "Another platform (REST, described in YAML)", serve_rest,
        secrets=(rest_exchange.KEY, rest_exchange.SECRET),
    ),
    "zerodha": VenueCase(
        "Zerodha (Kite Connect)", serve_kite, symbol="IDEA", has_hours=True,
        secrets=(kite.API_KEY, kite.API_SECRET, ACCESS_TOKEN, REQUEST_TOKEN),
        login=f"http://127.0.0.1/?action=login&status=success&request_token={REQUEST_TOKEN}",
    ),
}  # fmt: skip
