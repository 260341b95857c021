"""A provider of messages on a port of the loopback: what is common to all of them.

``fail`` sets what goes wrong with the next requests that would send something; ``requests`` is all
that arrived. Faults of every provider: ``down`` (503, nothing is taken), ``broken`` (500, nothing
is taken), ``slow`` (no answer until ``release``, nothing is taken), ``cut`` (the connection is
reset, nothing is taken), ``cut_after_accept`` and ``timeout_after_accept`` (it is taken, and no
answer says so), ``garbage`` (it is taken and answered with a page of HTML). Others are a
provider's own.
"""

import json
import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.fakes.model_server import QuietServer

HTML = "<html><body>502 Bad Gateway</body></html>"
LONGEST_WAIT_S = 30.0
BEFORE = {"down", "broken", "slow", "cut"}
AFTER = {"cut_after_accept", "timeout_after_accept", "garbage"}


@dataclass(frozen=True)
class Asked:
    """A request that arrived; names of headers are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The fields of a body that is a form."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True)
class Reply:
    """An answer; ``body`` is sent as JSON."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class ProviderServer:
    """A provider as a test sees it. Its state may be read and set at any time."""

    url: str = ""
    requests: list[Asked] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def fail(self, name: str, value: object = "", times: int = 1) -> None:
        """Let the next requests that would send something go wrong."""
        self.faults += [(name, str(value))] * times

    def release(self) -> None:
        """Let those go on that ``slow`` or ``timeout_after_accept`` hold."""
        self.released.set()

    # --- what a provider has of its own ---------------------------------------------------------

    def sends(self, asked: Asked) -> bool:
        """Whether this request would send a message: the ones that faults are for."""
        raise NotImplementedError

    def answer(self, asked: Asked) -> Reply:
        """The answer when nothing goes wrong but what is asked."""
        raise NotImplementedError

    def fault(self, name: str, value: str, asked: Asked) -> Reply:
        """The answer to a fault by this name; nothing is taken."""
        raise NotImplementedError(name)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    provider: ProviderServer

    def do_GET(self) -> None:
        """Answer, faults included."""
        self._serve()

    def do_POST(self) -> None:
        """Answer, faults included."""
        self._serve()

    def _serve(self) -> None:
        asked, provider = self._read(), self.provider
        with provider.lock:
            provider.requests.append(asked)
            is_next = bool(provider.faults) and provider.sends(asked)
            name, value = provider.faults.pop(0) if is_next else ("", "")
        if name == "slow":
            provider.released.wait(LONGEST_WAIT_S)
        if name in ("slow", "cut"):
            self._reset()
            return
        if name and name not in AFTER:
            self._send(provider.fault(name, value, asked))
            return
        reply = provider.answer(asked)
        if name == "timeout_after_accept":
            provider.released.wait(LONGEST_WAIT_S)
        if name in ("cut_after_accept", "timeout_after_accept"):
            self._reset()
        else:
            self._send(Reply(200, HTML) if name == "garbage" else reply)

    def _read(self) -> Asked:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return Asked(self.command, unquote(parts.path), query, headers, body)

    def _send(self, reply: Reply) -> None:
        is_page = isinstance(reply.body, str)
        text = reply.body if is_page else json.dumps(reply.body)
        sent = b"" if reply.body is None else text.encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", "text/html" if is_page else "application/json")
        self.send_header("Content-Length", str(len(sent)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(sent)

    def _reset(self) -> None:
        """Cut the connection as a network does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr."""


P = TypeVar("P", bound=ProviderServer)


@contextmanager
def serving_provider(provider: P, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[P]:
    """The provider on a port of the loopback until the end of the block."""
    handler = type("Bound", (Handler,), {"provider": provider})
    server = QuietServer(("127.0.0.1", port), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    provider.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.release()
        server.shutdown()
        server.server_close()
        thread.join(60)
