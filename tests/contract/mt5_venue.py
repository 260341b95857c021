"""Brokers over the stand-in of MetaTrader: in this process, and behind a gateway with TLS."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from engine.adapters.brokers.mt5.broker import Mt5Broker
from engine.adapters.brokers.mt5.market import Mt5Market
from engine.adapters.brokers.mt5.options import MAGIC
from engine.adapters.brokers.mt5.server_time import AUTO, ServerTime
from engine.adapters.brokers.mt5.session import Login, Session
from engine.adapters.brokers.mt5.terminal import LocalTerminal, Terminal
from engine.adapters.brokers.mt5_gateway import Gateway, TerminalDesk, tls_context
from engine.domain.orders import OrderRequest, OrderType, Side
from engine.domain.venue_accounts import Mode
from tests.contract.brokers import Venue
from tests.fakes.clock import FakeClock
from tests.fakes.metatrader5 import CRYPTO, StandIn, stocked

TOKEN = "a-token-of-forty-characters-or-a-few-more"
TIMEOUT_S = 3.0


@dataclass
class Mt5Venue:
    """The stand-in, and an account at it as the engine has it; ``url`` and ``ca_file`` are those
    of the gateway between them, if there is one."""

    stand_in: StandIn
    clock: FakeClock
    terminal: Terminal
    session: Session
    market: Mt5Market
    broker: Mt5Broker
    url: str = ""
    ca_file: str = ""

    def set_price(self, price: str, symbol: str = CRYPTO) -> None:
        """Let the market move, a second later."""
        self.clock.advance(1)
        self.stand_in.world.set_price(symbol, Decimal(price))


def opened(
    stand_in: StandIn, clock: FakeClock, terminal: Terminal, *, zone: str = AUTO,
    mode: Mode = Mode.TEST, password: str | None = None, **options: Any,
) -> Mt5Venue:  # fmt: skip
    """An account over a terminal, as the venue's module makes it, but in a hurry."""
    world = stand_in.world
    login = Login(
        world.login, world.server, mode, world.is_hedging,
        world.password if password is None else password,
    )  # fmt: skip
    session = Session(terminal, login, clock.monotonic)
    market = Mt5Market("account:mt5", session, ServerTime(zone, clock), clock)
    settings: dict[str, Any] = {
        "magic": MAGIC,
        "deviation": 20,
        "quiet_period_s": 0.5,
        "poll_every_s": 0,
        "sleep": lambda _s: None,
    }
    broker = Mt5Broker("test:mt5", session, market, **(settings | options))
    return Mt5Venue(stand_in, clock, terminal, session, market, broker)


def local(clock: FakeClock | None = None, zone: str = AUTO, **world: Any) -> Mt5Venue:
    """An account at a terminal in this process."""
    own = clock or FakeClock()
    stand_in = stocked(own.now, **world)
    return opened(stand_in, own, LocalTerminal(lambda: stand_in), zone=zone)


class CutGateway(Gateway):
    """Takes its connections with it when it ends, as a machine does that is switched off."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._connections: list[socket.socket] = []

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection."""
        self._connections.append(request)
        super().process_request(request, client_address)

    def cut(self) -> None:
        """End all connections."""
        for connection in self._connections:
            with suppress(OSError):  # it has ended by itself
                connection.shutdown(socket.SHUT_RDWR)


@dataclass
class RunningGateway:
    """A gateway on the loopback, and whom to trust there."""

    url: str
    ca_file: str
    server: Gateway


@lru_cache
def _certificates() -> tuple[bytes, bytes, bytes]:
    """Certificate, key and authority; made once, since that takes a while."""
    authority = trustme.CA()
    own = authority.issue_cert("127.0.0.1")
    return own.cert_chain_pems[0].bytes(), own.private_key_pem.bytes(), authority.cert_pem.bytes()


@lru_cache
def self_signed() -> tuple[bytes, bytes, bytes]:
    """A certificate as a person makes one by hand: nobody's but its own, with no extensions."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mt5-gateway")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    own = certificate.public_bytes(pem)
    return own, key.private_bytes(pem, *plain), own


@contextmanager
def gateway(
    stand_in: StandIn, folder: Path, *, port: int = 0,
    certificates: Callable[[], tuple[bytes, bytes, bytes]] = _certificates,
) -> Iterator[RunningGateway]:  # fmt: skip
    """A gateway with TLS over a stand-in, in a thread."""
    cert, key, ca = folder / "cert.pem", folder / "key.pem", folder / "ca.pem"
    for path, pem in zip((cert, key, ca), certificates(), strict=True):
        path.write_bytes(pem)
    server = CutGateway(("127.0.0.1", port), TerminalDesk(stand_in), TOKEN, tls_context(cert, key))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield RunningGateway(f"https://127.0.0.1:{server.server_address[1]}", str(ca), server)
    finally:
        server.shutdown()
        server.server_close()
        server.cut()
        thread.join(60)


@dataclass
class SuiteVenue(Venue):
    """A venue of the contract suite that knows what is behind it."""

    vendor: Mt5Venue = field(kw_only=True)


def suite_venue(venue: Mt5Venue, **extras: Any) -> SuiteVenue:
    """A venue for the contract suite."""
    world = venue.stand_in.world
    start = world.symbols[CRYPTO].price

    def step() -> None:
        for share in ("0.997", "1.003", "1"):
            venue.clock.advance(20)
            world.set_price(CRYPTO, start * Decimal(share))

    def thin_out() -> None:
        world.symbols[CRYPTO].depth = Decimal("0.5")

    def reopen() -> Mt5Broker:
        return opened(venue.stand_in, venue.clock, venue.terminal).broker

    return SuiteVenue(
        venue.broker, venue.market, CRYPTO, step, reopen, thin_out, is_margin=True,
        nets=not world.is_hedging, only_opens=world.is_hedging, vendor=venue, **extras,
    )  # fmt: skip


ID = "qd-1a2b3c4d-1764123456-e"


def order(
    client_id: str = ID, symbol: str = "EURUSD", side: Side = Side.BUY, quantity: int = 10_000,
    *, reduce_only: bool = False, **fields: Decimal | OrderType,
) -> OrderRequest:  # fmt: skip
    return OrderRequest.model_validate(
        {
            "client_id": client_id, "symbol": symbol, "side": side, "quantity": quantity,
            "reduce_only": reduce_only, **fields,
        }
    )  # fmt: skip


def net(venue: Mt5Venue, base: str = "EUR") -> Decimal:
    """What is held of an asset, short below zero."""
    balance = venue.broker.balances().get(base)
    return balance.total if balance else Decimal(0)
