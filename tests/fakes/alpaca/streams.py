"""The trading stream: authenticate, listen, and frames of what happens to orders."""

import asyncio
import json
from typing import Any

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
            queue.put_nowait({"stream": "authorization", "data": {
                "status": status, "action": "authenticate"}})  # fmt: skip
        elif action == "listen":
            self._queues.add(queue)
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
