"""Uvicorn inside the engine's own asyncio loop, on loopback only."""

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Generator

import uvicorn
from fastapi import FastAPI

from engine.errors import ConfigError

LOOPBACK = "127.0.0.1"
GRACE_S = 1


def bind_loopback(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1; port 0 picks a free one. Raises ConfigError if taken."""
    # asyncio sets TCP_NODELAY only on sockets that name their protocol; without it an answer of
    # two packets waits 40 ms for a delayed ACK
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform == "win32":
            # There, SO_REUSEADDR would let two programs listen on one port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"Port {port} is used by another program; set QUARTERDECK_API_PORT to a free one.",
            field="api_port",
        ) from error
    return listener


class _EmbeddedServer(uvicorn.Server):
    """Leaves the signals to the engine and says when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class ApiServer:
    """Serves an application on a bound socket until it is stopped."""

    def __init__(self, app: FastAPI, listener: socket.socket) -> None:
        self._listener = listener
        self._task: asyncio.Task[None] | None = None
        self._server = _EmbeddedServer(
            uvicorn.Config(
                app,
                http="httptools",
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_S,
            )
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    async def start(self) -> None:
        """Begin to serve; returns once requests are answered."""
        logging.getLogger("uvicorn.error").addFilter(_is_news)
        self._task = asyncio.create_task(self._server.serve([self._listener]), name="api")
        ready = asyncio.create_task(self._server.ready.wait())
        await asyncio.wait({self._task, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._task.done():
            self._task.result()

    async def stop(self) -> None:
        """Finish the requests under way (``GRACE_S`` at most) and close the socket."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._listener.close()


def _is_news(record: logging.LogRecord) -> bool:
    """Uvicorn repeats the traceback that the API's error handler logged with its incident id."""
    return not record.getMessage().startswith("Exception in ASGI application")
