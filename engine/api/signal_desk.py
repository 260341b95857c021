"""Signals for the API: the inbox to look at, replays and test signals, the addresses of bots."""

import asyncio
from collections.abc import Coroutine, Mapping
from concurrent.futures import TimeoutError as Overdue
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from engine.contracts.signals import (
    RotateRequest,
    SignalAnswer,
    SignalDetail,
    SignalFilter,
    SignalLine,
    SignalPage,
    TestSignalRequest,
    WebhookAddress,
    WebhookSecrets,
    WebhookView,
)
from engine.domain.bots import Bot
from engine.domain.signals import Signal
from engine.errors import StoreError
from engine.services.books import Books
from engine.services.inbox import Kept
from engine.services.listeners import Listeners, OpenListener, require_listening
from engine.services.receive_signal import SignalReceiver
from engine.services.replay_signals import SignalReplays, replay_objection
from engine.services.signal_checks import Delivery

T = TypeVar("T")

PATIENCE_S = 8.0
EXCERPT = 200
HIDDEN_KEY = "…"
COLUMNS = tuple(name for name in SignalLine.model_fields if name not in ("bot_name", "excerpt"))


class WebhookServices(Protocol):
    """What takes signals; for the event loop."""

    async def admit(self, key: str) -> Bot:
        """Who listens there. Raises SignalRefused."""
        ...

    async def receive(self, bot: Bot, delivery: Delivery, /) -> Kept:
        """Check and keep. Raises SignalRefused, StoreError."""
        ...


class SignalServices(Protocol):
    """What the API asks about signals. ``key`` is a bot's id or name; NotFound is raised for one
    that is not there."""

    def list(self, chosen: SignalFilter, /) -> SignalPage:
        """Newest first."""
        ...

    def get(self, signal_id: str) -> SignalDetail:
        """One with its body. Raises NotFound."""
        ...

    def replay(self, signal_id: str, force: bool, actor: str) -> SignalAnswer:
        """Act on it again as if it came now. Raises NotFound, Conflict, ConfigError for one that
        cannot be read, StoreError."""
        ...

    def send_test(self, request: TestSignalRequest, actor: str) -> SignalAnswer:
        """Send a body to a bot. Raises NotFound, Conflict (it does not listen), SignalRefused,
        StoreError."""
        ...

    def webhook(self, key: str) -> WebhookView:
        """A bot's address, its key hidden."""
        ...

    def show_webhook(self, key: str, actor: str) -> WebhookSecrets:
        """With key and secret, made when there are none. Raises Conflict (it does not listen),
        ConfigError (they cannot be opened)."""
        ...

    def rotate_webhook(self, key: str, request: RotateRequest, actor: str) -> WebhookSecrets:
        """Made anew. Raises like ``show_webhook``."""
        ...


