"""Who may speak to the engine: the token file, and the gate in front of every route."""

import os
import re
import secrets
import stat
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.api.access_log import Access, AccessLog, address_of
from engine.api.doorkeeper import Doorkeeper, Refusal
from engine.api.errors import SECURITY_HEADERS, error_response
from engine.api.principals import MACHINE_NAME, PROGRAM, Principal
from engine.api.scopes import RouteBook, RouteRule
from engine.errors import ConfigError

LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
MAX_BODY_BYTES = 1_000_000
MAX_UPLOAD_BYTES = 200_000_000

ACTOR_HEADER = "X-Quarterdeck-Actor"
PRINCIPAL = "principal"
"""Where the gate leaves who asks, in the request's state."""

_ACTOR = re.compile(r"[\w.@:\-]{1,64}")


def ensure_token(path: Path) -> str:
    """The token in ``path``, made (mode 0600) when there is none.

    A file that others could read is replaced by a new token: the old one may be known. Raises
    ConfigError when the file cannot be read or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink() or _is_loose(path):
            path.unlink()
        token = _read(path)
        if token:
            return token
        path.unlink(missing_ok=True)
        token = secrets.token_urlsafe(32)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(token + "\n")
        return token
    except FileExistsError:
        raise ConfigError(f"{path} appeared meanwhile: another engine is starting.") from None
    except OSError as error:
        raise ConfigError(f"The token file {path} cannot be used: {error.strerror}.") from error


def read_token(path: Path) -> str:
    """The token of a running engine, or "" when there is none yet. Raises ConfigError."""
    try:
        return _read(path)
    except OSError as error:
        raise ConfigError(f"The token file {path} cannot be read: {error.strerror}.") from error


def _read(path: Path) -> str:
    try:
        content = path.read_bytes().strip()
    except FileNotFoundError:
        return ""
    return content.decode("ascii") if content.isascii() else ""


def _is_loose(path: Path) -> bool:
    """Whether others than the owner can read the file; Windows keeps no such bits."""
    if os.name == "nt" or not path.exists():
        return False
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


async def actor_of(request: Request) -> str:
    """Who asks, for the audit trail; ``api`` where a route is open to all."""
    principal: Principal | None = getattr(request.state, PRINCIPAL, None)
    return _actor(principal, request.headers.get(ACTOR_HEADER, "")) if principal else MACHINE_NAME


def _actor(principal: Principal, called: str) -> str:
    """A token's name. Who has the token file may say what it is called: the panel, the commands."""
    is_free = bool(_ACTOR.fullmatch(called)) and not called.startswith(PROGRAM)
    return called if is_free and principal.token is None else principal.name


class Gate:
    """ASGI middleware: local host names only, a token with the route's scope, small JSON bodies,
    strict headers; and a line in the access log for each request.

    It stands in front of the router, so an address is open only when the table of scopes says so.
    The check of ``Host`` (``is_local``) keeps a web page from reaching the engine by DNS rebinding.
    """

    def __init__(
        self, app: ASGIApp, door: Doorkeeper, routes: RouteBook, *, is_local: bool = True
    ) -> None:
        self._app = app
        self._door = door
        self._routes = routes
        self._is_local = is_local
        self._log = AccessLog()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer for the router, or let the request pass."""
        if scope["type"] != "http":
            return
        access = Access(scope)
        try:
            await self._serve(scope, receive, access.watching(_with_headers(send)), access)
        except Exception:
            access.status = 500  # the application's outermost handler answers
            raise
        finally:
            self._log.add(access.line())

    async def _serve(self, scope: Scope, receive: Receive, send: Send, access: Access) -> None:
        headers = Headers(scope=scope)
        rule = self._routes.find(scope["method"], scope["path"])
        if rule is not None:
            access.route = rule.template
        refusal = await self._refusal(scope, headers, rule, access)
        if refusal is not None:
            response = error_response(refusal.status, refusal.code, refusal.message)
            response.headers.update(refusal.headers)
            await response(scope, receive, send)
            return
        if rule is not None and rule.has_own_body:
            await self._app(scope, receive, send)
            return
        body = await _read_body(receive)
        if body is None:
            await error_response(413, *_TOO_LARGE)(scope, receive, send)
            return
        if body and not _is_json(headers):
            message = "The body must be application/json."
            await error_response(415, "wrong_type", message)(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)

    async def _refusal(
        self, scope: Scope, headers: Headers, rule: RouteRule | None, access: Access
    ) -> Refusal | None:
        if self._is_local and not _is_local(headers.get("host", "")):
            message = "This engine answers to 127.0.0.1 and localhost only."
            return Refusal(421, "wrong_host", message)
        if rule is None or rule.scope is not None:
            called = headers.get(ACTOR_HEADER, "")
            judged = await self._door.judge(
                headers.get("authorization", ""), called, address_of(scope), rule
            )
            who = judged.who if isinstance(judged, Refusal) else judged
            access.principal = _actor(who, called) if who else ""
            if isinstance(judged, Refusal):
                return judged
            scope.setdefault("state", {})[PRINCIPAL] = judged
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            message = "The address has a character that no text may have."
            return Refusal(400, "malformed", message)
        has_own_body = rule is not None and rule.has_own_body
        if not has_own_body and not _is_small(headers.get("content-length", "0")):
            return Refusal(413, *_TOO_LARGE)
        return None


_TOO_LARGE = ("too_large", f"The body must not exceed {MAX_BODY_BYTES} bytes.")


def _is_local(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").hostname in LOCAL_HOSTS
    except ValueError:
        return False


def _is_small(content_length: str) -> bool:
    return content_length.isdecimal() and float(content_length) <= MAX_BODY_BYTES


def _is_json(headers: Headers) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body, or None when it is too large; a chunked one is counted as it comes."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body
        chunk: bytes = message.get("body", b"")
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return body


def _replay(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives the body that was read, then what really comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


_STRICT = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]


def _with_headers(send: Send) -> Send:
    """``send`` that adds the strict headers where the answer does not set its own."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            told = message.get("headers", ())
            names = {name for name, _ in told}
            strict = [header for header in _STRICT if header[0] not in names]
            message["headers"] = [*told, *strict]
        await send(message)

    return send_with_headers
