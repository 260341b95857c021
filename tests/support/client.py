"""A test's hand on a running engine: its HTTP API, and patience."""

import ssl
import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

from tests.support.processes import Copy

T = TypeVar("T")

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For loopback. By default httpx reads the machine's certificates for every client, and so for
every ``httpx.request``: 20 ms of work, ten times a second where a test waits."""

RSI_DEMO: dict[str, Any] = {
    "name": "demo", "market": "simulated", "symbol": "BTC/USDT", "strategy": "rsi",
    "params": {"period": 14}, "timeframe": "1s", "interval_s": 1, "amount": "100",
}  # fmt: skip


class Client:
    """Speaks to one copy's engine; every answer that is no success raises AssertionError."""

    def __init__(self, copy: Copy) -> None:
        self._copy = copy

    def get(self, path: str, **query: Any) -> Any:
        """The JSON answer of a GET below ``/api/v1``."""
        return self.call("GET", path, params=query).json()

    def post(self, path: str, body: Any = None) -> Any:
        """The JSON answer of a POST below ``/api/v1``."""
        return self.call("POST", path, json=body).json()

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any call below ``/api/v1`` that must succeed."""
        response = self.ask(method, path, **options)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        return response

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any call below ``/api/v1``, whatever it answers."""
        headers = {"Authorization": f"Bearer {self._copy.token}"}
        url = f"{self._copy.engine_url}/api/v1{path}"
        return httpx.request(
            method, url, headers=headers, timeout=30, trust_env=False, verify=NO_TLS, **options
        )

    def create_bot(self, **changes: Any) -> dict[str, Any]:
        """A new bot: the RSI demo with ``changes``."""
        bot: dict[str, Any] = self.post("/bots", RSI_DEMO | changes)
        return bot

    def bot(self, key: str) -> dict[str, Any]:
        """One bot."""
        bot: dict[str, Any] = self.get(f"/bots/{key}")
        return bot

    def wait_for_state(self, key: str, state: str, timeout_s: float = 90) -> dict[str, Any]:
        """The bot once it is in ``state``."""
        return eventually(
            lambda: self.bot(key), lambda bot: bot["state"] == state, timeout_s=timeout_s
        )


def eventually(
    look: Callable[[], T],
    is_there: Callable[[T], bool],
    *,
    timeout_s: float = 90,
    every_s: float = 0.1,
) -> T:
    """Look until ``is_there`` says yes. Raises AssertionError with the last sight."""
    deadline = time.monotonic() + timeout_s
    while True:
        seen = look()
        if is_there(seen):
            return seen
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s; last seen: {seen}"
        time.sleep(every_s)
