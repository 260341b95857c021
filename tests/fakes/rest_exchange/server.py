"""The Example Exchange on a port of the loopback, over HTTP or TLS."""

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.fakes.exchange.server import spoiled
from tests.fakes.rest_exchange.api import FAULTS, Api
from tests.fakes.rest_exchange.exchange import ExampleExchange, Fault, Request

HTML = "<html><body>We are being maintained.</body></html>"
HUGE = 2 * 1024 * 1024
LONGEST_HOLD_S = 10


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for the client's nod
    exchange: ExampleExchange
    api: Api

    def _handle(self) -> None:
        parts, exchange = urlsplit(self.path), self.exchange
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        endpoint = f"{self.command} {parts.path}"
        with exchange.lock:
            fault = exchange.take_fault(endpoint)
            exchange.requests.append(
                Request(endpoint, parts.query, body, fault.name if fault else "")
            )
        if fault is not None and fault.name in FAULTS["before"]:
            self._instead(fault)
            return
        with exchange.lock:
            status, answer = self.api.answer(self.command, parts.path, parts.query, body, headers)
        if fault is None:
            self._send(status, json.dumps(answer))
        else:
            self._afterwards(fault, status, answer)

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def _instead(self, fault: Fault) -> None:
        if fault.name == "cut":
            self._cut()
        elif fault.name == "timeout":
            self._hold()
        elif fault.name == "html":
            self._send(int(fault.value or 200), HTML)
        elif fault.name == "limited":
            self._send(429, '{"error": {"code": "slow_down", "message": "too many requests"}}',
                       {"Retry-After": fault.value or "1"})  # fmt: skip
        elif fault.name == "error":
            status, _, code = fault.value.partition(" ")
            self._send(int(status), json.dumps({"error": {"code": code, "message": code}}))
        else:
            self._send(int(fault.value or 503), "")

    def _afterwards(self, fault: Fault, status: int, answer: Any) -> None:
        told = json.dumps(answer)
        if fault.name == "cut_after":
            self._cut()
        elif fault.name == "timeout_after":
            self._hold()
        elif fault.name == "status_after":
            self._send(int(fault.value or 504), "")
        elif fault.name == "html_after":
            self._send(200, HTML)
        elif fault.name == "nulls_after":
            self._send(status, json.dumps(spoiled(answer, None)))
        elif fault.name == "nan_after":
            self._send(status, json.dumps(spoiled(answer, float("nan"))))
        elif fault.name == "huge_after":
            self._send(status, json.dumps({**answer, "padding": "x" * HUGE}))
        else:
            self._send(status, told.replace('"client_id": "', '"client_id": "x-'))

    def _hold(self) -> None:
        self.exchange.released.wait(LONGEST_HOLD_S)
        self.close_connection = True

    def _cut(self) -> None:
        """As a network does."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()

    def _send(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        data = text.encode()
        self.send_response(status)
        kind = "text/html" if text.startswith("<") else "application/json"
        told = {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}
        for name, value in told.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    """Threads that end with the test; clients that go away are no news."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Quiet: cut connections are what tests are about."""


def stocked(now: Callable[[], datetime] | None = None) -> ExampleExchange:
    """BTC, ETH and one that is not traded, and 100,000 USDT and 10 BTC."""
    exchange = ExampleExchange(now)
    exchange.list_symbol("BTC", "USDT", 50_000)
    exchange.list_symbol("ETH", "USDT", 3000)
    exchange.list_symbol("OLD", "USDT", 1).status = "HALTED"
    exchange.deposit("USDT", 100_000)
    exchange.deposit("BTC", 10)
    return exchange


@contextmanager
def example_exchange(
    now: Callable[[], datetime] | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[ExampleExchange]:
    """A stocked exchange on a free port, in threads of its own, until the end of the block."""
    exchange = stocked(now)
    handler = type("Bound", (Handler,), {"exchange": exchange, "api": Api(exchange)})
    server = Server(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    exchange.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield exchange
    finally:
        exchange.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
