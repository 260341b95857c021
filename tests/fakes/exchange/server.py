"""The exchange on a port of the loopback: REST, WebSockets and the admin API in one server."""

import asyncio
import json
import os
import signal
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from tests.fakes.exchange.admin import answer_admin
from tests.fakes.exchange.api import Api
from tests.fakes.exchange.checks import ENDPOINTS
from tests.fakes.exchange.exchange import BinanceExchange, Request
from tests.fakes.exchange.faults import Fault, Stage
from tests.fakes.exchange.records import Refused
from tests.fakes.exchange.streams import Streams

MEGABYTE = 1024 * 1024
POLL_S = 0.005
HTML = "<html><body>The service is being maintained.</body></html>"
UNKNOWN = {
    "code": -1007,
    "msg": "Timeout waiting for response from backend server. "
    "Send status unknown; execution status unknown.",
}
Answer = tuple[int, Any]


class Call:
    """One request on its way: what was asked, and how to answer it."""

    def __init__(
        self, exchange: BinanceExchange, api: Api, request: web.Request, body: str
    ) -> None:
        self._exchange, self._api, self.request = exchange, api, request
        self.endpoint = f"{request.method} {request.path.removeprefix('/api/v3/')}"
        self.payload = "&".join(part for part in (request.rel_url.raw_query_string, body) if part)
        self.sent = dict(parse_qsl(self.payload))
        self.key = request.headers.get("X-MBX-APIKEY")

    def process(self, *, is_late: bool = False) -> Answer:
        """Do what was asked; the status and the answer. The time of a late one is not checked."""
        with self._exchange.lock:
            try:
                answer = self._api.process(self.endpoint, self.payload, self.key, is_late=is_late)
            except Refused as refused:
                return self.refusal(refused)
        return 200, answer

    def refusal(self, refused: Refused) -> Answer:
        """What is answered to a request that is refused."""
        return refused.status, {"code": refused.code, "msg": refused.message}

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
        await self.wait_for(fault, until_gone=True)
        return self.reset()

    async def wait_for(self, fault: Fault, *, until_gone: bool = False) -> None:
        """Until the fault is released, from whatever thread (or the client has gone)."""
        while True:
            if fault.released.is_set() or (until_gone and self._is_gone()):
                return
            await asyncio.sleep(POLL_S)

    def _is_gone(self) -> bool:
        transport = self.request.transport
        return transport is None or transport.is_closing()

    def respond(self, status: int, answer: Any, **headers: str) -> web.Response:
        """An answer in JSON, or text as it is."""
        weight = ENDPOINTS[self.endpoint].weight if self.endpoint in ENDPOINTS else 1
        told = {
            "X-MBX-USED-WEIGHT-1M": str(self._exchange.used_weight(weight)),
            "Date": formatdate(self._exchange.now_ms() / 1000, usegmt=True), **headers,
        }  # fmt: skip
        body = answer if isinstance(answer, str) else json.dumps(answer)
        kind = "text/html" if isinstance(answer, str) else "application/json"
        return web.Response(status=status, text=body, content_type=kind, headers=told)


