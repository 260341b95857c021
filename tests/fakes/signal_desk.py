"""The fake services' signals: a list of them, addresses by bot, and senders that are answered.

Its state is plain: ``kept`` (the oldest first), ``missed`` and ``shown`` by bot id, ``refuses``
(the next test or replay is), ``failure`` (every read raises it).
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any

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
from engine.domain.messages import MessageError, read_message
from engine.domain.signals import Signal, SignalSource, SignalState
from engine.errors import Conflict, NotFound, QuarterdeckError, SignalRefused

PLACES = {"public": "https://deck.example", "local": "http://127.0.0.1:8710"}
EXCERPT = 200


class FakeSignals:
    """Implements ``SignalServices``; a bot listens when its configuration says so."""

    def __init__(
        self, now: Callable[[], datetime], bots: dict[str, Bot], find: Callable[[str], Bot]
    ) -> None:
        self.now = now
        self.bots = bots
        self.find = find
        self.kept: list[Signal] = []
        self.missed: dict[str, datetime] = {}
        self.shown: dict[str, int] = {}
        self.keys: dict[str, str] = {}
        self.objections: dict[str, str] = {}
        self.refuses: SignalRefused | None = None
        self.failure: QuarterdeckError | None = None
        self._numbers = count(1)

    def add(self, bot_id: str = "", **changes: Any) -> Signal:
        """A signal in the inbox, a second after the one before."""
        number = next(self._numbers)
        fields: dict[str, Any] = {
            "id": f"s{number:05d}", "source": SignalSource.TRADINGVIEW, "sender": bot_id,
            "bot_id": bot_id or None, "digest": f"d{number}", "content_type": "application/json",
            "received_at": self.now() - timedelta(days=1) + timedelta(seconds=number),
            "body": '{"action": "open", "side": "long"}',
        }  # fmt: skip
        signal = Signal.model_validate(fields | changes)
        self.kept.append(signal)
        return signal

    # --- what the API asks
    def list(self, chosen: SignalFilter) -> SignalPage:
        self._fail()
        found = [one for one in reversed(self.kept) if self._matches(one, chosen)]
        page = found[chosen.offset : chosen.offset + chosen.limit]
        items = tuple(self._line(one) for one in page)
        return SignalPage(now=self.now(), items=items, count=len(found))

    def get(self, signal_id: str) -> SignalDetail:
        self._fail()
        signal = self._one(signal_id)
        replays = tuple(one.id for one in reversed(self.kept) if one.replay_of == signal_id)
        objection = "It was acted on already." if signal.state is SignalState.ACTED else None
        if signal.bot_id not in self.bots:
            objection = "Its bot is gone."
        return SignalDetail(
            signal=signal, bot_name=self._name(signal), replays=replays, objection=objection,
            can_replay=signal.bot_id in self.bots,
        )  # fmt: skip

    def replay(self, signal_id: str, force: bool, actor: str) -> SignalAnswer:
        before = self._one(signal_id)
        if before.state is SignalState.ACTED and not force:
            raise Conflict("It was acted on already: replay it with force.")
        again = self.add(
            before.bot_id or "", source=SignalSource.PANEL, body=before.body, order=before.order,
            replay_of=before.id, received_at=self.now(),
        )  # fmt: skip
        return SignalAnswer(id=again.id, message=f"It is acted on again, as {again.id}.")

    def send_test(self, request: TestSignalRequest, actor: str) -> SignalAnswer:
        bot = self.find(request.bot)
        if self.refuses is not None:
            raise self.refuses
        try:
            message = read_message(request.body, request.content_type)
        except MessageError as error:
            self.add(bot.id, source=SignalSource.PANEL, body=request.body, outcome=f"{error}.",
                     state=SignalState.REFUSED)  # fmt: skip
            raise SignalRefused("invalid", f"The signal cannot be used: {error}.") from error
        kept = self.add(bot.id, source=SignalSource.PANEL, body=request.body, order=message.order,
                        content_type=request.content_type, received_at=self.now())  # fmt: skip
        return SignalAnswer(id=kept.id)

    def webhook(self, key: str) -> WebhookView:
        self._fail()
        bot = self.find(key)
        mine = [one for one in self.kept if one.bot_id == bot.id]
        is_open = bot.config.signals is not None
        return WebhookView(
            bot_id=bot.id, bot_name=bot.config.name, is_open=is_open, config=bot.config.signals,
            addresses=_addresses("…") if is_open else (), created_at=bot.created_at,
            last_signal_at=mine[-1].received_at if mine else None,
            missed_since=self.missed.get(bot.id), objection=self.objections.get(bot.id),
        )  # fmt: skip

    def show_webhook(self, key: str, actor: str) -> WebhookSecrets:
        bot = self.find(key)
        self.shown[bot.id] = self.shown.get(bot.id, 0) + 1
        return self._secrets(bot)

    def rotate_webhook(self, key: str, request: RotateRequest, actor: str) -> WebhookSecrets:
        bot = self.find(key)
        if request.key:
            self.keys[bot.id] = f"{self.key_of(bot.id)}x"
        return self._secrets(bot)

    # --- within
    def key_of(self, bot_id: str) -> str:
        """The key in a bot's address."""
        return self.keys.get(bot_id, f"canary-key-{bot_id}")

    def _secrets(self, bot: Bot) -> WebhookSecrets:
        key = self.key_of(bot.id)
        return WebhookSecrets(
            bot_id=bot.id, key=key, addresses=_addresses(key),
            signing_secret=f"whsec_canary-secret-{bot.id}",
        )  # fmt: skip

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure

    def _one(self, signal_id: str) -> Signal:
        for one in self.kept:
            if one.id == signal_id:
                return one
        raise NotFound(f"There is no signal '{signal_id}'.")

    def _name(self, signal: Signal) -> str:
        bot = self.bots.get(signal.bot_id or "")
        return bot.config.name if bot else ""

    def _line(self, signal: Signal) -> SignalLine:
        columns = signal.model_dump(exclude={"digest", "address", "content_type", "body"})
        return SignalLine(**columns, bot_name=self._name(signal), excerpt=signal.body[:EXCERPT])

    def _matches(self, one: Signal, chosen: SignalFilter) -> bool:
        words = f"{one.body} {one.outcome} {one.sender}".lower()
        return (
            chosen.source in (None, one.source)
            and chosen.kind in (None, one.kind)
            and chosen.state in (None, one.state)
            and chosen.bot in (None, one.bot_id, self._name(one))
            and chosen.search.lower() in words
            and (chosen.since is None or one.received_at >= chosen.since)
            and (chosen.until is None or one.received_at < chosen.until)
        )


def _addresses(key: str) -> tuple[WebhookAddress, ...]:
    return tuple(
        WebhookAddress.model_validate({"kind": kind, "url": f"{place}/webhook/{key}"})
        for kind, place in PLACES.items()
    )
