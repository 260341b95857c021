"""A server with InfluxDB 2's ``/api/v2/write``, on a port of the loopback.

``lines`` is all that it has taken; ``answer`` sets what the next requests get instead. With
``upstream``, the address of an InfluxDB 1 and its database, each body goes on to its ``/write`` as
it came: only the address is another one in version 2.
"""

import gzip
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.support.loopback import NO_TLS

TOKEN = "token-of-the-loopback-influx"
LONGEST_WAIT_S = 60.0


@dataclass(frozen=True)
class Answer:
    """A refusal: its status, its words as the server's JSON has them, and more headers."""

    status: int
    message: str = "no"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class LoopbackInflux:
    """``hang`` lets requests wait until ``released`` is set, ``drip`` answers a byte at a time."""

    url: str = ""
    upstream: str = ""
    lines: list[str] = field(default_factory=list)
    queries: list[dict[str, str]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    mode: str = ""
    arrived: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def answer(self, status: int, message: str = "no", times: int = 1, **headers: str) -> None:
        """Refuse the next requests."""
        self.answers += [Answer(status, message, headers)] * times

    def take(self, body: bytes, encoding: str, query: dict[str, str], token: str) -> Answer:
        """What is made of a request."""
        self.queries.append(query)
        self.arrived.set()
        if self.answers:
            return self.answers.pop(0)
        if token != f"Token {TOKEN}":
            return Answer(401, "unauthorized access")
        if self.upstream:
            passed = httpx.post(
                f"{self.upstream}&precision={query['precision']}", content=body,
                headers={"Content-Encoding": encoding}, verify=NO_TLS, trust_env=False,
            )  # fmt: skip
            if passed.status_code != 204:
                return Answer(passed.status_code, passed.json()["error"])
        text = gzip.decompress(body) if encoding == "gzip" else body
        self.lines += text.decode().splitlines()
        return Answer(204)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_POST(self) -> None:
        fake = self.server.fake
        address = urlsplit(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if fake.mode == "hang":
            fake.arrived.set()
            fake.released.wait(LONGEST_WAIT_S)
        if fake.mode == "drip":
            self._drip()
            return
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        if address.path != "/api/v2/write":
            answer = Answer(404, "path not found")
        else:
            encoding = self.headers.get("Content-Encoding", "identity")
            answer = fake.take(body, encoding, query, self.headers.get("Authorization", ""))
        said = b"" if answer.status == 204 else json.dumps({"message": answer.message}).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name.replace("_", "-"), value)
        if said:
            self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def _drip(self) -> None:
        """A header that grows and never ends, each piece sooner than a client's patience."""
        self.server.fake.arrived.set()
        self.wfile.write(b"HTTP/1.1 204 No Content\r\nX-Slow: ")
        while not self.server.fake.released.wait(0.02):
            self.wfile.write(b".")
            self.wfile.flush()
        self.close_connection = True

    def log_message(self, *_arguments: object) -> None:
        """Nothing on the test's stderr."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    fake: LoopbackInflux

    def handle_error(self, *_arguments: object) -> None:
        """A client that has gone is no trouble."""


@contextmanager
def loopback_influx(upstream: str = "") -> Iterator[LoopbackInflux]:
    """Serve for the length of the block."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.fake = LoopbackInflux(f"http://127.0.0.1:{server.server_address[1]}", upstream)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.fake
    finally:
        server.fake.released.set()
        server.shutdown()
        server.server_close()
        thread.join(60)
