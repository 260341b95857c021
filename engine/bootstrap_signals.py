"""Signals from outside: where they arrive, who is told of them, who looks out for them."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from engine.api.signal_desk import SignalDesk
from engine.bootstrap_core import Core
from engine.services.expect_signals import SignalExpectations
from engine.services.inbox import Inbox
from engine.services.listeners import Listeners
from engine.services.receive_signal import SignalReceiver
from engine.services.replay_signals import SignalReplays
from engine.services.signal_checks import Addresses
from engine.settings import Settings
from engine.settings_outside import listed


@dataclass(frozen=True)
class Signals:
    """The services of the inbox."""

    inbox: Inbox
    listeners: Listeners
    receiver: SignalReceiver
    expectations: SignalExpectations
    desk: SignalDesk


def build_signals(
    core: Core,
    loop: asyncio.AbstractEventLoop,
    hide: Callable[[str], None],
    begin: Callable[[str], None],
) -> Signals:
    """Build them. ``hide`` keeps a secret out of the logs; ``begin`` acts on a signal, by its id,
    and is called on the event loop."""
    settings, books = core.settings, core.books
    inbox = Inbox(core.store, core.lanes, begin)
    listeners = Listeners(books, core.vault, hide)
    receiver = SignalReceiver(
        inbox,
        listeners,
        Addresses.of(listed(settings.trusted_proxies), listed(settings.tradingview_addresses)),
        SlidingWindowCounterRateLimiter(MemoryStorage()),
        core.clock,
    )
    replays = SignalReplays(books, lambda signal_id: _on_loop(loop, begin, signal_id))
    return Signals(
        inbox=inbox,
        listeners=listeners,
        receiver=receiver,
        expectations=SignalExpectations(books, listeners, core.lanes),
        desk=SignalDesk(books, listeners, receiver, replays, places_of(settings), loop),
    )


def places_of(settings: Settings) -> Mapping[Literal["public", "inbox", "local"], str]:
    """Where the doors of the inbox are, the widest first."""
    places: dict[Literal["public", "inbox", "local"], str] = {}
    if settings.inbox_public_url:
        places["public"] = settings.inbox_public_url.rstrip("/")
    if settings.inbox_port is not None:
        host = settings.inbox_host
        places["inbox"] = f"http://{f'[{host}]' if ':' in host else host}:{settings.inbox_port}"
    places["local"] = settings.api_url
    return places


def _on_loop(loop: asyncio.AbstractEventLoop, begin: Callable[[str], None], signal_id: str) -> None:
    loop.call_soon_threadsafe(begin, signal_id)
