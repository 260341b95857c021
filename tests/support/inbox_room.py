"""A room with an inbox: everything from the address to the store, and a hand to post with."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import httpx
from fastapi import FastAPI
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from engine.api.app import create_app
from engine.api.inbox_app import create_inbox_app
from engine.api.signal_desk import SignalDesk
from engine.domain.bots import Bot
from engine.domain.signals import Signal, SignalConfig
from engine.ports import Store
from engine.services.books import Books
from engine.services.expect_signals import SignalExpectations
from engine.services.inbox import Inbox
from engine.services.lanes import Lanes
from engine.services.listeners import Listeners
from engine.services.receive_signal import SignalReceiver
from engine.services.replay_signals import SignalReplays
from engine.services.signal_checks import Addresses
from tests.fakes.clock import FakeClock
from tests.fakes.services import FakeServices
from tests.fakes.vault import FakeVault
from tests.unit.samples import bot as sample_bot
from tests.unit.samples import config

TOKEN = "token-of-the-inbox-room"
PROXY, TRADINGVIEW, STRANGER = "10.0.0.1", "52.89.214.238", "203.0.113.9"
PLACES: Mapping[Literal["public", "inbox", "local"], str] = {"local": "http://127.0.0.1:8710"}


@cache
def apps() -> tuple[FastAPI, FastAPI]:
    """The inbox's application and the whole API, made once: that takes longer than a test."""
    services: Any = FakeServices(0, 0, 0)
    return create_inbox_app(services, TOKEN), create_app(services, TOKEN)


@dataclass
class InboxRoom:
    """``begun`` are the signals that were to be acted on, ``hidden`` what the logs may not show."""

    runner: asyncio.Runner
    store: Store
    clock: FakeClock
    trusted: tuple[str, ...] = ()
    begun: list[str] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    vault: FakeVault = field(default_factory=FakeVault)
    lanes: Lanes = field(default_factory=Lanes)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Everything in memory made anew from the store, as after a crash."""
        self.books = Books(self.store, self.clock)
        self.books.load()
        self.inbox = Inbox(self.store, self.lanes, lambda one: self.begun.append(one.id))
        self.listeners = Listeners(self.books, self.vault, self.hidden.add)
        self.listeners.load()
        addresses = Addresses.of(self.trusted, (TRADINGVIEW,))
        limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self.receiver = SignalReceiver(self.inbox, self.listeners, addresses, limiter, self.clock)
        self.expectations = SignalExpectations(self.books, self.listeners, self.lanes)
        self.desk = SignalDesk(
            self.books, self.listeners, self.receiver,
            SignalReplays(self.books, self.begun.append), PLACES, self.runner.get_loop(),
        )  # fmt: skip
        services: Any = FakeServices(0, 0, 0)
        services.signals, services.webhooks = self.desk, self.receiver
        self.app, self.api = apps()
        self.app.state.services = self.api.state.services = services

    def listen(self, bot_id: str = "b0000001", **signals: Any) -> Bot:
        """Add a running bot that listens."""
        bot = sample_bot(config(name=f"bot {bot_id}", signals=SignalConfig(**signals)), id=bot_id)
        with self.books.writing() as writing:
            writing.add_bot(bot)
        return bot

    def key_of(self, bot: Bot) -> str:
        """The key in its address."""
        return self.listeners.show(bot, "test").key

    def secret_of(self, bot: Bot) -> str:
        """What signs its signals."""
        return self.listeners.show(bot, "test").secret

    def post(
        self, key: str, body: Any, headers: Mapping[str, str] | None = None,
        peer: str = STRANGER,
    ) -> httpx.Response:  # fmt: skip
        """Post a body: text and bytes as they are, all else as JSON."""
        [answer] = self.post_all([(key, body)], headers, peer)
        return answer

    def post_all(
        self, signals: list[tuple[str, Any]], headers: Mapping[str, str] | None = None,
        peer: str = STRANGER,
    ) -> list[httpx.Response]:  # fmt: skip
        """Post them at once: keys and bodies."""

        async def send() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self.app, client=(peer, 4711))
            async with httpx.AsyncClient(
                transport=transport, base_url="http://inbox.example"
            ) as http:
                return await asyncio.gather(
                    *(
                        http.post(
                            f"/webhook/{key}",
                            content=body if isinstance(body, bytes) else text_of(body),
                            headers={"content-type": _type_of(body), **(headers or {})},
                        )
                        for key, body in signals
                    )
                )

        return self.runner.run(send())

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask the API, as the panel does."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.api, client=("127.0.0.1", 4711))
            headers = {"authorization": f"Bearer {TOKEN}", "x-quarterdeck-actor": "ada"}
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1/api/v1", headers=headers
            ) as http:
                return await http.request(method, path, **options)

        return self.runner.run(send())

    @property
    def signals(self) -> list[Signal]:
        """What is in the inbox, the oldest first."""
        with self.store.reading() as tx:
            return list(tx.signals.select())


def text_of(body: Any) -> str:
    """A body as it is posted."""
    return body if isinstance(body, str) else json.dumps(body)


def _type_of(body: Any) -> str:
    return "text/plain" if isinstance(body, str) else "application/json"


@contextmanager
def inbox_room(
    store: Store, clock: FakeClock | None = None, trusted: tuple[str, ...] = ()
) -> Iterator[InboxRoom]:
    """A room over ``store``, with an event loop of its own for the length of the block."""
    with asyncio.Runner() as runner:
        room = InboxRoom(runner, store, clock or FakeClock(), trusted)
        yield room
        room.lanes.close()
