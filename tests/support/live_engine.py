"""The engine's own services and API within the test's process, on a folder of its own."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from engine.adapters.store.store import SqlStore
from engine.api.server import ApiServer, bind_loopback
from engine.bootstrap import Ending, Engine
from engine.logs import Redaction
from engine.settings import Settings
from tests.support.client import NO_TLS

TOKEN = "token-of-the-engine-in-the-test"


@dataclass(frozen=True)
class LiveEngine:
    """A running engine: its wiring, where it is, and a client that carries the token file's.
    ``do`` runs a coroutine on its loop."""

    engine: Engine
    url: str
    http: httpx.Client
    do: Callable[[Awaitable[Any]], Any]


@contextlib.contextmanager
def live_engine(data: Path, **settings: Any) -> Iterator[LiveEngine]:
    """Run one on a loop in a thread of its own, for the length of the block."""
    chosen = Settings(data=data, **settings)
    store = SqlStore.open(chosen.store_url)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="live-engine", daemon=True)
    thread.start()

    def do(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(90)

    async def build() -> tuple[Engine, ApiServer]:
        engine = Engine(chosen, store, TOKEN, Ending(loop, asyncio.Event()), Redaction())
        server = ApiServer(engine.app, bind_loopback(0))
        await engine.start()
        await server.start()
        return engine, server

    engine, server = do(build())
    url = f"http://127.0.0.1:{server.port}"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    try:
        with httpx.Client(
            base_url=url, headers=headers, trust_env=False, verify=NO_TLS, timeout=90
        ) as http:
            yield LiveEngine(engine, url, http, do)
    finally:
        engine.facade.live.close()
        do(server.stop())
        do(engine.stop())
        store.close()
        do(_end_tasks())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(90)
        loop.close()


async def _end_tasks() -> None:
    """What ``asyncio.run`` does at the end of a real engine."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_default_executor()
