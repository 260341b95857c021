"""Lends the MetaTrader 5 terminal of a Windows machine to a Quarterdeck engine elsewhere.

This one file is all that is copied there: it needs Python 3.11+, its standard library and the
package MetaTrader5. See docs/metatrader.md.

    python mt5_gateway.py --token-file token.txt --new-token
    python mt5_gateway.py --port 8443 --token-file token.txt --cert cert.pem --key key.pem

One request at a time reaches the terminal, and only the functions of ``FUNCTIONS`` do.
"""

import argparse
import hashlib
import hmac
import importlib
import ipaddress
import json
import logging
import secrets
import ssl
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

log = logging.getLogger("quarterdeck.mt5")

FUNCTIONS: Mapping[str, frozenset[str]] = {
    "initialize": frozenset({"login", "password", "server", "timeout"}),
    "shutdown": frozenset(),
    "terminal_info": frozenset(),
    "account_info": frozenset(),
    "symbols_get": frozenset({"group"}),
    "symbol_info": frozenset(),
    "symbol_info_tick": frozenset(),
    "symbol_select": frozenset(),
    "copy_rates_from": frozenset(),
    "copy_rates_from_pos": frozenset(),
    "copy_rates_range": frozenset(),
    "order_check": frozenset(),
    "order_send": frozenset(),
    "orders_get": frozenset({"symbol", "group", "ticket"}),
    "positions_get": frozenset({"symbol", "group", "ticket"}),
    "history_orders_get": frozenset({"group", "ticket", "position"}),
    "history_deals_get": frozenset({"group", "ticket", "position"}),
}
"""What may be called, each with the names its arguments may have. ``path`` of ``initialize`` is
not among them: which program is started is said on this machine only."""

MOST_BYTES = 64 * 1024
MOST_CONNECTIONS = 32
ANSWERS_KEPT = 10_000
CLAIM_S = 600.0
SHORTEST_TOKEN = 32
IDLE_S = 60.0
PATH = "/call"
MODULE = "MetaTrader5"


