"""The connection of the panel to the engine: requests, retries of a token, failures in words."""

import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from engine.contracts import ErrorBody, ErrorDetail

T = TypeVar("T")
_ANY: TypeAdapter[Any] = TypeAdapter(Any)
_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}

TIMEOUT = httpx.Timeout(10.0, connect=2.0)
HEARTBEAT_TIMEOUT = httpx.Timeout(2.0)
"""A header that waits longer than this for the engine says that it does not answer."""


class PanelError(Exception):
    """The engine did not do what was asked; the message is meant for a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class EngineOff(PanelError):
    """Nobody answers at the engine's address."""


class EngineSilent(EngineOff):
    """Something listens at the engine's address but did not answer in time."""


class EngineRefused(PanelError):
    """The engine answered no, for the reason in the message.

    ``details`` has one row a field that is wrong (``field`` is a dotted name), ``code`` the kind of
    refusal and ``status`` the HTTP status.
    """

    def __init__(
        self,
        message: str,
        details: Sequence[ErrorDetail] = (),
        *,
        code: str = "error",
        status: int = 0,
    ) -> None:
        super().__init__(message)
        self.details = tuple(details)
        self.code = code
        self.status = status


class Connection:
    """Sends one request at a time a thread, and reads answers as types of ``engine.contracts``.

    Every method raises EngineOff when nobody answers and EngineRefused when the engine says no.
    ``read_token`` is asked again when the engine refuses the token: a new engine has a new one.
    """

    def __init__(
        self,
        url: str,
        read_token: Callable[[], str],
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url
        self._read_token = read_token
        self._token = ""
        # trust_env would send loopback calls, token included, through a configured proxy; and the
        # machine's certificates, which loopback does not need, take longer to load than a page
        self._http = httpx.Client(
            base_url=url,
            trust_env=False,
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            transport=transport,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _get(self, kind: type[T], path: str, query: Mapping[str, Any] | None = None) -> T:
        return self._parse(kind, self._send("GET", path, query=query))

    def _post(
        self,
        kind: type[T],
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
    ) -> T:
        return self._parse(kind, self._send("POST", path, body, query=query))

    def _parse(self, kind: type[T], response: httpx.Response) -> T:
        try:
            return _adapter(kind).validate_json(response.content)
        except ValidationError as error:
            message = "The engine answered in a form that this panel does not know."
            raise EngineRefused(f"{message} Are both of the same version?") from error

    def _send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        timeout: httpx.Timeout = TIMEOUT,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Send one request, ``body`` as JSON or a file's ``content``; a refused token is read
        again, once. Raises PanelError."""
        kind = "application/json" if content is None else "application/octet-stream"
        if body is not None:
            content = _ANY.dump_json(body)
        params = {key: value for key, value in (query or {}).items() if value not in (None, "")}
        self._token = self._token or self._read_token()
        for attempt in (1, 2):
            headers = {"X-Quarterdeck-Actor": "panel"}
            if content is not None:
                headers["Content-Type"] = kind
            if self._token and path != "/health":
                headers["Authorization"] = f"Bearer {self._token}"
            try:
                response = self._http.request(
                    method, path, content=content, params=params, headers=headers, timeout=timeout
                )
            except httpx.ConnectError as error:
                raise EngineOff(f"Nobody answers at {self.url}.") from error
            except httpx.HTTPError as error:
                raise EngineSilent(f"The engine does not answer: {_words(error)}.") from error
            if response.status_code != httpx.codes.UNAUTHORIZED or attempt == 2:
                break
            self._token = self._read_token()
        if response.is_error:
            raise _refusal(response)
        return response


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    """Built once a type: building takes longer than reading most answers."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _words(error: httpx.HTTPError) -> str:
    return "it took too long" if isinstance(error, httpx.TimeoutException) else str(error)


def _refusal(response: httpx.Response) -> EngineRefused:
    """What the engine said in its ``ErrorBody``, or its bare status when it said nothing."""
    try:
        body = ErrorBody.model_validate(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        status = f"{response.status_code} {response.reason_phrase}"
        return EngineRefused(f"The engine answered {status}.", status=response.status_code)
    return EngineRefused(body.message, body.details, code=body.code, status=response.status_code)
