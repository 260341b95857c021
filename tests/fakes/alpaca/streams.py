"""The streams: frames of what happens to orders, and of what becomes of prices."""

import asyncio
import json
from typing import Any

import msgpack
from aiohttp import WSMsgType, web

from tests.fakes.alpaca.exchange import AlpacaExchange


class TradingStream:
    """Passes the exchange's frames to those who listen. Answers are JSON in binary frames, as the
    service sends them."""

    def __init__(self, exchange: AlpacaExchange) -> None:
        self._exchange = exchange
        self._queues: set[asyncio.Queue[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        exchange.on_frame = self._on_frame

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """One connection, for as long as it lasts."""
        if self._exchange.script.state("disconnect_stream"):
            return web.Response(status=503)
        self._loop = asyncio.get_running_loop()
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        queue: asyncio.Queue[Any] = asyncio.Queue()
        pump = asyncio.create_task(_pump(queue, socket))
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    self._handle(json.loads(message.data), queue)
        finally:
            self._queues.discard(queue)
            pump.cancel()
        return socket

    def _handle(self, sent: Any, queue: "asyncio.Queue[Any]") -> None:
        action, data = sent.get("action"), sent.get("data") or {}
        if action == "authenticate":
            keys = (data.get("key_id"), data.get("secret_key"))
            is_known = keys == (self._exchange.key, self._exchange.secret)
            status = "authorized" if is_known else "unauthorized"
            self._exchange.streams_refused += not is_known
            queue.put_nowait({"stream": "authorization", "data": {
                "status": status, "action": "authenticate"}})  # fmt: skip
        elif action == "listen":
            self._queues.add(queue)
            self._exchange.listeners += 1
            queue.put_nowait({"stream": "listening", "data": {"streams": data.get("streams")}})

    def _on_frame(self, frame: dict[str, Any] | None) -> None:
        """From any thread, with the exchange's lock held; None cuts all connections."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._send, frame)

    def _send(self, frame: dict[str, Any] | None) -> None:
        for queue in list(self._queues):
            queue.put_nowait(frame)


async def _pump(queue: "asyncio.Queue[Any]", socket: web.WebSocketResponse) -> None:
    while (frame := await queue.get()) is not None:
        await socket.send_bytes(json.dumps(frame).encode())
    await socket.close()


class PriceStream:
    """Quotes and trades of what is subscribed to, in MessagePack, as of the moment and on every
    change."""

    def __init__(self, exchange: AlpacaExchange) -> None:
        self._exchange = exchange
        self._wanted: dict[asyncio.Queue[Any], set[str]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        exchange.on_price = self._on_price

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """One connection, for as long as it lasts."""
        if self._exchange.script.state("disconnect_stream"):
            return web.Response(status=503)
        self._loop = asyncio.get_running_loop()
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        queue: asyncio.Queue[Any] = asyncio.Queue()
        queue.put_nowait([{"T": "success", "msg": "connected"}])
        pump = asyncio.create_task(_pump_packed(queue, socket))
        try:
            async for message in socket:
                if message.type is WSMsgType.BINARY:
                    self._handle(msgpack.unpackb(message.data), queue)
        finally:
            self._wanted.pop(queue, None)
            pump.cancel()
        return socket

    def _handle(self, sent: Any, queue: "asyncio.Queue[Any]") -> None:
        symbols = set(sent.get("quotes") or []) | set(sent.get("trades") or [])
        if sent["action"] == "auth":
            keys = (sent.get("key"), sent.get("secret"))
            is_known = keys == (self._exchange.key, self._exchange.secret)
            answer = {"T": "success", "msg": "authenticated"} if is_known else {
                "T": "error", "code": 402, "msg": "auth failed"}  # fmt: skip
            queue.put_nowait([answer])
            if is_known:
                self._wanted[queue] = set()
        elif queue not in self._wanted:
            queue.put_nowait([{"T": "error", "code": 401, "msg": "not authenticated"}])
        elif sent["action"] == "subscribe":
            self._wanted[queue] |= symbols
            self._tell_subscription(queue)
            for symbol in sorted(symbols):
                queue.put_nowait(self._messages(symbol))
        elif sent["action"] == "unsubscribe":
            self._wanted[queue] -= symbols
            self._tell_subscription(queue)

    def _tell_subscription(self, queue: "asyncio.Queue[Any]") -> None:
        names = sorted(self._wanted[queue])
        self._exchange.watched = names
        queue.put_nowait([{"T": "subscription", "quotes": names, "trades": names}])

    def _messages(self, symbol: str) -> list[dict[str, Any]]:
        asset = self._exchange.asset(symbol)
        moment = msgpack.Timestamp.from_datetime(self._exchange.now())
        return [
            {"T": "q", "S": symbol, "bp": float(asset.bid), "bs": 1, "ap": float(asset.ask),
             "as": 1, "t": moment},
            {"T": "t", "S": symbol, "p": float(asset.price), "s": 1, "t": moment},
        ]  # fmt: skip

    def _on_price(self, symbol: str | None) -> None:
        """From any thread; None cuts all connections."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._send, symbol)

    def _send(self, symbol: str | None) -> None:
        for queue, wanted in list(self._wanted.items()):
            if symbol is None:
                queue.put_nowait(None)
            elif symbol in wanted:
                queue.put_nowait(self._messages(symbol))


async def _pump_packed(queue: "asyncio.Queue[Any]", socket: web.WebSocketResponse) -> None:
    while (frame := await queue.get()) is not None:
        await socket.send_bytes(msgpack.packb(frame))
    await socket.close()