class Refusal(Exception):
    """A request that is not passed on to the terminal; ``code`` tells which rule it broke."""

    def __init__(self, status: int, code: str, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.code = code
        self.words = words


class TerminalDesk:
    """The terminal through its package: one call at a time, plain data out.

    The package is neither thread-safe nor able to serve two accounts: the first that logged in
    keeps the terminal until it has been silent for ``CLAIM_S``. An order is sent once for each
    ``request_id``, whose answer is given again.
    """

    def __init__(
        self, package: Any, *, path: str = "", monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._package = package
        self._path = path
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._login: int | None = None
        self._heard_at_s = 0.0
        self._answers: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def call(
        self,
        function: str,
        arguments: Sequence[Any] = (),
        named: Mapping[str, Any] | None = None,
        *,
        account: int | None = None,
        request_id: str = "",
    ) -> dict[str, Any]:
        """``result`` as plain data (None where the package gave none) and ``error``: the code and
        words of ``last_error``. With ``account``, only while the terminal is logged in to it.
        Raises Refusal."""
        given = dict(named or {})
        allowed = FUNCTIONS.get(function)
        if allowed is None:
            raise Refusal(403, "function", f"The function '{function[:40]}' is not lent.")
        if not given.keys() <= allowed:
            raise Refusal(403, "argument", f"An argument of {function} is not lent.")
        if function == "initialize" and arguments:  # the first is the path
            raise Refusal(403, "argument", f"An argument of {function} is not lent.")
        if (function == "order_send") != bool(request_id):
            raise Refusal(400, "request", "An order, and nothing else, has a request id.")
        with self._lock:
            if request_id in self._answers:
                return self._answers[request_id]
            if function == "initialize":
                self._check_claim(given.get("login"))
            if account is not None:
                self._check_account(account)
            answer = self._ask(function, arguments, given)
            if function == "initialize" and answer["result"] is True:
                self._login = given.get("login")
            self._heard_at_s = self._monotonic()
            if request_id:
                self._answers[request_id] = answer
                while len(self._answers) > ANSWERS_KEPT:
                    self._answers.popitem(last=False)
            return answer

    def _check_claim(self, login: Any) -> None:
        """Raises Refusal while another account is using the terminal."""
        is_used = self._monotonic() - self._heard_at_s < CLAIM_S
        if self._login is not None and login != self._login and is_used:
            raise Refusal(
                409, "claimed",
                f"This terminal serves account {self._login}: account {login} needs a terminal "
                "and a gateway of its own. (One that is not used any more is let go after "
                f"{CLAIM_S / 60:.0f} minutes.)",
            )  # fmt: skip

    def _check_account(self, account: int) -> None:
        found = self._package.account_info()
        if found is None:
            code, words = self._package.last_error()
            raise Refusal(503, "terminal", f"The terminal has no account: {words} ({code}).")
        if found.login != account:
            raise Refusal(
                409, "account",
                f"The terminal is logged in to account {found.login}, not {account}: somebody "
                f"changed it there. Log in to {account} again (File > Login to Trade Account).",
            )  # fmt: skip

    def _ask(
        self, function: str, arguments: Sequence[Any], named: Mapping[str, Any]
    ) -> dict[str, Any]:
        path = [self._path] if function == "initialize" and self._path else []
        result = getattr(self._package, function)(*path, *arguments, **named)
        code, words = self._package.last_error()
        return {"result": plain(result), "error": [int(code), str(words)]}


def plain(value: Any) -> Any:
    """Named tuples as objects, arrays as lists of rows, numbers as Python's own."""
    if hasattr(value, "_asdict"):
        return {name: plain(each) for name, each in value._asdict().items()}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return value


class Handler(BaseHTTPRequestHandler):
    """``POST /call`` with a bearer token; every answer is JSON."""

    server: "Gateway"
    protocol_version = "HTTP/1.1"
    server_version = "QuarterdeckGateway"
    sys_version = ""
    timeout = IDLE_S
    wbufsize = -1  # an answer leaves in one piece
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Pass one call on to the terminal."""
        try:
            body = self._body()  # read first: what is left of it would be the next request
            self._check_token()
            status, answer = 200, self._called(body)
        except Refusal as refusal:
            self.close_connection = True
            status = refusal.status
            answer = {"refused": refusal.code, "words": refusal.words}
        self._answer(status, answer)

    def _check_token(self) -> None:
        told = self.headers.get("Authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(told, b"Bearer " + self.server.token):
            log.warning("a request from %s had a wrong token", self.client_address[0])
            raise Refusal(401, "token", "The token is not this gateway's.")

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            raise Refusal(411, "length", "A request says how long it is.")
        if int(length) > MOST_BYTES:
            raise Refusal(413, "length", f"A request has {MOST_BYTES} bytes at the most.")
        return self.rfile.read(int(length))

    def _called(self, body: bytes) -> dict[str, Any]:
        if self.path != PATH:
            raise Refusal(404, "path", f"There is only {PATH}.")
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            raise Refusal(400, "request", "The request is no JSON.") from None
        if not isinstance(asked, dict) or not asked.keys() <= set(FIELDS) or not all(
            isinstance(asked.get(name, default), kind) for name, (kind, default) in FIELDS.items()
        ):  # fmt: skip
            raise Refusal(400, "request", f"A request has {', '.join(FIELDS)}, each of its type.")
        values = {name: asked.get(name, default) for name, (_, default) in FIELDS.items()}
        try:
            return self.server.desk.call(
                values["function"], values["arguments"], values["named"],
                account=values["account"], request_id=values["request_id"],
            )  # fmt: skip
        except TypeError as error:  # what the package says of arguments it cannot take
            raise Refusal(400, "request", f"{values['function'][:40]}: {error}") from error

    def _answer(self, status: int, answer: Mapping[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Requests are told at debug level only; they hold no secrets in their first line."""
        log.debug(format, *arguments)


FIELDS: Mapping[str, tuple[Any, Any]] = {
    "function": (str, ""),
    "arguments": (list, []),
    "named": (dict, {}),
    "account": (int | None, None),
    "request_id": (str, ""),
}


class Gateway(ThreadingHTTPServer):
    """The server; a slow client or handshake holds up nobody but itself."""

    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], desk: TerminalDesk, token: str, tls: ssl.SSLContext | None
    ) -> None:
        if tls is None and not is_loopback(address[0]):
            raise SystemExit("Without --cert and --key it listens on this machine only.")
        if len(token) < SHORTEST_TOKEN:
            raise SystemExit(f"The token is shorter than {SHORTEST_TOKEN} characters: --new-token.")
        self.desk = desk
        self.token = token.encode()
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(address, Handler)
        if tls is not None:
            self.socket = tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    def process_request(self, request: Any, client_address: Any) -> None:
        """One thread a connection, and not more of them than there are places."""
        if not self._places.acquire(blocking=False):
            log.warning("a connection from %s was one too many", client_address[0])
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """One line for a connection that broke off, or for a mistake in here."""
        kind = sys.exc_info()[0]
        log.warning("a request from %s ended with %s", client_address[0], kind and kind.__name__)


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_token(path: Path, *, is_new: bool) -> str:
    """The token in a file; a new one is made where there is none. Raises SystemExit."""
    if is_new:
        if path.exists():
            raise SystemExit(f"{path} is there already: delete it to make a new token.")
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(SHORTEST_TOKEN) + "\n", encoding="utf-8")
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SystemExit(f"{path} cannot be read ({error.strerror}): --new-token.") from error


def tls_context(cert: Path, key: Path) -> ssl.SSLContext:
    """TLS with this certificate; says the fingerprint that the account's form asks for."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key)
        der = ssl.PEM_cert_to_DER_cert(_first_certificate(cert.read_text(encoding="ascii")))
    except (OSError, ValueError) as error:
        raise SystemExit(f"{cert} and {key} cannot be used: {error}") from error
    log.info("certificate fingerprint (SHA-256): %s", hashlib.sha256(der).hexdigest())
    return context


def _first_certificate(pem: str) -> str:
    end = "-----END CERTIFICATE-----"
    return pem[: pem.index(end) + len(end)] + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until it is interrupted."""
    parser = argparse.ArgumentParser(description="Lends a MetaTrader 5 terminal to Quarterdeck.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8443)
    parser.add_argument("--token-file", type=Path, required=True)
    parser.add_argument("--new-token", action="store_true", help="make the token file and go on")
    parser.add_argument("--cert", type=Path, help="certificate chain, PEM")
    parser.add_argument("--key", type=Path, help="its private key, PEM")
    parser.add_argument("--terminal", default="", help="path of terminal64.exe, if there are more")
    asked = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if bool(asked.cert) != bool(asked.key):
        raise SystemExit("--cert and --key belong together.")
    token = read_token(asked.token_file, is_new=asked.new_token)
    tls = tls_context(asked.cert, asked.key) if asked.cert else None
    try:
        package = importlib.import_module(MODULE)
    except ImportError as error:
        raise SystemExit("The package MetaTrader5 is missing: pip install MetaTrader5") from error
    desk = TerminalDesk(package, path=asked.terminal)
    with Gateway((asked.host, asked.port), desk, token, tls) as server:
        host, port = str(server.server_address[0]), server.server_address[1]
        log.info("listening on %s://%s:%d", "https" if tls else "http", host, port)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            log.info("stopped")


if __name__ == "__main__":
    main()
