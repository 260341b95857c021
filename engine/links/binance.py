"""Where Binance's spot test network is, and how ccxt is kept to spot."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from engine.errors import ConfigError

TEST_HOST = "testnet.binance.vision"
TEST_URL = f"https://{TEST_HOST}"
# ccxt's settings for Binance: spot only, and no call of another of its interfaces.
SPOT_ONLY: dict[str, Any] = {
    "defaultType": "spot",
    "fetchMarkets": {"types": ["spot"]},
    "fetchCurrencies": False,
    "fetchMargins": False,
}


@dataclass(frozen=True)
class Addresses:
    """Where to send requests, and where the streams are."""

    rest: str
    user_stream: str
    market_streams: str


def test_addresses(url: str) -> Addresses:
    """The addresses that belong to the test network's URL, or to a stand-in on this machine.

    Raises ConfigError for any other: this version trades no real money.
    """
    parts = urlsplit(url)
    base = f"{parts.scheme}://{parts.netloc}"
    is_plain = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
    if parts.scheme == "https" and parts.netloc == TEST_HOST and is_plain:
        return Addresses(
            TEST_URL, f"wss://ws-api.{TEST_HOST}/ws-api/v3", f"wss://stream.{TEST_HOST}/ws"
        )
    if parts.scheme == "http" and is_plain and _is_loopback(parts.hostname or ""):
        streams = f"ws://{parts.netloc}"
        return Addresses(base, f"{streams}/ws-api/v3", f"{streams}/stream/ws")
    raise ConfigError(
        f"'{url}' is neither {TEST_URL} nor an address of this machine: "
        "this version trades on Binance's test network only.",
        field="binance_test_url",
    )


def point(exchange: Any, addresses: Addresses) -> None:
    """Send everything that a ccxt client of Binance sends to these addresses, and nowhere else."""
    api = {
        "public": f"{addresses.rest}/api/v3",
        "private": f"{addresses.rest}/api/v3",
        "v1": f"{addresses.rest}/api/v1",
        "ws": {
            "spot": addresses.market_streams,
            "ws-api": {"spot": addresses.user_stream},
        },
    }
    exchange.urls = {**exchange.urls, "api": api}


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
