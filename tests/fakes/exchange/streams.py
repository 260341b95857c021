"""The streams: the user's, as the WebSocket API gives it, and the market's."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web

from tests.fakes.exchange.api import Api
from tests.fakes.exchange.exchange import BinanceExchange, Frame
from tests.fakes.exchange.frames import USER, book_ticker, day_ticker
from tests.fakes.exchange.records import Refused


class Connection:
    """One WebSocket and what it listens to."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self.streams: set[str] = set()
        self.queue: asyncio.Queue[Any] = asyncio.Queue()

    async def pump(self) -> None:
        """Send what is queued; None closes."""
        while (frame := await self.queue.get()) is not None:
            await self.socket.send_str(json.dumps(frame))
        await self.socket.close()


class Streams:
    """Passes the exchange's frames to those who listen, spoiled by the faults of the moment."""

    def __init__(self, exchange: BinanceExchange, api: Api) -> None:
        self._exchange = exchange
        self._api = api
        self._connections: set[Connection] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[tuple[str, Frame]] = []
        exchange.on_frame = self._on_frame

    # --- connections ----------------------------------------------------------------------------

    async def user(self, request: web.Request) -> web.StreamResponse:
        """The WebSocket API: userDataStream.subscribe.signature, ping and time."""
        return await self._connect(request, self._on_api_request)

    async def market(self, request: web.Request) -> web.StreamResponse:
        """Market streams: SUBSCRIBE and UNSUBSCRIBE."""
        return await self._connect(request, self._on_subscription)

    async def _connect(
        self, request: web.Request, handle: Callable[[Connection, Any], None]
    ) -> web.StreamResponse:
        if self._exchange.script.state("disconnect_stream"):
            return web.Response(status=503)
        self._loop = asyncio.get_running_loop()
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        connection = Connection(socket)
        self._connections.add(connection)
        pump = asyncio.create_task(connection.pump())
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    handle(connection, json.loads(message.data))
        finally:
            self._connections.discard(connection)
            pump.cancel()
        return socket

    def _on_api_request(self, connection: Connection, sent: Any) -> None:
        answer: dict[str, Any] = {"id": sent.get("id"), "status": 200, "rateLimits": []}
        try:
            answer["result"] = self._api_result(connection, sent)
        except Refused as refused:
            answer |= {
                "status": refused.status,
                "error": {"code": refused.code, "msg": refused.message},
            }
        connection.queue.put_nowait(answer)

    def _api_result(self, connection: Connection, sent: Any) -> Any:
        method, params = sent.get("method"), sent.get("params") or {}
        if method == "ping":
            return {}
        if method == "time":
            return {"serverTime": self._exchange.now_ms()}
        if method != "userDataStream.subscribe.signature":
            raise Refused(-1000, f"There is no method '{method}' here.")
        told = {name: str(value) for name, value in params.items()}
        signed = {name: value for name, value in sorted(told.items()) if name != "signature"}
        payload = "&".join(f"{name}={value}" for name, value in signed.items())
        secret = self._exchange.secret.encode()
        expected = hmac.new(secret, payload.encode(), hashlib.sha256).hexdigest()
        self._api.check_key(told.get("apiKey"))
        if told.get("signature") != expected:
            raise Refused(-1022, "Signature for this request is not valid.")
        self._api.check_time(told)
        connection.streams.add(USER)
        return {"subscriptionId": 0}

    def _on_subscription(self, connection: Connection, sent: Any) -> None:
        names = set(sent.get("params") or ())
        if sent.get("method") == "SUBSCRIBE":
            connection.streams |= names
        else:
            connection.streams -= names
        connection.queue.put_nowait({"result": None, "id": sent.get("id")})
        for name in names & connection.streams:  # the first frame comes within a second
            symbol, _, kind = name.partition("@")
            rules = self._exchange.matching.symbols.get(symbol.upper())
            make = {"bookTicker": book_ticker, "ticker": day_ticker}.get(kind)
            if rules is not None and make is not None:
                connection.queue.put_nowait(make(rules, self._exchange.now_ms()))

    # --- frames ---------------------------------------------------------------------------------

    def _on_frame(self, stream: str, frame: Frame) -> None:
        """From any thread, with the exchange's lock held."""
        if self._loop is None or not self._connections:
            return
        copies = 1
        if stream == USER:
            script = self._exchange.script
            lost = script.state("drop_frames")
            if lost is not None and (lost.value is None or lost.hits <= int(lost.value)):
                lost.hits += 1
                return
            if script.state("duplicate_fill") and frame.get("x") == "TRADE":
                copies = 2
        if not self._waiting:
            self._loop.call_soon_threadsafe(self._flush)
        self._waiting += [(stream, frame)] * copies

    def _flush(self) -> None:
        """Send what one step of the matching engine made, newest first if that fault is on."""
        with self._exchange.lock:
            frames, self._waiting = self._waiting, []
            is_reversed = self._exchange.script.state("fills_out_of_order") is not None
        for stream, frame in reversed(frames) if is_reversed else frames:
            for connection in self._connections:
                if stream == "close":
                    connection.queue.put_nowait(None)
                elif stream in connection.streams:
                    wrapped = {"subscriptionId": 0, "event": frame} if stream == USER else frame
                    connection.queue.put_nowait(wrapped)