@dataclass(frozen=True)
class SignalDesk:
    """Implements ``SignalServices``. ``places`` are the addresses of the doors that signals come
    in by, by kind."""

    books: Books
    listeners: Listeners
    receiver: SignalReceiver
    replays: SignalReplays
    places: Mapping[Literal["public", "inbox", "local"], str]
    loop: asyncio.AbstractEventLoop

    def list(self, chosen: SignalFilter) -> SignalPage:
        """Newest first."""
        where: dict[str, Any] = {
            name: value
            for name in ("source", "kind", "state", "sender")
            if (value := getattr(chosen, name)) is not None
        }
        if chosen.bot:
            bot = self.books.bots.get(chosen.bot) or self.books.find_by_name(chosen.bot)
            where["bot_id"] = bot.id if bot else chosen.bot  # one that is gone is found by its id
        bounds: dict[str, Any] = {
            "since": chosen.since,
            "until": chosen.until,
            "search": chosen.search,
        }
        with self.books.store.reading() as tx:
            found = tx.signals.select(
                is_descending=True, limit=chosen.limit, offset=chosen.offset, **bounds, **where
            )
            count = tx.signals.count(**bounds, **where)
        lines = tuple(self._line(one) for one in found)
        return SignalPage(now=self.books.clock.now(), items=lines, count=count)

    def get(self, signal_id: str) -> SignalDetail:
        """One with its body."""
        with self.books.store.reading() as tx:
            signal = tx.signals.get(signal_id)
            replays = tx.signals.select(replay_of=signal_id, is_descending=True)
        objection, is_final = replay_objection(signal, self.books)
        return SignalDetail(
            signal=signal,
            bot_name=self._bot_name(signal),
            replays=tuple(one.id for one in replays),
            objection=objection,
            can_replay=not is_final,
        )

    def replay(self, signal_id: str, force: bool, actor: str) -> SignalAnswer:
        """Act on it again as if it came now."""
        signal = self.replays.replay(signal_id, actor, is_forced=force)
        return SignalAnswer(id=signal.id, message=f"It is acted on again, as {signal.id}.")

    def send_test(self, request: TestSignalRequest, actor: str) -> SignalAnswer:
        """Send a body to a bot."""
        bot = self.books.get_bot(request.bot)
        require_listening(bot)
        sending = self.receiver.send_test(bot, request.body, request.content_type)
        kept = self._on_loop(sending)
        with self.books.writing() as writing:
            writing.audit(actor, "signal.test", bot.id, signal=kept.signal_id)
        return told(kept)

    def webhook(self, key: str) -> WebhookView:
        """A bot's address, its key hidden."""
        bot = self.books.get_bot(key)
        listener, config = self.listeners.find_listener(bot.id), bot.config.signals
        is_open = listener is not None and config is not None
        return WebhookView(
            bot_id=bot.id,
            bot_name=bot.config.name,
            is_open=is_open,
            addresses=self._addresses(HIDDEN_KEY) if is_open else (),
            config=config,
            created_at=listener.created_at if listener else None,
            last_signal_at=listener.last_signal_at if listener else None,
            missed_since=listener.missed_since if listener else None,
            objection=self.receiver.objection(bot) if is_open else None,
        )

    def show_webhook(self, key: str, actor: str) -> WebhookSecrets:
        """With key and secret."""
        return self._secrets(self.listeners.show(self.books.get_bot(key), actor))

    def rotate_webhook(self, key: str, request: RotateRequest, actor: str) -> WebhookSecrets:
        """Made anew."""
        bot = self.books.get_bot(key)
        opened = self.listeners.rotate(bot, actor, key=request.key, secret=request.secret)
        return self._secrets(opened)

    # --- parts ----------------------------------------------------------------------------------

    def _line(self, signal: Signal) -> SignalLine:
        columns = {name: getattr(signal, name) for name in COLUMNS}
        excerpt = signal.body[:EXCERPT]
        return SignalLine(**columns, bot_name=self._bot_name(signal), excerpt=excerpt)

    def _bot_name(self, signal: Signal) -> str:
        bot: Bot | None = self.books.bots.get(signal.bot_id or "")
        return bot.config.name if bot else ""

    def _secrets(self, opened: OpenListener) -> WebhookSecrets:
        return WebhookSecrets(
            bot_id=opened.listener.bot_id,
            key=opened.key,
            signing_secret=opened.secret,
            addresses=self._addresses(opened.key),
        )

    def _addresses(self, key: str) -> tuple[WebhookAddress, ...]:
        return tuple(
            WebhookAddress(kind=kind, url=f"{place}/webhook/{key}")
            for kind, place in self.places.items()
        )

    def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        waiting = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return waiting.result(PATIENCE_S)
        except Overdue as error:
            raise StoreError(
                "The database takes long: look into the inbox before you send it again."
            ) from error


def told(kept: Kept) -> SignalAnswer:
    """What a sender is told of a signal that was kept."""
    message = "This signal was here already." if kept.is_copy else ""
    return SignalAnswer(id=kept.signal_id, is_copy=kept.is_copy, message=message)
