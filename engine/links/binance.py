"""Where Binance's spot exchange and its test network are, and how ccxt is kept to spot."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from engine.domain.venue_accounts import Mode
from engine.errors import ConfigError

LIVE_HOST = "api.binance.com"
LIVE_URL = f"https://{LIVE_HOST}"
TEST_HOST = "testnet.binance.vision"
TEST_URL = f"https://{TEST_HOST}"
LIVE_NAME = "Binance"
TEST_NAME = "Binance test network"
# ccxt's settings for Binance: spot only, and no call of another of its interfaces.
SPOT_ONLY: dict[str, Any] = {
    "defaultType": "spot",
    "fetchMarkets": {"types": ["spot"]},
    "fetchCurrencies": False,
    "fetchMargins": False,
}


@dataclass(frozen=True)
class Addresses:
    """Where to send requests, where the streams are, and what sentences call the place.

    ``wallet`` is where an account tells what its key may do; the test network has no such place.
    """

    rest: str
    user_stream: str
    market_streams: str
    name: str = TEST_NAME
    wallet: str = ""


def live_addresses(url: str = LIVE_URL) -> Addresses:
    """The addresses of the exchange itself, where real money trades, or of a stand-in for it on
    this machine. Raises ConfigError for any other."""
    parts = urlsplit(url)
    if _is_at(parts, LIVE_HOST):
        return Addresses(
            LIVE_URL,
            "wss://ws-api.binance.com:443/ws-api/v3",
            "wss://stream.binance.com:9443/ws",
            LIVE_NAME,
            f"{LIVE_URL}/sapi/v1",
        )
    if is_here(parts):
        return _stand_in(parts, LIVE_NAME, f"http://{parts.netloc}/sapi/v1")
    raise ConfigError(
        f"'{url}' is neither {LIVE_URL} nor an address of this machine: "
        "no other gets to see orders and keys. Leave the field empty to trade at Binance.",
        field="address",
    )


def test_addresses(url: str = TEST_URL) -> Addresses:
    """The addresses that belong to the test network's URL, or to a stand-in on this machine.

    Raises ConfigError for any other: no test moves real money.
    """
    parts = urlsplit(url)
    if _is_at(parts, TEST_HOST):
        return Addresses(
            TEST_URL, f"wss://ws-api.{TEST_HOST}/ws-api/v3", f"wss://stream.{TEST_HOST}/ws"
        )
    if is_here(parts):
        return _stand_in(parts, TEST_NAME, "")
    raise ConfigError(
        f"'{url}' is neither {TEST_URL} nor an address of this machine: "
        "an account for tests trades on Binance's test network only.",
        field="binance_test_url",
    )


def addresses_for(mode: Mode, url: str) -> Addresses:
    """By mode; ``url`` is empty for the venue's own. Raises ConfigError."""
    if mode is Mode.LIVE:
        return live_addresses(url or LIVE_URL)
    if mode is Mode.TEST:
        return test_addresses(url or TEST_URL)
    raise ConfigError("Paper accounts have no address at Binance.", field="mode")


def point(exchange: Any, addresses: Addresses) -> None:
    """Send everything that a ccxt client of Binance sends to these addresses, and nowhere else."""
    api: dict[str, Any] = {
        "public": f"{addresses.rest}/api/v3",
        "private": f"{addresses.rest}/api/v3",
        "v1": f"{addresses.rest}/api/v1",
        "ws": {
            "spot": addresses.market_streams,
            "ws-api": {"spot": addresses.user_stream},
        },
    }
    if addresses.wallet:
        api["sapi"] = addresses.wallet
    exchange.urls = {**exchange.urls, "api": api}


def is_here(parts: SplitResult) -> bool:
    """Whether an address is one of this machine's, without a path: a stand-in for a venue."""
    return parts.scheme == "http" and _is_plain(parts) and _is_loopback(parts.hostname or "")


def _stand_in(parts: SplitResult, name: str, wallet: str) -> Addresses:
    base, streams = f"http://{parts.netloc}", f"ws://{parts.netloc}"
    return Addresses(base, f"{streams}/ws-api/v3", f"{streams}/stream/ws", name, wallet)


def _is_at(parts: SplitResult, host: str) -> bool:
    return parts.scheme == "https" and parts.netloc == host and _is_plain(parts)


def _is_plain(parts: SplitResult) -> bool:
    return not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
