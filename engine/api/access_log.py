"""The access log: one line a request, with nothing in it that could open a door."""

import asyncio
import json
import logging
import time
from datetime import UTC, datetime

from starlette.types import Message, Scope, Send

from engine.logs import ACCESS_LOGGER

NOWHERE = "-"
"""The route of an address that there is not: it may be a mistyped one with a key in it."""

_encode = json.JSONEncoder(separators=(",", ":")).encode


class AccessLog:
    """Writes lines; those of one turn of the event loop together, for a write holds it up."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, line: str) -> None:
        """Write a line before the loop waits again."""
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._write)
        self._lines.append(line)

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        logging.getLogger(ACCESS_LOGGER).info("\n".join(lines))


class Access:
    """One request on its way. Set ``route`` and ``principal`` as they become known."""

    def __init__(self, scope: Scope) -> None:
        self.route = NOWHERE
        self.principal = ""
        self.status = 0
        self._method: str = scope["method"][:16]
        self._address = address_of(scope)
        self._began_s = time.perf_counter()

    def watching(self, send: Send) -> Send:
        """``send`` that takes note of the status."""

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
            await send(message)

        return noting

    def line(self) -> str:
        """The line. Status 0: the client went away before there was an answer."""
        row = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "principal": self.principal, "method": self._method, "route": self.route,
            "status": self.status, "ms": round((time.perf_counter() - self._began_s) * 1000, 1),
            "address": self._address,
        }  # fmt: skip
        return _encode(row)


def address_of(scope: Scope) -> str:
    """Where a request comes from."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"
