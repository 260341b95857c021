"""OKX on a port of the loopback: REST, and the public WebSocket."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from aiohttp import WSMsgType, web

from tests.fakes.exchange.api import Api
from tests.fakes.exchange.exchange import BinanceExchange
from tests.fakes.exchange.records import Refused
from tests.fakes.exchange.server import Answer, Call, Server, binance_exchange
from tests.fakes.okx import views
from tests.fakes.okx.api import ENDPOINTS, PASSPHRASE, OkxApi, refusal_of

__all__ = ["PASSPHRASE", "okx_exchange"]

PUSH_S = 0.02


class OkxCall(Call):
    """One request, in OKX's way of asking and answering."""

    def __init__(
        self, exchange: BinanceExchange, api: Api, okx: OkxApi, request: web.Request, body: str
    ) -> None:
        super().__init__(exchange, api, request, "")
        self._okx, self._body = okx, body
        self.endpoint = f"{request.method} {request.path.removeprefix('/api/v5/')}"
        self.sent = dict(request.query)
        if body:
            told = json.loads(body)
            one = told[0] if isinstance(told, list) and len(told) == 1 else told
            self.sent = one if isinstance(one, dict) else {"": "more than one"}

    def process(self, *, is_late: bool = False) -> Answer:
        """Do what was asked; the status and the answer."""
        with self._exchange.lock:
            try:
                self._okx.authorise(
                    self.endpoint, self.request.path_qs, self._body, self.request.headers,
                    is_late=is_late,
                )  # fmt: skip
                return 200, self._okx.process(self.endpoint, self.sent)
            except Refused as refused:
                return self.refusal(refused)

    def refusal(self, refused: Refused) -> Answer:
        """Refusals of single orders stand in the list of results, all others on top."""
        code, message = refusal_of(refused)
        status = refused.status if refused.status != 400 else 200
        found = ENDPOINTS.get(self.endpoint)
        if found is None or not found.has_results or status != 200:
            return status, {"code": code, "msg": message, "data": []}
        one = {"clOrdId": self.sent.get("clOrdId", ""), "ordId": "", "sCode": code, "sMsg": message}
        return status, {"code": "1", "msg": "All operations failed", "data": [one]}


class OkxServer(Server):
    """Answers requests in OKX's way, faults included."""

    def __init__(self, exchange: BinanceExchange) -> None:
        super().__init__(exchange)
        self._okx = OkxApi(exchange)
        self.app.router.add_route("*", "/api/v5/{path:.*}", self._rest)
        self.app.router.add_get("/ws/v5/public", self._public)

    def call_of(self, request: web.Request, body: str) -> Call:
        """A request of OKX's."""
        return OkxCall(self._exchange, self._api, self._okx, request, body)

    def too_many(self, call: Call, status: int, waits_s: float) -> web.Response:
        """It has no other answer to too many requests than this one."""
        wait = str(max(1, round(waits_s)))
        told = {"code": "50011", "msg": "Too Many Requests", "data": []}
        return call.respond(429, told, **{"Retry-After": wait})

    # --- the public stream -------------------------------------------------------------------

    async def _public(self, request: web.Request) -> web.StreamResponse:
        if self._exchange.script.state("disconnect_stream"):
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        watched: dict[str, dict[str, str]] = {}
        pushing = asyncio.create_task(self._push(socket, watched))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._on_message(socket, message.data, watched)
        finally:
            pushing.cancel()
            await asyncio.gather(pushing, return_exceptions=True)
        return socket

    async def _on_message(
        self, socket: web.WebSocketResponse, text: str, watched: dict[str, dict[str, str]]
    ) -> None:
        if text == "ping":
            await socket.send_str("pong")
            return
        told = json.loads(text)
        for argument in told["args"]:
            name = argument["instId"].replace("-", "")
            is_sound = argument["channel"] == "tickers" and name in self._exchange.matching.symbols
            if told["op"] != "subscribe" or not is_sound:
                error: dict[str, Any] = {"event": "error", "code": "60018", "msg": "Wrong channel"}
                await socket.send_json(error)
                continue
            watched[name] = argument
            await socket.send_json({"event": "subscribe", "arg": argument, "connId": "a4d3ae55"})

    async def _push(
        self, socket: web.WebSocketResponse, watched: dict[str, dict[str, str]]
    ) -> None:
        """A ticker of all that is watched again and again, until the stream is cut."""
        while not self._exchange.script.state("disconnect_stream"):
            for name, argument in list(watched.items()):
                rules = self._exchange.rules(name)
                data = [views.ticker(rules, self._exchange.now_ms())]
                await socket.send_json({"arg": argument, "data": data})
            await asyncio.sleep(PUSH_S)
        await socket.close()


@contextmanager
def okx_exchange(now: Callable[[], datetime] | None = None) -> Iterator[BinanceExchange]:
    """A stocked exchange on a free port, in a thread of its own, until the end of the block."""
    with binance_exchange(now, make=OkxServer) as exchange:
        yield exchange
