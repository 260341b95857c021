"""The engine's HTTP API as the commands use it."""

import contextlib
import getpass
import ssl
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote

import httpx

from engine.cli.failures import BadInput, Failure, NotRunning
from engine.settings import Settings

API = "/api/v1"
TIMEOUT = httpx.Timeout(20.0, connect=2.0)
URGENT = httpx.Timeout(3.0, connect=2.0)
"""For what has another way when the engine does not answer."""


class EngineClient:
    """Calls the engine of one data folder; answers with parsed JSON.

    Every call raises NotRunning when no engine of this data folder answers, BadInput when it
    refuses the input, and Failure when it could not do what was asked.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def close(self) -> None:
        """Close the connection, if there is one."""
        if "_http" in self.__dict__:
            self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        """``GET``; a parameter that is None is left out."""
        return self._call("GET", path, query=query)

    def post(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        timeout: httpx.Timeout = TIMEOUT,
        **query: Any,
    ) -> Any:
        """``POST``."""
        return self._call("POST", path, body=body, query=query, timeout=timeout)

    def put(self, path: str, body: Mapping[str, Any], **query: Any) -> Any:
        """``PUT``."""
        return self._call("PUT", path, body=body, query=query)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """``PATCH``."""
        return self._call("PATCH", path, body=body)

    def delete(self, path: str) -> None:
        """``DELETE``."""
        self._call("DELETE", path)

    @contextlib.contextmanager
    def stream(self, path: str, **query: Any) -> Iterator[Iterator[bytes]]:
        """``GET`` in chunks, for what may be large."""
        with (
            self._speaking(),
            self._http.stream("GET", API + path, params=_given(query)) as response,
        ):
            if response.is_error:
                response.read()
                self._refuse(response)
            yield response.iter_bytes()

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> Any:
        url = path if path == "/health" else API + path
        with self._speaking():
            response = self._http.request(
                method, url, json=body, params=_given(query or {}), timeout=timeout
            )
            if response.is_error:
                self._refuse(response)
            return response.json() if response.content else None

    @cached_property
    def _http(self) -> httpx.Client:
        path = self._settings.token_file
        try:
            token = path.read_text("ascii").strip()
        except FileNotFoundError:
            raise NotRunning(_not_running(self._settings), "engine_off") from None
        except (OSError, UnicodeDecodeError) as error:
            raise Failure(f"The token file {path} cannot be read: {error}.") from error
        headers = {"Authorization": f"Bearer {token}", "X-Quarterdeck-Actor": f"cli:{user_name()}"}
        return httpx.Client(
            base_url=self._settings.api_url,
            headers=headers,
            timeout=TIMEOUT,
            # No TLS on loopback: loading the machine's certificates takes longer than a call.
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            # A configured proxy would get the token.
            trust_env=False,
        )

    @contextlib.contextmanager
    def _speaking(self) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException as error:
            message = f"The engine at {self._settings.api_url} does not answer; it may be stuck."
            raise NotRunning(message, "engine_off") from error
        except httpx.ConnectError as error:
            raise NotRunning(_not_running(self._settings), "engine_off") from error
        except httpx.HTTPError as error:
            raise Failure(f"The connection to the engine broke: {error}.") from error

    def _refuse(self, response: httpx.Response) -> None:
        """Raise what the engine's answer means."""
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise NotRunning(
                f"The engine at {self._settings.api_url} belongs to another data folder than "
                f"{self._settings.data}; set QUARTERDECK_DATA or QUARTERDECK_API_PORT.",
                "wrong_engine",
            )
        try:
            error = response.json()["error"]
            message, code, details = error["message"], error["code"], error["details"]
        except (ValueError, KeyError, TypeError):
            url = self._settings.api_url
            raise NotRunning(f"What answers at {url} is not an engine.", "wrong_engine") from None
        kind = BadInput if response.is_client_error else Failure
        raise kind(message, code, details)


def bot_path(key: str, verb: str = "") -> str:
    """The address of a bot by id or name. Raises BadInput for what can be neither."""
    if not key.strip() or key in (".", ".."):
        raise BadInput("A bot is named by its name or id.")
    path = f"/bots/{quote(key, safe='')}"
    return f"{path}/{verb}" if verb else path


def _given(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}


def _not_running(settings: Settings) -> str:
    return (
        f"The engine is not running (nobody answers for {settings.data} at {settings.api_url}); "
        "start it with 'python -m engine run' or 'python run.py'."
    )


def user_name() -> str:
    """Who runs the command, in ASCII letters and digits."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return "unknown"
    return "".join(letter for letter in name if letter.isascii() and letter.isalnum()) or "unknown"