class Server:
    """Answers requests, faults included."""

    def __init__(self, exchange: BinanceExchange) -> None:
        self._exchange = exchange
        self._api = Api(exchange)
        self._streams = Streams(exchange, self._api)
        self.app = web.Application(client_max_size=MEGABYTE)
        self.app.router.add_route("*", "/api/v3/{path:.*}", self._rest)
        self.app.router.add_route("*", "/sapi/v1/{path:.*}", self._rest)
        self.app.router.add_get("/ws-api/v3", self._streams.user)
        self.app.router.add_get("/stream/ws/{number}", self._streams.market)
        self.app.router.add_route("*", "/admin/{action}", self._admin)
        self._instead: dict[str, Callable[[Call, Fault], Awaitable[web.StreamResponse]]] = {
            "timeout_before_accept": self._hold,
            "lands_late": self._lands_late,
            "hang": self._hang,
            "cut": self._cut,
            "status_5xx": self._status,
            "rate_limit_429": self._limited,
            "ban_418": self._banned,
            "html": self._html,
            "refuse_stop": self._refused,
            "error": self._error,
            "kill_before_accept": self._kill,
        }
        self._after: dict[str, Callable[[Call, Fault, Answer], Awaitable[web.StreamResponse]]] = {
            "timeout_after_accept": lambda call, fault, _answer: call.hold(fault),
            "cut_after_accept": lambda call, fault, _answer: self._cut(call, fault),
            "invisible": self._invisible,
            "status_504_after_accept": lambda call, _fault, _answer: _later(call.respond(504, "")),
            "code_1007": lambda call, _fault, _answer: _later(call.respond(504, UNKNOWN)),
            "junk_after_accept": lambda call, _fault, _answer: _later(call.respond(200, HTML)),
            "nan_json": lambda call, _fault, answer: _later(
                call.respond(answer[0], spoiled(answer[1], float("nan")))
            ),
            "null_json": lambda call, _fault, answer: _later(
                call.respond(answer[0], spoiled(answer[1], None))
            ),
            "huge_json": self._huge,
            "drip": self._drip,
            "partial_then_cancel": self._partial_then_cancel,
            "kill_after_accept": lambda call, fault, _answer: self._kill(call, fault),
        }

    def call_of(self, request: web.Request, body: str) -> Call:
        """A request in the exchange's own way of asking."""
        return Call(self._exchange, self._api, request, body)

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        exchange = self._exchange
        call = self.call_of(request, await request.text())
        with exchange.lock:
            exchange.settle()
            fault = exchange.script.take(call.endpoint, call.sent)
            exchange.requests.append(
                Request(call.endpoint, call.sent, fault.name if fault else "", exchange.now_ms())
            )
        waits_s = (exchange.banned_until_ms - exchange.now_ms()) / 1000
        if waits_s > 0:
            return self.too_many(call, 418, waits_s)
        if exchange.used_weight() > exchange.weight_limit:
            return self.too_many(call, 429, 60 - exchange.now_ms() / 1000 % 60)
        if fault is None:
            return call.respond(*call.process())
        if fault.kind.stage is Stage.INSTEAD:
            return await self._instead[fault.name](call, fault)
        return await self._after[fault.name](call, fault, call.process())

    async def _admin(self, request: web.Request) -> web.Response:
        text = await request.text()
        sent = json.loads(text) if text else {}
        status, answer = answer_admin(self._exchange, request.match_info["action"], sent)
        return web.json_response(answer, status=status)

    # --- faults instead of processing ------------------------------------------------------------

    async def _hold(self, call: Call, fault: Fault) -> web.StreamResponse:
        return await call.hold(fault)

    async def _lands_late(self, call: Call, fault: Fault) -> web.StreamResponse:
        with self._exchange.lock:
            self._exchange.later(fault, lambda: call.process(is_late=True))
        return call.reset()

    async def _hang(self, call: Call, fault: Fault) -> web.StreamResponse:
        await call.wait_for(fault)
        return call.respond(*call.process(is_late=True))

    async def _cut(self, call: Call, _fault: Fault) -> web.StreamResponse:
        return call.reset()

    async def _status(self, call: Call, fault: Fault) -> web.StreamResponse:
        return call.respond(int(fault.value), "")

    async def _limited(self, call: Call, fault: Fault) -> web.StreamResponse:
        return self._paused(call, 429, fault)

    async def _banned(self, call: Call, fault: Fault) -> web.StreamResponse:
        return self._paused(call, 418, fault)

    def _paused(self, call: Call, status: int, fault: Fault) -> web.StreamResponse:
        self._exchange.banned_until_ms = self._exchange.now_ms() + float(fault.value) * 1000
        return self.too_many(call, status, float(fault.value))

    def too_many(self, call: Call, status: int, waits_s: float) -> web.Response:
        """The answer to more requests than are allowed."""
        until = int(self._exchange.now_ms() + waits_s * 1000)
        message = (
            f"Way too much request weight used; IP banned until {until}. "
            "Please use WebSocket Streams for live updates to avoid bans."
            if status == 418
            else "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. "
            "Please use WebSocket Streams for live updates to avoid polling the API."
        )
        wait = str(max(1, round(waits_s)))
        return call.respond(status, {"code": -1003, "msg": message}, **{"Retry-After": wait})

    async def _html(self, call: Call, fault: Fault) -> web.StreamResponse:
        return call.respond(int(fault.value), HTML)

    async def _refused(self, call: Call, fault: Fault) -> web.StreamResponse:
        return call.respond(400, {"code": -2010, "msg": fault.value})

    async def _error(self, call: Call, fault: Fault) -> web.StreamResponse:
        code, _, message = str(fault.value).partition(" ")
        return call.respond(*call.refusal(Refused(int(code), message)))

    async def _kill(self, call: Call, fault: Fault) -> web.StreamResponse:
        os.kill(int(fault.value), signal.SIGKILL)
        return call.reset()

    # --- faults after processing -----------------------------------------------------------------

    async def _invisible(self, call: Call, fault: Fault, answer: Answer) -> web.StreamResponse:
        if answer[0] == 200 and "orderId" in answer[1]:
            order = self._exchange.matching.orders[answer[1]["orderId"]]
            order.is_hidden = True
            with self._exchange.lock:
                self._exchange.later(fault, lambda: setattr(order, "is_hidden", False))
        return call.reset()

    async def _partial_then_cancel(
        self, call: Call, fault: Fault, answer: Answer
    ) -> web.StreamResponse:
        if answer[0] == 200:
            with self._exchange.lock:
                engine = self._exchange.matching
                order = engine.orders[answer[1]["orderId"]]
                step = engine.symbols[order.symbol].step
                part = order.quantity * Decimal(str(fault.value)) // step * step
                engine.fill(order, part, order.price or order.stop_price)
                engine.cancel(order, "venue_cancel")
        return call.respond(*answer)

    async def _huge(self, call: Call, fault: Fault, answer: Answer) -> web.StreamResponse:
        padding = "x" * int(float(fault.value) * MEGABYTE)
        rows = answer[1] if isinstance(answer[1], dict) else {"rows": answer[1]}
        return call.respond(answer[0], rows | {"padding": padding})

    async def _drip(self, call: Call, fault: Fault, answer: Answer) -> web.StreamResponse:
        body = json.dumps(answer[1]).encode()
        response = web.StreamResponse(headers={"Content-Length": str(len(body))})
        await response.prepare(call.request)
        for place in range(len(body)):
            await response.write(body[place : place + 1])
            if not fault.released.is_set():
                await asyncio.sleep(0.05)
        return response


