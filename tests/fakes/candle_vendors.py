"""A loopback server that answers like Alpaca's and Yahoo's candle addresses, faults included.

After docs.alpaca.markets (Historical bars, stocks and crypto) and what Yahoo's chart address is
known to answer. A price is the number of its candle since the epoch.
"""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Reply = tuple[int, Any]
KEYS = ("AK-TEST", "secret")
ALPACA_S = {"1Min": 60, "1Hour": 3600, "1Day": 86_400}
YAHOO_S = {"1m": 60, "60m": 3600, "1d": 86_400}


class CandleVendors:
    """``faults`` are taken one a request: a status, "junk", "cut", or "" for none; ``missing`` are
    opens (s) left out; ``page`` is the most bars of one Alpaca answer; ``edit`` changes a Yahoo
    result; ``asked`` are the queries; from the one of number ``held_from`` on they wait until
    ``released`` is set."""

    def __init__(self) -> None:
        self.faults: deque[int | str] = deque()
        self.retry_after = "0"
        self.missing: set[int] = set()
        self.first_s = 0
        self.page = 10_000
        self.edit: Callable[[dict[str, Any]], None] = lambda _: None
        self.asked: list[dict[str, str]] = []
        self.held_from = 1_000_000
        self.released = threading.Event()
        self.url = ""

    def answer(self, path: str, query: dict[str, str], headers: Any) -> Reply:
        """Status and body of a request."""
        if path == "/v2/stocks/bars":
            if (headers.get("APCA-API-KEY-ID"), headers.get("APCA-API-SECRET-KEY")) != KEYS:
                return 403, {"message": "forbidden."}
            return self._alpaca(query)
        if path == "/v1beta3/crypto/us/bars":
            return self._alpaca(query)
        if path.startswith("/v8/finance/chart/"):
            return self._yahoo(unquote(path.rpartition("/")[2]), query)
        return 404, {"message": f"no {path} here"}

    def _opens(self, start_s: float, end_s: float, length: int) -> list[int]:
        first = -(-max(int(start_s), self.first_s) // length) * length
        return [one for one in range(first, int(end_s) + 1, length) if one not in self.missing]

    def _alpaca(self, query: dict[str, str]) -> Reply:
        symbol, length = query["symbols"], ALPACA_S[query["timeframe"]]
        if symbol == "BAD!":
            return 400, {"code": 40010001, "message": "invalid symbol: BAD!"}
        start, end = (datetime.fromisoformat(query[name]) for name in ("start", "end"))
        begin = float(query["page_token"]) if query.get("page_token") else start.timestamp()
        opens = self._opens(begin, end.timestamp(), length)
        if symbol not in ("AAPL", "BTC/USD"):
            opens = []
        page = opens[: min(int(query["limit"]), self.page)]
        more = str(page[-1] + length) if len(page) < len(opens) else None
        factor = 0.5 if query.get("adjustment") == "all" else 1
        bars = [
            {"t": f"{datetime.fromtimestamp(one, UTC):%Y-%m-%dT%H:%M:%SZ}", "n": 3, "v": 5,
             "o": factor * one / length, "h": factor * one / length + 1,
             "l": factor * one / length - 1, "c": factor * one / length, "vw": 1.0}
            for one in page
        ]  # fmt: skip
        return 200, {"bars": {symbol: bars} if bars else {}, "next_page_token": more}

    def _yahoo(self, symbol: str, query: dict[str, str]) -> Reply:
        if symbol not in ("AAPL", "BTC-USD", "EURUSD=X"):
            return 404, _chart_error("Not Found", "No data found, symbol may be delisted")
        length = YAHOO_S[query["interval"]]
        start, end = int(query["period1"]), int(query["period2"])
        if length < 3600 and end - start > 8 * 86_400:
            return 422, _chart_error("Unprocessable Entity", "1m data not available: only 8 days")
        offset = (
            9 * 3600 + 1800 if length == 86_400 else 0
        )  # days are told by their session's begin
        opens = [one + offset for one in self._opens(start, end - 1, length)]
        price = [one // length * 1.0 for one in opens]
        quote = {"open": price, "high": [one + 1 for one in price], "volume": [5] * len(price),
                 "low": [one - 1 for one in price], "close": list(price)}  # fmt: skip
        indicators: dict[str, Any] = {"quote": [quote]}
        if length == 86_400:
            indicators["adjclose"] = [{"adjclose": [one / 2 for one in price]}]
        result: dict[str, Any] = {"meta": {"symbol": symbol, "gmtoffset": 0}, "timestamp": opens,
                                  "indicators": indicators}  # fmt: skip
        self.edit(result)
        return 200, {"chart": {"result": [result], "error": None}}


def _chart_error(code: str, description: str) -> dict[str, Any]:
    return {"chart": {"result": None, "error": {"code": code, "description": description}}}


@contextmanager
def candle_vendors() -> Iterator[CandleVendors]:
    """A server on a free port of the loopback, until the end of the block."""
    state = CandleVendors()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(address.query).items()}
            state.asked.append(query)
            if len(state.asked) > state.held_from:
                state.released.wait(30)
            fault = state.faults.popleft() if state.faults else ""
            if fault == "cut":
                self._send(200, b'{"bars": {"AAPL": [{"t": "2026', whole=9_999)
            elif fault == "junk":
                self._send(200, b"<html>maintenance</html>")
            elif isinstance(fault, int):
                self._send(fault, b'{"code": 1, "message": "no"}')
            else:
                status, answer = state.answer(address.path, query, self.headers)
                self._send(status, json.dumps(answer).encode())

        def _send(self, status: int, body: bytes, whole: int | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(whole or len(body)))
            if status in (429, 503):
                self.send_header("Retry-After", state.retry_after)
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

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
