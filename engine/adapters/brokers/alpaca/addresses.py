"""Where Alpaca is: its own hosts over TLS, or a stand-in for them on this machine."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from engine.domain.instruments import InstrumentKind
from engine.domain.venue_accounts import Mode

TRADING = {
    Mode.TEST: "https://paper-api.alpaca.markets",
    Mode.LIVE: "https://api.alpaca.markets",
}
DATA = "https://data.alpaca.markets"
DATA_STREAM = "wss://stream.data.alpaca.markets"


@dataclass(frozen=True)
class Addresses:
    """Base addresses: of orders, of prices, and of the streams of both."""

    trading: str
    data: str
    trading_stream: str
    data_stream: str

    def prices(self, kind: InstrumentKind, feed: str) -> str:
        """Where the prices of a kind are told."""
        is_crypto = kind is InstrumentKind.CRYPTO
        return f"{self.data_stream}/{'v1beta3/crypto/us' if is_crypto else f'v2/{feed}'}"


def addresses_of(mode: Mode, trading_url: str = "", data_url: str = "") -> Addresses:
    """Alpaca's addresses for ``mode``; what is not empty replaces them and was checked by
    ``stand_in``. Raises KeyError for a mode that Alpaca has not got."""
    trading = trading_url or TRADING[mode]
    data = data_url or DATA
    return Addresses(
        trading=trading,
        data=data,
        trading_stream=f"{_as_socket(trading)}/stream",
        data_stream=_as_socket(data) if data_url else DATA_STREAM,
    )


def stand_in(url: str) -> str:
    """An address of this machine without its last slash, or '' as it is. Raises ValueError for
    any other: keys are sent to Alpaca's own hosts only."""
    if not url:
        return ""
    parts = urlsplit(url)
    is_plain = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
    if parts.scheme in ("http", "https") and is_plain and _is_loopback(parts.hostname or ""):
        return f"{parts.scheme}://{parts.netloc}"
    raise ValueError(
        f"'{url}' is no address of this machine: leave it empty to speak to Alpaca itself"
    )


def _as_socket(url: str) -> str:
    return url.replace("http", "ws", 1)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
