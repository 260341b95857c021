"""A service that takes JSON at a secret address: what Apprise's json:// writes to.

``texts`` is what it took. Faults of its own: ``rate_limited`` (429; the value is the pause),
``refused`` (403), ``moved`` (to another address).
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.fakes.provider_server import Asked, ProviderServer, Reply, serving_provider

TOKEN = "test-token-of-the-loopback-hook"
REFUSED = {"down": 503, "broken": 500, "refused": 403}


@dataclass
class HookServer(ProviderServer):
    """The service as a test sees it."""

    texts: list[str] = field(default_factory=list)

    @property
    def apprise_url(self) -> str:
        """As Apprise writes its address."""
        return f"{self.url.replace('http', 'json', 1)}/{TOKEN}"

    def sends(self, asked: Asked) -> bool:
        """See ProviderServer."""
        return asked.method == "POST"

    def fault(self, name: str, value: str, asked: Asked) -> Reply:
        """See ProviderServer."""
        if name == "rate_limited":
            return Reply(429, {"error": "slow down", "retry_after": float(value or 1)})
        if name == "moved":
            return Reply(301, "", {"Location": f"{self.url}{asked.path}"})
        return Reply(REFUSED[name], {"error": f"{name} at {asked.path}"})

    def answer(self, asked: Asked) -> Reply:
        """See ProviderServer."""
        if asked.path != f"/{TOKEN}":
            return Reply(401, {"error": "who are you?"})
        body = json.loads(asked.body)
        with self.lock:
            self.texts.append(f"{body['title']}\n{body['message']}")
        return Reply(200, {"ok": True})


@contextmanager
def hook_server() -> Iterator[HookServer]:
    """The service on a port of the loopback until the end of the block."""
    with serving_provider(HookServer()) as server:
        yield server