async def _later(response: web.Response) -> web.StreamResponse:
    return response


def spoiled(answer: Any, junk: Any) -> Any:
    """The same answer with every number replaced."""
    if isinstance(answer, dict):
        return {name: spoiled(value, junk) for name, value in answer.items()}
    if isinstance(answer, list):
        return [spoiled(value, junk) for value in answer]
    is_number = isinstance(answer, str) and answer.replace(".", "").replace("-", "").isdigit()
    if is_number or (isinstance(answer, int) and not isinstance(answer, bool)):
        return junk
    return answer


def stocked_exchange(now: Callable[[], datetime] | None = None) -> BinanceExchange:
    """An exchange with the usual symbols and an account of 100,000 USDT and 10 BTC."""
    exchange = BinanceExchange(now)
    exchange.add_symbol("BTC", "USDT", 50_000)
    exchange.add_symbol("ETH", "USDT", 3000, step=Decimal("0.0001"), min_quantity=Decimal("0.0001"))
    exchange.add_symbol("ETH", "BTC", "0.06", tick=Decimal("0.00001"), step=Decimal("0.0001"),
                        min_quantity=Decimal("0.0001"), min_price=Decimal("0.00001"),
                        min_notional=Decimal("0.0001"))  # fmt: skip
    exchange.add_symbol("BNB", "USDT", 500, step=Decimal("0.001"), min_quantity=Decimal("0.001"))
    exchange.add_symbol(
        "PEPE", "USDT", "0.00001234", tick=Decimal("1e-8"), min_price=Decimal("1e-8"),
        step=Decimal(1), min_quantity=Decimal(1), max_quantity=Decimal(92_141_578_000),
        max_market_quantity=Decimal(92_141_578_000), min_notional=Decimal(1),
    )  # fmt: skip
    exchange.add_symbol("OLD", "USDT", 1, status="BREAK")
    exchange.deposit("USDT", 100_000)
    exchange.deposit("BTC", 10)
    return exchange


async def serve(
    exchange: BinanceExchange,
    port: int,
    ready: Callable[[], None],
    make: Callable[[BinanceExchange], Server] = Server,
) -> None:
    """Serve until cancelled, in the way of ``make``."""
    runner = web.AppRunner(make(exchange).app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=512)
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
def binance_exchange(
    now: Callable[[], datetime] | None = None,
    port: int = 0,
    make: Callable[[BinanceExchange], Server] = Server,
) -> Iterator[BinanceExchange]:
    """A stocked exchange on a free port, in a thread of its own, until the end of the block."""
    exchange = stocked_exchange(now)
    loop = asyncio.new_event_loop()
    started = threading.Event()

    async def main() -> None:
        await serve(exchange, port, started.set, make)

    task = loop.create_task(main())

    def run() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()
            started.set()

    thread = threading.Thread(target=run, name="binance-exchange", daemon=True)
    thread.start()
    started.wait(60)
    try:
        yield exchange
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(60)
