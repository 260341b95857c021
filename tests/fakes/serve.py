"""The real API over the fake services: ``python -m tests.fakes.serve --port P --token T``.

For work on the panel and for tests. ``--bots N`` and ``--trades N`` size the sample;
``--data FOLDER`` writes the token where the panel and the CLI of that data folder look for it.
"""

import argparse
import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI

from engine.api.app import create_app
from engine.api.auth import ensure_token
from engine.api.server import ApiServer, bind_loopback
from engine.api.services import EngineServices
from tests.fakes.services import FakeServices

TEST_TOKEN = "test-token-of-the-fake-engine"


@dataclass(frozen=True)
class Served:
    """A running API: where it is and what opens it."""

    port: int
    token: str

    @property
    def url(self) -> str:
        """The base address."""
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def serving(
    services: EngineServices, token: str = TEST_TOKEN, port: int = 0, app: FastAPI | None = None
) -> Iterator[Served]:
    """The API on a real loopback port, in a thread of its own, for the length of the block; ``app``
    where it was made already."""
    server = ApiServer(app or create_app(services, token), bind_loopback(port))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fake-engine", daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(60)
    try:
        yield Served(server.port, token)
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8710)
    parser.add_argument("--token", default="")
    parser.add_argument("--bots", type=int, default=9)
    parser.add_argument("--trades", type=int, default=12, help="past trades a bot")
    parser.add_argument("--events", type=int, default=60)
    parser.add_argument("--data", type=Path, help="a data folder; its api.token is used or made")
    options = parser.parse_args()
    token = options.token or TEST_TOKEN
    if options.data:
        path = options.data / "api.token"
        if options.token:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(options.token, "ascii")
        token = ensure_token(path)
    services = FakeServices(options.bots, options.trades, options.events)
    with serving(services, token, options.port) as served:
        print(f"{served.url} with token {served.token}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
