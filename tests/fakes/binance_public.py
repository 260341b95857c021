"""A loopback server that answers like Binance's public spot API, faults included.

After developers.binance.com, Spot, "General" and "Market Data" endpoints.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

INTERVALS_MS = {"1s": 1000, "1m": 60_000, "5m": 300_000, "1h": 3_600_000, "1d": 86_400_000}
MOST_KLINES = 1000
Reply = tuple[int, Any]
Kline = list[Any]


def symbol_info(base: str, quote: str, *, status: str = "TRADING") -> dict[str, Any]:
    """One entry of exchangeInfo's ``symbols``, with the filters that ccxt reads."""
    return {
        "symbol": base + quote, "status": status, "baseAsset": base, "quoteAsset": quote,
        "baseAssetPrecision": 8, "quoteAssetPrecision": 8, "quotePrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"], "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False, "permissions": [], "permissionSets": [["SPOT"]],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01000000",
             "maxPrice": "1000000.00000000", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00000000",
             "stepSize": "0.00001000"},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True,
             "maxNotional": "9000000.00000000", "applyMaxToMarket": False, "avgPriceMins": 5},
        ],
    }  # fmt: skip


class BinancePublic:
    """``url`` is where it listens. ``faults`` are taken one a request: "429", "418", "500",
    "timeout", "junk", "cut" or "" for none; ``outage`` is the fault of every request while it is
    set. ``missing`` are open times (ms) of klines left out; ``edit`` makes others of them;
    ``clock_lead_ms`` is how far its clock is ahead; ``requests`` lists paths asked for.
    """

    def __init__(self) -> None:
        self.faults: deque[str] = deque()
        self.outage = ""
        self.missing: set[int] = set()
        self.edit: Callable[[list[Kline]], list[Kline]] = list
        self.clock_lead_ms = 0
        self.requests: list[str] = []
        self.symbols = [symbol_info("BTC", "USDT"), symbol_info("ETH", "BTC"),
                        symbol_info("OLD", "USDT", status="BREAK")]  # fmt: skip
        self.book: dict[str, Any] = {
            "bids": [["62000.10", "0.5"], ["62000.00", "1"]],
            "asks": [["62000.30", "0.25"], ["62001.00", "2"]],
        }
        self.ticker: dict[str, Any] = {
            "lastPrice": "50000.10000000", "bidPrice": "50000.00000000",
            "askPrice": "50000.20000000", "volume": "1440.00000000",
        }  # fmt: skip
        self.released = threading.Event()  # lets requests go that a "timeout" holds
        self.url = ""

    def now_ms(self) -> int:
        """Its own clock."""
        return int(time.time() * 1000) + self.clock_lead_ms

    def answer(self, path: str, query: dict[str, str]) -> Reply:
        """Status and body of one request."""
        routes: dict[str, Callable[[dict[str, str]], Reply]] = {
            "/api/v3/time": lambda _: (200, {"serverTime": self.now_ms()}),
            "/api/v3/exchangeInfo": lambda _: (
                200,
                {"timezone": "UTC", "serverTime": self.now_ms(), "rateLimits": [],
                 "exchangeFilters": [], "symbols": self.symbols},
            ),
            "/api/v3/ticker/24hr": self._ticker,
            "/api/v3/depth": self._depth,
            "/api/v3/klines": self._klines,
        }  # fmt: skip
        route = routes.get(path)
        return route(query) if route else (404, {"code": -1000, "msg": f"no {path} here"})

    def _ticker(self, query: dict[str, str]) -> Reply:
        """Of one ``symbol``, or of a JSON list of ``symbols``."""
        asked = json.loads(query["symbols"]) if "symbols" in query else [query.get("symbol")]
        if not {entry["symbol"] for entry in self.symbols}.issuperset(asked):
            return 400, {"code": -1121, "msg": "Invalid symbol."}
        found = [{"symbol": one, "closeTime": self.now_ms(), **self.ticker} for one in asked]
        return 200, found if "symbols" in query else found[0]

    def _depth(self, query: dict[str, str]) -> Reply:
        if set(query) != {"symbol", "limit"}:
            return 400, {"code": -1104, "msg": "Not all sent parameters were read."}
        levels = int(query["limit"])
        return 200, {
            "lastUpdateId": 1,
            "bids": self.book["bids"][:levels],
            "asks": self.book["asks"][:levels],
        }

    def _klines(self, query: dict[str, str]) -> Reply:
        length = INTERVALS_MS[query["interval"]]
        limit = min(int(query.get("limit", 500)), MOST_KLINES)
        start = -(-int(query.get("startTime", 0)) // length) * length
        end = min(int(query.get("endTime", self.now_ms())), self.now_ms())
        rows: list[Kline] = []
        while start <= end and len(rows) < limit:
            if start not in self.missing:
                rows.append(kline(start, length))
            start += length
        return 200, self.edit(rows)


def kline(open_ms: int, length_ms: int) -> Kline:
    """One kline; its prices follow from its time."""
    base = 50_000 + open_ms // length_ms % 100
    return [
        open_ms, f"{base}.00000000", f"{base + 3}.00000000", f"{base - 2}.50000000",
        f"{base + 1}.25000000", "12.50000000", open_ms + length_ms - 1, "625000.0", 100,
        "6.0", "300000.0", "0",
    ]  # fmt: skip


@contextmanager
def binance_public() -> Iterator[BinancePublic]:
    """A server on a free port of the loopback, until the end of the block."""
    state = BinancePublic()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            state.requests.append(address.path)
            fault = state.faults.popleft() if state.faults else state.outage
            if fault == "timeout":
                state.released.wait(10)
            elif fault == "cut":
                self.close_connection = True  # before a word of the answer
            elif fault == "junk":
                self._send(200, b"<html>maintenance</html>")
            elif fault in ("429", "418"):
                body = {"code": -1003, "msg": "Too many requests."}
                self._send(int(fault), json.dumps(body).encode(), {"Retry-After": "1"})
            elif fault == "500":
                self._send(500, b'{"code": -1000, "msg": "internal error"}')
            else:
                status, answer = state.answer(address.path, dict(parse_qsl(address.query)))
                self._send(status, json.dumps(answer).encode())

        def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
