"""A provider of models on a port of the loopback: what is common to all of them.

``say`` sets what the model writes, ``fail`` what goes wrong with the next requests; ``requests``
is all that arrived. Faults: ``status`` (its value is the number), ``limited`` (429, the value is
the pause in seconds), ``slow`` (no answer until ``release``), ``cut`` (the connection is reset),
``cut_midway`` (half an answer), ``html``, ``redirect`` (to the value), ``huge`` (megabytes).
"""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

KEY = "test-key-of-the-loopback-model"
HTML = "<html><body>Sorry, something went wrong.</body></html>"
LONGEST_WAIT_S = 30.0

GOOD: dict[str, Any] = {
    "action": "buy", "confidence": 0.9, "reasoning": "The averages rise.", "risk_level": "low",
    "stop": None, "target": None, "size": 1.0, "horizon_minutes": 60,
}  # fmt: skip


def answer(**changes: Any) -> str:
    """A good answer with changes, as JSON."""
    return json.dumps(GOOD | changes)


class Refused(Exception):
    """A request the provider answers with an error of its own."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body


@dataclass(frozen=True)
class Seen:
    """A request that arrived."""

    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class ModelServer:
    """A provider as a test sees it. ``tokens`` are those of a question and of an answer;
    ``tells_pause``: by the header Retry-After."""

    key: str = KEY
    model: str = "gemini-2.5-flash"
    tokens: tuple[int, int] = (1_000, 100)
    tells_pause: bool = False
    url: str = ""
    requests: list[Seen] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Event = field(default_factory=threading.Event)
    _says: Callable[[str], str] = field(default=lambda _prompt: answer())

    def say(self, what: str | Callable[[str], str]) -> None:
        """From now on the model writes this, or what is made of the prompt."""
        self._says = (lambda _prompt: what) if isinstance(what, str) else what

    def fail(self, name: str, value: object = "", times: int = 1) -> None:
        """Let the next requests go wrong."""
        self.faults += [(name, str(value))] * times

    def release(self) -> None:
        """Let those go on that ``slow`` holds."""
        self.released.set()

    # --- what a provider has of its own ---------------------------------------------------------

    def check(self, seen: Seen) -> str:
        """The prompt of a request. Raises Refused for what the provider does not take."""
        raise NotImplementedError

    def reply(self, text: str, fault: str, seen: Seen) -> Any:
        """The body of an answer; ``fault`` is one that only this provider knows."""
        raise NotImplementedError

    def error(self, status: int, value: str) -> Any:
        """The body of an error."""
        raise NotImplementedError

    def process(self, seen: Seen, fault: str) -> tuple[int, Any]:
        """Status and body."""
        try:
            prompt = self.check(seen)
        except Refused as refused:
            return refused.status, refused.body
        return 200, self.reply(self._says(prompt), fault, seen)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    provider: ModelServer

    def do_POST(self) -> None:
        """Answer, faults included."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        provider = self.provider
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            seen = Seen(self.path, headers, json.loads(body))
        except ValueError:
            self._send(400, provider.error(400, "not JSON"))
            return
        provider.requests.append(seen)
        name, value = provider.faults.pop(0) if provider.faults else ("", "")
        provider.arrived.set()
        if name == "slow":
            provider.released.wait(LONGEST_WAIT_S)
        if name == "cut":
            self._reset()
        elif name == "status":
            self._send(int(value), provider.error(int(value), ""))
        elif name == "limited":
            self._send(429, provider.error(429, value), pause=value or "30")
        elif name == "html":
            self._send(200, HTML, kind="text/html")
        elif name == "redirect":
            self._send(302, "", location=value)
        elif name == "huge":
            self._send(200, {"padding": "x" * 6_000_000})
        else:
            self._send(*provider.process(seen, name), is_half=name == "cut_midway")

    def _send(
        self, status: int, body: Any, *, kind: str = "application/json", location: str = "",
        pause: str = "", is_half: bool = False,
    ) -> None:  # fmt: skip
        sent = (body if isinstance(body, str) else json.dumps(body)).encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(sent)))
        if location:
            self.send_header("Location", location)
        if pause and self.provider.tells_pause:
            self.send_header("Retry-After", pause)
        self.end_headers()
        self.wfile.write(sent[: len(sent) // 2] if is_half else sent)
        if is_half:
            self._reset()

    def _reset(self) -> None:
        """Cut the connection as a network does."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr."""


class QuietServer(ThreadingHTTPServer):
    """A client that went away is part of the play."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing on stderr."""


P = TypeVar("P", bound=ModelServer)


@contextmanager
def serving_models(provider: P) -> Iterator[P]:
    """The provider on a port of the loopback until the end of the block."""
    handler = type("Bound", (Handler,), {"provider": provider})
    server = QuietServer(("127.0.0.1", 0), handler)
    provider.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.release()
        server.shutdown()
        server.server_close()
        thread.join(60)
