"""The stand-in on a port of the loopback: orders, prices and the stream in one server."""

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

from aiohttp import web

from tests.fakes.alpaca.api import Api, endpoint_of
from tests.fakes.alpaca.exchange import AlpacaExchange, Request
from tests.fakes.alpaca.faults import Fault, Stage
from tests.fakes.alpaca.streams import PriceStream, TradingStream

POLL_S = 0.005
HTML = "<html><body>The service is being maintained.</body></html>"
Answer = tuple[int, Any]


class Call:
    """One request on its way: what was asked, and how to answer it."""

    def __init__(self, exchange: AlpacaExchange, api: Api, request: web.Request, body: Any) -> None:
        self._exchange, self._api, self.request, self.body = exchange, api, request, body
        self.query = dict(request.query)
        self.endpoint = endpoint_of(request.method, request.path)

    def process(self) -> Answer:
        """Do what was asked; the status and the answer."""
        headers = self.request.headers
        keys = (headers.get("APCA-API-KEY-ID"), headers.get("APCA-API-SECRET-KEY"))
        with self._exchange.lock:
            return self._api.process(
                self.request.method, self.request.path, self.query, self.body, keys
            )

    def reset(self) -> web.Response:
        """Cut the connection as a network does."""
        transport = self.request.transport
        if transport is not None:
            sock = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        return web.Response()

    async def hold(self, fault: Fault) -> web.Response:
        """Say nothing until the fault is released or the client has gone."""
        while not fault.released.is_set():
            transport = self.request.transport
            if transport is None or transport.is_closing():
                break
            await asyncio.sleep(POLL_S)
        return self.reset()


class Server:
    """Answers requests, faults included."""

    def __init__(self, exchange: AlpacaExchange) -> None:
        self._exchange = exchange
        self._api = Api(exchange)
        self._stream = TradingStream(exchange)
        self._prices = PriceStream(exchange)
        self.app = web.Application()
        self.app.router.add_get("/stream", self._stream.connect)
        for path in ("/v2/iex", "/v2/sip", "/v1beta3/crypto/us"):
            self.app.router.add_get(path, self._prices.connect)
        self.app.router.add_route("*", "/{path:.*}", self._rest)
        self._instead: dict[str, Callable[[Call, Fault], Awaitable[web.Response]]] = {
            "timeout_before_accept": Call.hold,
            "lands_late": self._lands_late,
            "cut": _cut,
            "status": self._status,
            "rate_limit_429": self._limited,
            "html": self._html,
            "error": self._error,
        }
        self._after: dict[str, Callable[[Call, Fault, Answer], Awaitable[web.Response]]] = {
            "timeout_after_accept": lambda call, fault, _answer: call.hold(fault),
            "cut_after_accept": lambda call, fault, _answer: _cut(call, fault),
            "status_504_after_accept": lambda _call, _fault, _answer: _told(504, ""),
            "junk_after_accept": lambda _call, _fault, _answer: _told(200, HTML),
            "nan_json": lambda _call, _fault, answer: _told(200, spoiled(answer[1], "NaN")),
            "null_json": lambda _call, _fault, answer: _told(200, spoiled(answer[1], None)),
        }

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        response = await self._answer(request)
        response.headers["Date"] = format_datetime(self._exchange.now(), usegmt=True)
        return response

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        call = Call(self._exchange, self._api, request, json.loads(text) if text else None)
        with self._exchange.lock:
            fault = self._exchange.script.take(call.endpoint)
            sent = call.body if isinstance(call.body, dict) else call.query
            self._exchange.requests.append(
                Request(call.endpoint, sent, fault.name if fault else "")
            )
        if fault is None:
            return await _told(*call.process())
        if fault.stage is Stage.INSTEAD:
            return await self._instead[fault.name](call, fault)
        return await self._after[fault.name](call, fault, call.process())

    async def _lands_late(self, call: Call, fault: Fault) -> web.Response:
        with self._exchange.lock:
            self._exchange.late.append((fault, call.process))
        return call.reset()

    async def _status(self, _call: Call, fault: Fault) -> web.Response:
        return await _told(int(fault.value), "")

    async def _limited(self, _call: Call, fault: Fault) -> web.Response:
        body = {"code": 42910000, "message": "rate limit exceeded"}
        return await _told(429, body, **{"Retry-After": str(fault.value)})

    async def _html(self, _call: Call, fault: Fault) -> web.Response:
        return await _told(int(fault.value), HTML)

    async def _error(self, _call: Call, fault: Fault) -> web.Response:
        status, code, message = str(fault.value).split(" ", 2)
        return await _told(int(status), {"code": int(code), "message": message})


async def _cut(call: Call, _fault: Fault) -> web.Response:
    return call.reset()


async def _told(status: int, answer: Any, **headers: str) -> web.Response:
    """An answer in JSON, or text as it is."""
    if answer is None:
        return web.Response(status=status)
    is_text = isinstance(answer, str)
    return web.Response(
        status=status, text=answer if is_text else json.dumps(answer), headers=headers,
        content_type="text/html" if is_text else "application/json",
    )  # fmt: skip


def spoiled(answer: Any, junk: Any) -> Any:
    """The same answer with every amount replaced."""
    if isinstance(answer, dict):
        return {name: spoiled(value, junk) for name, value in answer.items()}
    if isinstance(answer, list):
        return [spoiled(value, junk) for value in answer]
    is_amount = isinstance(answer, str) and answer.replace(".", "").replace("-", "").isdigit()
    return junk if is_amount else answer


def stocked_exchange(now: Callable[[], datetime] | None = None) -> AlpacaExchange:
    """The usual assets, and an account of 100,000 USD."""
    exchange = AlpacaExchange(now)
    exchange.add_asset("AAPL", 200)
    exchange.add_asset("F", 20)
    exchange.add_asset("PENY", "0.5", tick=Decimal("0.0001"))
    exchange.add_asset("BRK.A", 600_000, is_fractionable=False)
    exchange.add_asset("GONE", 10, is_tradable=False)
    exchange.add_asset("BTC/USD", 50_000, least=Decimal("0.00002"))
    exchange.add_asset("ETH/USD", 3000, least=Decimal("0.0003"))
    exchange.matching.cash = Decimal(100_000)
    return exchange


async def serve(exchange: AlpacaExchange, ready: Callable[[], None]) -> None:
    """Serve until cancelled."""
    runner = web.AppRunner(Server(exchange).app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server = site._server
    assert isinstance(server, asyncio.Server)
    exchange.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    ready()
    try:
        await asyncio.Event().wait()
    finally:
        exchange.release_all()
        await runner.cleanup()


@contextmanager
def alpaca_exchange(now: Callable[[], datetime] | None = None) -> Iterator[AlpacaExchange]:
    """A stocked exchange on a free port, in a thread of its own, until the end of the block."""
    exchange = stocked_exchange(now)
    loop = asyncio.new_event_loop()
    started = threading.Event()
    task = loop.create_task(serve(exchange, started.set))

    def run() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()
            started.set()

    thread = threading.Thread(target=run, name="alpaca-exchange", daemon=True)
    thread.start()
    started.wait(60)
    try:
        yield exchange
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(60)
