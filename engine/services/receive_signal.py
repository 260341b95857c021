"""What becomes of a signal that arrives over HTTP: checked, kept, answered. Fast, for the event
loop; nothing of it waits but for the commit."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from limits import RateLimitItemPerMinute
from limits.aio.strategies import RateLimiter

from engine.domain.bots import Bot
from engine.domain.messages import Message, MessageError, plain_symbol, read_message
from engine.domain.signals import (
    Signal,
    SignalAction,
    SignalConfig,
    SignalSource,
    SignalState,
    Signature,
)
from engine.errors import ConfigError, SignalRefused
from engine.ports import Clock
from engine.services.books import new_id
from engine.services.inbox import Inbox, Kept
from engine.services.listeners import Listeners
from engine.services.signal_checks import (
    Addresses,
    Delivery,
    Proof,
    check_age,
    check_signature,
    text_of,
)

MAX_BYTES = 65_536
ENTRIES = (SignalAction.OPEN, SignalAction.ADD)
REFUSED_WITHIN_S = 3_600
"""The same refused again within an hour is counted, not kept once more."""


@dataclass(frozen=True, slots=True)
class _Understood:
    """A body that may be acted on. ``identity`` is empty when an equal one may be
    another."""

    message: Message
    sent_at: datetime | None
    identity: str


class SignalReceiver:
    """Takes what is posted to the addresses of bots."""

    def __init__(
        self,
        inbox: Inbox,
        listeners: Listeners,
        addresses: Addresses,
        limiter: RateLimiter,
        clock: Clock,
    ) -> None:
        self._inbox = inbox
        self._listeners = listeners
        self._addresses = addresses
        self._limiter = limiter
        self._clock = clock

    async def admit(self, key: str) -> Bot:
        """The bot that listens at ``key``; before the body is read. Raises SignalRefused for an
        unknown key, and when too many come."""
        bot = self._listeners.find(key)
        if bot is None:
            raise _unknown()
        await self._count(bot)
        return bot

    async def receive(self, bot: Bot, delivery: Delivery) -> Kept:
        """Check and keep it. Raises SignalRefused, which is kept too, and StoreError: nothing is
        kept then."""
        config, now = _config_of(bot), self._clock.now()
        address = self._addresses.sender(delivery)
        source = self._source(config, address)
        draft = _draft(bot, source, now, address, delivery)
        try:
            self._check_address(config, address)
            text = text_of(delivery, MAX_BYTES)
            proof = self._check_signature(bot, config, delivery, now)
            read = _understood(read_for(bot, text, delivery.content_type), proof)
        except SignalRefused as refused:
            raise await self._refuse(draft, refused) from refused
        digest = _digest_of(read, draft)
        try:
            _check_age(read, now, config.max_lag_s)
        except SignalRefused as refused:
            # Sent again after a long time, it is still the one that was taken in time.
            return await self._too_old(draft, refused, digest)
        return await self._keep(draft, read, digest, config)

    async def send_test(self, bot: Bot, body: str, content_type: str) -> Kept:
        """A body of a person's, in the way of all others but for address and signature. Raises
        like ``receive``."""
        config, now = _config_of(bot), self._clock.now()
        await self._count(bot)
        delivery = Delivery("", {"content-type": content_type}, body.encode(errors="replace"))
        draft = _draft(bot, SignalSource.PANEL, now, "", delivery)
        try:
            text = text_of(delivery, MAX_BYTES)
            read = _understood(read_for(bot, text, content_type), Proof())
            _check_age(read, now, config.max_lag_s)
        except SignalRefused as refused:
            raise await self._refuse(draft, refused) from refused
        return await self._keep(draft, read, _digest_of(read, draft), config)

    def objection(self, bot: Bot) -> str | None:
        """Why every signal to this bot would be refused as things are; None: nothing."""
        config = _config_of(bot)
        if config.is_tradingview_only and (objection := self._addresses.objection()) is not None:
            return objection
        if config.signature is not Signature.NONE:
            try:
                self._listeners.secret_of(bot.id)
            except ConfigError as error:
                return error.message
        return None

    # --- checks ---------------------------------------------------------------------------------

    async def _count(self, bot: Bot) -> None:
        rate = _config_of(bot).rate_per_minute
        if not await self._limiter.hit(_a_minute(rate), bot.id):
            self._listeners.turn_away(bot.id)
            raise SignalRefused(
                "too_many",
                f"More than {rate} signals a minute: send fewer, or raise the bot's limit.",
                retry_after_s=60,
            )

    def _source(self, config: SignalConfig, address: str) -> SignalSource:
        is_tradingview = config.is_tradingview_only or self._addresses.is_tradingview(address)
        return SignalSource.TRADINGVIEW if is_tradingview else SignalSource.WEBHOOK

    def _check_address(self, config: SignalConfig, address: str) -> None:
        if not config.is_tradingview_only:
            return
        objection = self._addresses.objection()
        if objection is not None:
            raise SignalRefused("no_proxy", objection)
        if not self._addresses.is_tradingview(address):
            raise SignalRefused(
                "wrong_address",
                f"{address or 'The sender'} is none of TradingView's addresses, and this bot takes"
                " signals from those only.",
            )

    def _check_signature(
        self, bot: Bot, config: SignalConfig, delivery: Delivery, now: datetime
    ) -> Proof:
        if config.signature is Signature.NONE:
            return Proof()
        try:
            secret = self._listeners.secret_of(bot.id)
        except ConfigError as error:
            raise SignalRefused(
                "unavailable", f"The signature cannot be checked: {error.message}"
            ) from error
        return check_signature(config.signature, secret, delivery, now)

    # --- keeping --------------------------------------------------------------------------------

    async def _keep(
        self, draft: Signal, read: _Understood, digest: str, config: SignalConfig
    ) -> Kept:
        update = {"order": read.message.order, "sent_at": read.sent_at, "digest": digest}
        kept = await self._inbox.keep(
            draft.model_copy(update=update),
            same_within_s=None if read.identity else config.same_within_s,
        )
        if not kept.is_copy:
            self._listeners.heard(draft.sender, draft.received_at)
        return kept

    async def _refuse(self, draft: Signal, refused: SignalRefused) -> SignalRefused:
        """Keep what was refused, with the sentence that is answered."""
        await self._inbox.keep(_refused(draft, refused), same_within_s=REFUSED_WITHIN_S)
        return refused

    async def _too_old(self, draft: Signal, refused: SignalRefused, digest: str) -> Kept:
        kept = await self._inbox.keep(
            _refused(draft, refused), same_within_s=REFUSED_WITHIN_S, copy_of=digest
        )
        if kept.state is SignalState.REFUSED:
            raise refused
        return kept


@cache
def _a_minute(rate: int) -> RateLimitItemPerMinute:
    return RateLimitItemPerMinute(rate)


def _unknown() -> SignalRefused:
    return SignalRefused(
        "unknown_key", "Nobody listens at this address: copy it anew from the bot's settings."
    )


def _config_of(bot: Bot) -> SignalConfig:
    if bot.config.signals is None:  # switched off since it was found
        raise _unknown()
    return bot.config.signals


def _draft(
    bot: Bot, source: SignalSource, now: datetime, address: str, delivery: Delivery
) -> Signal:
    """A signal of which nothing is understood yet."""
    body = b"" if delivery.body is None else delivery.body
    return Signal(
        id=new_id(), source=source, sender=bot.id, bot_id=bot.id, digest="", received_at=now,
        address=address[:100], content_type=delivery.content_type[:100],
        body=body.decode("utf-8", "replace"),
    )  # fmt: skip


def _refused(draft: Signal, refused: SignalRefused) -> Signal:
    """What was refused is no first delivery of anything: its digest is apart from all others."""
    digest = _digest(f"refused\n{refused.code}\n{draft.body}")
    update = {"state": SignalState.REFUSED, "outcome": refused.message, "digest": digest}
    return draft.model_copy(update=update)


def read_for(bot: Bot, text: str, content_type: str) -> Message:
    """What a body says to a bot. Raises SignalRefused with the sentence of what is wrong."""
    try:
        message = read_message(text, content_type)
    except MessageError as error:
        raise SignalRefused("invalid", f"The signal cannot be used: {error}.") from error
    told, config = message.order.symbol, bot.config
    if told and plain_symbol(told) != plain_symbol(config.symbol):
        raise SignalRefused(
            "unknown_symbol",
            f"This bot trades {config.symbol} on {config.market}: '{told}' is another symbol."
            " Send it to a bot that trades it, or leave the symbol out.",
        )
    return message


def _understood(message: Message, proof: Proof) -> _Understood:
    identity = f"webhook-id:{proof.identity}" if proof.identity else message.identity
    return _Understood(message, message.sent_at or proof.sent_at, identity)


def _check_age(read: _Understood, now: datetime, max_lag_s: int) -> None:
    """An entry must be young; whatever closes something is better late than never, and who acts on
    it leaves out the entry of an old reversal. Raises SignalRefused."""
    if read.message.order.action in ENTRIES:
        check_age(read.sent_at, now, max_lag_s)


def _digest_of(read: _Understood, draft: Signal) -> str:
    """What makes it the same signal again."""
    return _digest(f"id\n{read.identity}" if read.identity else f"body\n{draft.body}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
