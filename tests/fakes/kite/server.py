"""Kite on a port of the loopback, in a thread of its own."""

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from tests.fakes.kite.api import Api
from tests.fakes.kite.faults import Fault, Stage
from tests.fakes.kite.kite import Kite, Request
from tests.fakes.kite.records import Refused

POLL_S = 0.005
HTML = "<html><body>Kite is being maintained.</body></html>"
Answer = tuple[int, Any]


class Server:
    """Answers requests, faults included."""

    def __init__(self, kite: Kite) -> None:
        self._kite = kite
        self._api = Api(kite)
        self.app = web.Application()
        self.app.router.add_route("*", "/{path:.*}", self._serve)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        query = request.rel_url.raw_query_string
        pairs = parse_qsl(query, keep_blank_values=True) + parse_qsl(body, keep_blank_values=True)
        endpoint = f"{request.method} {request.path}"
        with self._kite.lock:
            self._kite.before(endpoint)
            fault = self._kite.striking(endpoint)
            self._kite.requests.append(Request(endpoint, dict(pairs), fault.name if fault else ""))
        if fault is not None and fault.kind.stage is Stage.INSTEAD:
            return await self._instead(request, fault)
        status, answer = self._process(request, pairs)
        if fault is not None:
            return await self._after(request, fault, status, answer)
        return self._respond(status, answer)

    def _process(self, request: web.Request, pairs: list[tuple[str, str]]) -> Answer:
        headers = {name.lower(): value for name, value in request.headers.items()}
        with self._kite.lock:
            try:
                answer, is_table = self._api.process(request.method, request.path, pairs, headers)
            except Refused as refused:
                return refused.status, _error(refused.kind, refused.message)
        return 200, answer if is_table else {"status": "success", "data": answer}

    async def _instead(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.name == "no_answer":
            return await self._hold(request, fault)
        if fault.name == "cut":
            return _reset(request)
        if fault.name == "status":
            return self._respond(int(fault.value), "", kind="text/plain")
        if fault.name == "rate_limit":
            return self._respond(429, _error("NetworkException", "Too many requests"))
        if fault.name == "redirect":
            return self._respond(302, "", kind="text/plain", location=fault.value)
        if fault.name == "error":
            status, kind, message = fault.value.split(" ", 2)
            return self._respond(int(status), _error(kind, message))
        return self._respond(200, HTML, kind="text/html")

    async def _after(
        self, request: web.Request, fault: Fault, status: int, answer: Any
    ) -> web.StreamResponse:
        if fault.name == "no_answer_after_accept":
            return await self._hold(request, fault)
        if fault.name == "cut_after_accept":
            return _reset(request)
        if fault.name == "gateway_504_after_accept":
            return self._respond(504, HTML, kind="text/html")
        if fault.name == "nan":
            return self._respond(status, _spoiled(answer, float("nan")))
        if fault.name == "null":
            return self._respond(status, _spoiled(answer, None))
        if fault.name == "huge":
            padding = "x" * (int(fault.value) * 1024 * 1024)
            return self._respond(status, {**answer, "padding": padding})
        return self._respond(200, HTML, kind="text/html")

    async def _hold(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        """Say nothing until the fault is released or the client has gone."""
        transport = request.transport
        while not (  # noqa: ASYNC110 - the event is set from another thread
            fault.released.is_set() or transport is None or transport.is_closing()
        ):
            await asyncio.sleep(POLL_S)
        return _reset(request)

    def _respond(
        self, status: int, answer: Any, *, kind: str = "", location: str = ""
    ) -> web.Response:
        is_text = isinstance(answer, str)
        headers = {"Date": format_datetime(self._kite.now().astimezone(UTC), usegmt=True)}
        if location:
            headers["Location"] = location
        return web.Response(
            status=status,
            text=answer if is_text else json.dumps(answer),
            content_type=kind or ("text/csv" if is_text else "application/json"),
            headers=headers,
        )


def _error(kind: str, message: str) -> Any:
    return {"status": "error", "message": message, "data": None, "error_type": kind}


def _spoiled(answer: Any, junk: Any) -> Any:
    """The same answer with every number replaced."""
    if isinstance(answer, dict):
        return {name: _spoiled(value, junk) for name, value in answer.items()}
    if isinstance(answer, list):
        return [_spoiled(value, junk) for value in answer]
    is_number = isinstance(answer, int | float) and not isinstance(answer, bool)
    return junk if is_number else answer


def _reset(request: web.Request) -> web.Response:
    """Cut the connection as a network does."""
    transport = request.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


@contextmanager
def kite_server(now: Callable[[], datetime] | None = None) -> Iterator[Kite]:
    """Kite with a few shares and a million rupees, until the end of the block."""
    kite = Kite(now or (lambda: datetime.now(UTC)))
    kite.add_share("IDEA", "12.50", tick=Decimal("0.01"))
    kite.add_share("INFY", "1500.00")
    kite.add_share("RELIANCE", "2900.50", tick=Decimal("0.1"))
    kite.add_share("INFY", "1500.00", exchange="BSE")
    loop = asyncio.new_event_loop()
    started = threading.Event()

    async def main() -> None:
        runner = web.AppRunner(Server(kite).app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server = site._server
        assert isinstance(server, asyncio.Server)
        kite.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            kite.release_all()
            await runner.cleanup()

    task = loop.create_task(main())

    def run() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()
            started.set()

    thread = threading.Thread(target=run, name="kite", daemon=True)
    thread.start()
    started.wait(60)
    try:
        yield kite
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(60)
