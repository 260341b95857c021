"""Signals from outside: where they arrive, who is told of them, who looks out for them."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from engine.api.signal_desk import SignalDesk
from engine.bootstrap_advice import Advice
from engine.bootstrap_core import Core
from engine.services.act_on_signals import Counsellor, SignalActor
from engine.services.conclude import Concluder
from engine.services.conclude_signal import SignalConcluder
from engine.services.expect_signals import SignalExpectations
from engine.services.inbox import Inbox
from engine.services.listeners import Listeners
from engine.services.pace_signals import SignalPace
from engine.services.receive_signal import SignalReceiver
from engine.services.replay_signals import SignalReplays
from engine.services.signal_checks import Addresses
from engine.settings import Settings
from engine.settings_outside import listed


@dataclass(frozen=True)
class Signals:
    """The services of the inbox."""

    inbox: Inbox
    actor: SignalActor
    pace: SignalPace
    listeners: Listeners
    receiver: SignalReceiver
    expectations: SignalExpectations
    desk: SignalDesk


def build_signals(
    core: Core,
    loop: asyncio.AbstractEventLoop,
    hide: Callable[[str], None],
    actor: SignalActor,
) -> Signals:
    """Build them. ``hide`` keeps a secret out of the logs; ``actor`` acts on what has arrived."""
    settings, books = core.settings, core.books
    pace = SignalPace(actor.begin)
    inbox = Inbox(core.store, core.lanes, pace.begin, core.pulse.note_signal)
    listeners = Listeners(books, core.vault, hide)
    receiver = SignalReceiver(
        inbox,
        listeners,
        Addresses.of(listed(settings.trusted_proxies), listed(settings.tradingview_addresses)),
        SlidingWindowCounterRateLimiter(MemoryStorage()),
        core.clock,
    )
    replays = SignalReplays(
        books, lambda signal_id: loop.call_soon_threadsafe(actor.begin, signal_id)
    )
    return Signals(
        inbox=inbox,
        actor=actor,
        pace=pace,
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


def build_actor(core: Core, concluder: Concluder, advice: Advice) -> SignalActor:
    """Who acts on signals."""
    return SignalActor(
        core.books,
        SignalConcluder(core.books, core.desk, concluder, core.venues, core.prices),
        core.lanes,
        Counsellor(advice.advisor, advice.situations, core.feed, core.venues),
    )
